package forecasts_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/freshet-ml/freshet/trainer/evaluate"
	"github.com/freshet-ml/freshet/trainer/evaluate/forecasts"
)

func ExampleRun() {
	var data strings.Builder
	data.WriteString("shop,day,sold\n")
	for day := range 28 {
		fmt.Fprintf(&data, "north,2024-01-%02d,%d\n", day+1, 20+day%7)
		fmt.Fprintf(&data, "south,2024-01-%02d,%d\n", day+1, 50+3*(day%7)+day/14)
	}
	model, err := evaluate.ParseModel("seasonal_naive")
	if err != nil {
		panic(err)
	}
	r, err := forecasts.Run(context.Background(), forecasts.Options{Reader: strings.NewReader(data.String()), Time: "day", Key: "shop", Target: "sold",
		Horizon: 7, Seasons: []int{7}, Model: "seasonal_naive", Spec: model}, nil)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d series, steps of %s, mae %.1f, naive %.1f\n", r.Series, r.Step, r.Metrics.Value("mae"), r.Baselines[0].Metrics.Value("mae"))
	// Output:
	// 2 series, steps of 1d, mae 0.0, naive 6.0
}
