package program

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/models/forecast"
	"github.com/freshet-ml/freshet/trainer"
)

// forecasts adds the members of a model of the task forecast: their answers are columns that the units took from the series of the key, so they have
// nothing to learn here but their scores.
func (c *compiler) forecasts(t *trainer.Trigger, m *project.Model, label int) []error {
	type one struct {
		name, feature string
		until         int64
		baseline      bool
	}
	list := []one{{m.Name, m.Name, micros(m.LearnUntil), false}}
	for _, ch := range m.Challengers {
		list = append(list, one{c.memberName(m, ch.Name), ch.Name, micros(ch.LearnUntil), false})
	}
	list = append(list, one{m.Name + ".seasonal_naive", "seasonal_naive", 0, true})
	detector, err := c.detector(m)
	if err != nil {
		return []error{err}
	}
	var errs []error
	for _, x := range list {
		f, lead := c.project.Forecaster(m, x.feature)
		if f == nil {
			errs = append(errs, fmt.Errorf("models.%s: %s: no forecaster", m.Name, x.name))
			continue
		}
		member := fold.Member{Name: x.name, Of: m.Name, Task: m.Task, Levels: m.Levels, Label: label, Detector: detector, Columns: forecastColumns(t, m.Name, f, lead),
			Pipeline: f.Canonical(), LearnUntil: x.until, Baseline: x.baseline}
		member.Build = func(*features.Schema) (models.Learner, error) { return forecast.NewAnswer(1 + len(m.Levels)), nil }
		if len(member.Columns) != 1+len(m.Levels) {
			errs = append(errs, fmt.Errorf("models.%s: %s: %d columns of its forecaster", m.Name, x.name, len(member.Columns)))
			continue
		}
		b := features.AppendKey(nil, member.Pipeline, m.Task.String())
		b = binary.LittleEndian.AppendUint64(b, member.Schema(t.Vector.Schema).ID())
		b = binary.LittleEndian.AppendUint64(b, uint64(x.until))
		for _, q := range m.Levels {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(q))
		}
		member.Fingerprint = features.Hash(string(b))
		t.Members = append(t.Members, member)
	}
	return errs
}

// forecastColumns returns the slots of a forecaster's mean and quantiles in the union vector.
func forecastColumns(t *trainer.Trigger, entity string, f *project.Feature, lead int) []int {
	mean := fmt.Sprintf("%s.%s_%d", entity, f.Name, lead)
	var slots []int
	for i, col := range t.Vector.Schema.Columns {
		if col.Name == mean || strings.HasPrefix(col.Name, mean+"_q") {
			slots = append(slots, i)
		}
	}
	slices.Sort(slots)
	return slots
}
