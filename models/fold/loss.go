package fold

import (
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/drift"
)

// Detector says what watches the loss of a member.
type Detector struct {
	Name        string // in the catalogue
	Fingerprint string // names it with all its parameters
	// Errors: it counts errors, so it is given 1 for a wrong class and 0 for the right one, instead of the loss.
	Errors bool
	New    func() drift.Detector
}

// DetectorName is that of the member's detector.
func (m *Member) DetectorName() string {
	if m.Detector == nil {
		return "adwin"
	}
	return m.Detector.Name
}

// Watched is what the detector of the member is given: log_loss or error of classifiers, absolute_error of the rest.
func (m *Member) Watched() string {
	switch {
	case m.Task != models.Binary && m.Task != models.Multiclass:
		return "absolute_error"
	case m.Detector != nil && m.Detector.Errors:
		return "error"
	}
	return "log_loss"
}

// lossWatch is the detector on the loss of a member, with the mean of what it was given since about the last change.
type lossWatch struct {
	adwin  *drift.ADWIN // keeps that mean itself
	other  drift.Detector
	errors bool
	n      uint64 // since the last change, of other
	mean   float64
	risen  bool // the last change of other was a rise; it says the same of warnings
}

func newLossWatch(d *Detector) lossWatch {
	if d == nil {
		return lossWatch{adwin: drift.NewADWIN(0)}
	}
	made := d.New()
	if a, ok := made.(*drift.ADWIN); ok {
		return lossWatch{adwin: a}
	}
	return lossWatch{other: made, errors: d.Errors}
}

// update takes in a scored answer and reports whether its loss has changed.
func (w *lossWatch) update(task models.Task, y float64, answer []float64, loss float64) bool {
	if w.adwin != nil {
		return w.adwin.Update(loss)
	}
	x := loss
	if w.errors {
		x = wrong(task, y, answer)
	}
	changed := w.other.Update(x)
	if changed {
		w.n, w.mean, w.risen = 0, 0, w.other.Rose()
	}
	w.n++
	w.mean += (x - w.mean) / float64(w.n)
	return changed
}

// wrong is 1 when the likeliest class is not y, else 0.
func wrong(task models.Task, y float64, answer []float64) float64 {
	said := 0
	if task == models.Binary {
		if answer[0] > 0.5 {
			said = 1
		}
	} else {
		for k, p := range answer {
			if p > answer[said] {
				said = k
			}
		}
	}
	if said == int(y) {
		return 0
	}
	return 1
}

// now returns the mean since about the last change and over how many labels it is.
func (w *lossWatch) now() (mean float64, labels int) {
	if w.adwin != nil {
		return w.adwin.Mean(), w.adwin.Width()
	}
	return w.mean, int(w.n)
}

func (w *lossWatch) detector() drift.Detector {
	if w.adwin != nil {
		return w.adwin
	}
	return w.other
}

func (w *lossWatch) rose() bool {
	if w.adwin != nil {
		return w.adwin.Rose()
	}
	return w.risen
}

func (w *lossWatch) state(s *codec.State) {
	if w.adwin != nil {
		w.adwin.State(s)
		return
	}
	w.other.State(s)
	s.Uint64(&w.n)
	s.Float64(&w.mean)
	s.Bool(&w.risen)
	if w.mean != w.mean {
		s.Fail("mean loss is NaN")
		w.mean = 0
	}
}
