package backtest

import (
	"context"
	"math"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/trainer"
)

// vectorSum stands for the bits of a vector.
func vectorSum(v []float64) uint64 {
	h := uint64(len(v))
	for _, x := range v {
		h = features.Mix(h ^ math.Float64bits(x))
	}
	return h
}

// liveTrigger folds the example log that a live run wrote for a trigger with the same models, scored alike, and compares vectors,
// entries and metrics with those of the replay.
func (o *Options) liveTrigger(ctx context.Context, c *candidate, replayed *line, vectors map[uint64]uint64, run *Result) (*LiveTrigger, error) {
	t := &LiveTrigger{Name: replayed.trigger.Name, Share: Number(math.NaN())}
	live, err := newLine(replayed.trigger, false)
	if err != nil {
		return t, err
	}
	live.window = c.window
	live.vectors = func(key uint64, vector []float64) {
		if sum, ok := vectors[key]; ok {
			t.Both++
			if sum == vectorSum(vector) {
				t.Equal++
			}
		}
	}
	sum := trainer.NewEntryHash()
	batch := make([]fold.Entry, 0, entryBatchSize)
	err = o.Live(ctx, t.Name, func(e *fold.Entry) error {
		sum.Add(e)
		batch = batch[:len(batch)+1]
		last := &batch[len(batch)-1]
		vector := append(last.Vector[:0], e.Vector...)
		*last = *e
		last.Vector = vector
		if len(batch) < entryBatchSize {
			return nil
		}
		err := live.apply(batch, o.Workers)
		batch = batch[:0]
		return err
	})
	if err == nil {
		err = live.apply(batch, o.Workers)
	}
	if err != nil {
		return t, err
	}
	t.Found, t.Live = true, uint64(live.predicted)
	t.Share = Number(float64(t.Equal) / math.Max(1, float64(max(live.predicted, replayed.predicted))))
	t.SameLog = sum.Sum() == run.Golden.Logs[t.Name]
	for i, s := range live.scorers {
		sums, _ := live.fold.Hashes(s.spec.Name)
		m := LiveModel{Name: s.spec.Name, Live: s.set.Values(), SameWeights: sums.Weights == run.Golden.Weights[s.spec.Name],
			SameScores: sums.Scores == run.Golden.Scores[s.spec.Name]}
		for k, v := range replayed.scorers[i].set.Values() {
			m.Difference = append(m.Difference, metric.Named{Name: v.Name, Value: v.Value - m.Live[k].Value})
		}
		t.Models = append(t.Models, m)
	}
	return t, nil
}
