package baseline_test

import (
	"fmt"
	"testing"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/baseline"
)

// TestSeasonalNaive: on a series that repeats, every answer after the first season is right, for seasons within and beyond a page.
func TestSeasonalNaive(t *testing.T) {
	for _, season := range []int{1, 7, 64, 200} {
		m := baseline.NewSeasonalNaive(season)
		for i := range 3*season + 5 {
			y := float64(i%season) + 1
			got := m.Predict(nil, &models.Example{})[0]
			want := y
			if i < season {
				want = float64(i) // the newest label, 0 before the first
			}
			if got != want {
				t.Fatalf("season %d, example %d: %v, want %v", season, i, got, want)
			}
			m.Learn(&models.Example{Y: y, Weight: 1}, nil)
		}
	}
}

func ExampleNewSeasonalNaive() {
	m := baseline.NewSeasonalNaive(3)
	for _, y := range []float64{1, 2, 3, 4} {
		m.Learn(&models.Example{Y: y, Weight: 1}, nil)
	}
	fmt.Println(m.Predict(nil, &models.Example{})[0])
	// Output: 2
}
