package models_test

import (
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

func newPipeline(stages int) (models.Learner, []*shift, *constantModel) {
	schema := &features.Schema{Columns: []features.Column{{Name: "x"}}}
	var ts []models.Transformer
	var shifts []*shift
	for range stages {
		s := &shift{schema: schema}
		ts, shifts = append(ts, s), append(shifts, s)
	}
	m := &constantModel{}
	return models.NewPipeline(ts, m), shifts, m
}

// TestPipelineOrder: at the predict record every stage transforms with its state before, at the learn
// record the same raw row is transformed with the state of then.
func TestPipelineOrder(t *testing.T) {
	p, shifts, m := newPipeline(2)
	e := models.Example{Row: models.Row{Value: []float64{1}}, Weight: 1}
	if got := p.Predict(nil, &e); got[0] != 1 {
		t.Errorf("the first answer is %v, want 1: nothing was observed yet", got)
	}
	p.Observe(&e)
	if got := p.Predict(nil, &e); got[0] != 3 {
		t.Errorf("after one observation the answer is %v, want 1 + 1 + 1", got)
	}
	p.Observe(&e)
	p.Learn(&e, nil)
	if len(m.rows) != 1 || m.rows[0] != 5 {
		t.Errorf("the model learned from %v, want 1 + 2 + 2", m.rows)
	}
	if shifts[0].taught != 1 || shifts[1].taught != 1 || m.seen != 2 {
		t.Errorf("taught %v and %v times, observed %d times, want 1, 1, 2", shifts[0].taught, shifts[1].taught, m.seen)
	}
	e.Weight = 0
	p.Learn(&e, nil)
	if len(m.rows) != 1 || shifts[0].taught != 1 {
		t.Error("an example of weight 0 was learned")
	}
}

// TestPipelineReuse: rows kept from the last call are only used for the same row and states.
func TestPipelineReuse(t *testing.T) {
	p, _, _ := newPipeline(1)
	a := models.Example{Row: models.Row{Value: []float64{1}}}
	b := models.Example{Row: models.Row{Value: []float64{2}}}
	p.Predict(nil, &a)
	if got := p.Predict(nil, &b); got[0] != 2 {
		t.Errorf("another row is answered %v, want 2", got)
	}
	p.Predict(nil, &a)
	a.Value[0] = 5 // the caller reuses its memory
	if got := p.Predict(nil, &a); got[0] != 5 {
		t.Errorf("changed memory is answered %v, want 5", got)
	}
}

func TestPipelineSnapshot(t *testing.T) {
	p, _, _ := newPipeline(1)
	e := models.Example{Row: models.Row{Value: []float64{1}}, Weight: 1}
	p.Observe(&e)
	snap := p.(models.Publisher).Publish()
	p.Observe(&e)
	if got := snap.Predict(nil, &e); got[0] != 2 {
		t.Errorf("the snapshot answers %v, want 2", got)
	}
}

func TestRowAt(t *testing.T) {
	sparse := models.Row{Index: []uint32{1, 4}, Value: []float64{10, 40}}
	dense := models.Row{Value: []float64{0, 10}}
	for _, c := range []struct {
		row    models.Row
		column int
		want   float64
	}{{sparse, 0, 0}, {sparse, 1, 10}, {sparse, 4, 40}, {sparse, 9, 0}, {dense, 1, 10}, {dense, 2, 0}} {
		if got := c.row.At(c.column); got != c.want {
			t.Errorf("column %d of %v is %v, want %v", c.column, c.row, got, c.want)
		}
	}
}
