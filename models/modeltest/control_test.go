package modeltest

import (
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// peeking answers with the label of the question, which it must not look at.
type peeking struct{ honest bool }

func (m peeking) Predict(dst []float64, e *models.Example) []float64 {
	if m.honest {
		return append(dst, 0.5)
	}
	return append(dst, e.Y)
}
func (peeking) Observe(*models.Example)          {}
func (peeking) Learn(*models.Example, []float64) {}
func (peeking) State(*codec.State)               {}

// TestControlSeesPeeking: a model that looks is always right; one that cannot say is right half of the time.
func TestControlSeesPeeking(t *testing.T) {
	r := runner{c: Case{Env: models.Env{Task: models.Binary, Schema: Schema()}}}
	if share := r.right(peeking{}, 2); share != 1 {
		t.Errorf("a peeking model is right %.3f of the time", share)
	}
	if share := r.right(peeking{honest: true}, 2); share != 0.5 {
		t.Errorf("a model that says a half is right %.3f of the time", share)
	}
}
