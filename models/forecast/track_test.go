package forecast

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// recorder is a forecaster whose series are what they were told: the value by step, NaN where none came.
type recorder struct{ regressors int }

func (r recorder) Start() models.Series { return &recorded{regressors: r.regressors} }
func (recorder) MaxBytes() int          { return 1 << 20 }

type recorded struct {
	regressors int
	values     []float64 // of each step the newest
	again      int64
	sum        float64 // of all regressors
}

func (r *recorded) Advance(steps int64) {
	for range min(steps, 1000) {
		r.values = append(r.values, math.NaN())
	}
}

func (r *recorded) Observe(y float64, x []float64) {
	last := len(r.values) - 1
	if !math.IsNaN(r.values[last]) {
		r.again++
	}
	r.values[last] = y
	for i, v := range x {
		r.sum += v * float64(i+1)
	}
}

// Forecast answers with the number of the step, counted from the first one, plus the regressors of the step.
func (r *recorded) Forecast(o *models.Outlook, x [][]float64) {
	for i := range o.Mean {
		o.Mean[i] = float64(int64(len(r.values)) + o.Skip + int64(i))
		for _, v := range future(x, i) {
			o.Mean[i] += v
		}
		for j := range o.Levels {
			o.Quantiles[i*len(o.Levels)+j] = o.Mean[i] + o.Levels[j]
		}
	}
}

func future(x [][]float64, i int) []float64 {
	if x == nil {
		return nil
	}
	return x[i]
}

func (r *recorded) State(c *codec.State) {
	c.Float64s(&r.values)
	c.Int64(&r.again)
	c.Float64(&r.sum)
}

func (r *recorded) Level() float64 { return r.values[len(r.values)-1] }

func (r *recorded) Residual() (value, deviation float64) { return r.Level(), 2 }

func trackBytes(k *Track) []byte {
	v := codec.Saver(nil)
	k.State(v)
	return v.Bytes()
}

// TestTrackGapsEqualMissingSteps: a track that is told nothing of a step is that which is told that its value is missing, and steps are those
// of floor division, before 1970 too.
func TestTrackGapsEqualMissingSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := rapid.SampledFrom([]int64{1, 7, 3600e6}).Draw(t, "step")
		from := rapid.Int64Range(-50, 50).Draw(t, "first step")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		silent, told := NewTrack(recorder{}, step), NewTrack(recorder{}, step)
		n := rapid.IntRange(1, 60).Draw(t, "steps")
		for i := range int64(n) {
			at := (from+i)*step + rng.Int64N(step)
			if i > 0 && rng.IntN(3) == 0 {
				if got := told.Update(at, math.NaN(), nil); got != TakenNothing {
					t.Fatalf("a missing value was taken as %d", got)
				}
				continue
			}
			silent.Update(at, float64(i), nil)
			told.Update(at, float64(i), nil)
			if !bytes.Equal(trackBytes(silent), trackBytes(told)) {
				t.Fatalf("step %d: a gap is not what missing steps are", i)
			}
			if got := silent.Series.(*recorded).values; int64(len(got)) != i+1 || got[i] != float64(i) {
				t.Fatalf("step %d: values %v", i, got)
			}
		}
		o := models.NewOutlook(2, nil)
		silent.Forecast(o, (from+int64(n)+4)*step, nil)
		if want := float64(n + 5); o.Mean[0] != want || o.Mean[1] != want+1 {
			t.Fatalf("forecasts of steps %v, the first is %g", o.Mean, want)
		}
	})
}

// TestTrackTaken: late, repeated, missing and first values, and steps that are values.
func TestTrackTaken(t *testing.T) {
	const hour = int64(3600e6)
	k := NewTrack(recorder{}, hour)
	for i, c := range []struct {
		t    int64
		y    float64
		want Taken
	}{
		{-5 * hour, math.NaN(), TakenNothing}, // before the first value: left out
		{-3*hour + 7, 1, TakenStep},
		{-3 * hour, 2, TakenAgain},
		{-3*hour - 1, 3, TakenLate},
		{-1, 4, TakenStep},
		{0, math.Inf(1), TakenNothing}, // its step passes
		{-1, 5, TakenLate},
		{0, 6, TakenAgain}, // the step has begun: no other step
		{2 * hour, 7, TakenStep},
	} {
		if got := k.Update(c.t, c.y, nil); got != c.want {
			t.Errorf("value %d: %d, want %d", i, got, c.want)
		}
	}
	s := k.Series.(*recorded)
	if want := []float64{2, math.NaN(), 4, 6, math.NaN(), 7}; len(s.values) != len(want) || s.again != 1 {
		t.Errorf("values %v, %d again", s.values, s.again)
	}
	byValue := NewTrack(recorder{}, 0)
	for _, at := range []int64{5, 5, 3} {
		if got := byValue.Update(at, 1, nil); got != TakenStep {
			t.Errorf("without steps: %d", got)
		}
	}
	if byValue.Ahead(1<<60) != 0 || NewTrack(recorder{}, hour).Ahead(1<<60) != 0 {
		t.Error("steps ahead without steps, or without a value")
	}
	if got := k.Ahead(5*hour + 1); got != 3 {
		t.Errorf("%d steps ahead, want 3", got)
	}
	if got := k.Ahead(0); got != 0 {
		t.Errorf("%d steps ahead of a time before, want 0", got)
	}
}
