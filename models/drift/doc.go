// Package drift tells when a stream has changed: detectors of a changing mean or distribution, for losses and errors (ADWIN,
// PageHinkley, CUSUM, DDM, EDDM, RDDM, HDDMA, HDDMW, STEPD, EWMAChart, KSWIN), and the population stability index of features
// against a frozen reference (PSI).
//
// It stands beside the learners: models/fold hands detectors the loss of each answer when its label has come, and PSI
// the vector of each prediction; trees and ensembles name detectors as parts. Detectors are pure folds of their input, bounded in
// memory, with a state of their own that is never a part of a model's hash unless the model owns them. One detector is one file,
// and Components lists them for the catalogue.
package drift

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Detector watches a stream of numbers, such as the loss of a model's answers, for a change.
type Detector interface {
	// Update takes in the next value and reports whether the stream has changed. It does not allocate; values that are not finite
	// are ignored.
	Update(x float64) bool
	// Warning reports whether the last value left the stream suspect, short of a change. It is part of the state.
	Warning() bool
	// Rose reports whether the last change, or the warning since, was a rise: of a loss, a turn for the worse.
	Rose() bool
	// Changes returns how often Update reported a change.
	Changes() uint64
	// State visits all that later answers depend on. Loading refuses the state of a detector with other parameters.
	State(c *codec.State)
}

// Components lists the detectors for the catalogue. Each makes a Detector.
var Components = []models.Component{
	ADWINComponent,
	PageHinkleyComponent,
	CUSUMComponent,
	DDMComponent,
	EDDMComponent,
	RDDMComponent,
	HDDMAComponent,
	HDDMWComponent,
	STEPDComponent,
	EWMAChartComponent,
	KSWINComponent,
}

// OnErrors reports whether a detector of the catalogue is made for errors, 0 or 1, and not for losses of any scale.
func OnErrors(name string) bool {
	switch name {
	case DDMComponent.Name, EDDMComponent.Name, RDDMComponent.Name, HDDMAComponent.Name, HDDMWComponent.Name, STEPDComponent.Name, EWMAChartComponent.Name:
		return true
	}
	return false
}

// finite reports whether x is a number that a detector takes in.
func finite(x float64) bool { return x-x == 0 }

// isError turns a value into an error of 0 or 1: what lies above one half is 1.
func isError(x float64) float64 {
	if x > 0.5 {
		return 1
	}
	return 0
}

// rate bounds a value to [0, 1], for detectors whose bounds hold there only.
func rate(x float64) float64 { return max(0, min(1, x)) }

// history is what every detector remembers of its answers.
type history struct {
	changes uint64
	warning bool
	rose    bool
}

// Warning reports whether the last value left the stream suspect.
func (h *history) Warning() bool { return h.warning }

// Rose reports whether the last change, or the warning since, was a rise.
func (h *history) Rose() bool { return h.rose }

// Changes returns how often Update reported a change.
func (h *history) Changes() uint64 { return h.changes }

// changed notes a change.
func (h *history) changed(rose bool) bool {
	h.changes, h.warning, h.rose = h.changes+1, false, rose
	return true
}

// warn notes whether the stream is suspect.
func (h *history) warn(suspect, rose bool) bool {
	if h.warning = suspect; suspect {
		h.rose = rose
	}
	return false
}

func (h *history) state(c *codec.State) {
	c.Uint64(&h.changes)
	c.Bool(&h.warning)
	c.Bool(&h.rose)
}

// parameters visits what both sides must agree on.
func parameters(c *codec.State, name string, version int, values ...float64) {
	c.Fixed(name+" version", version)
	for _, v := range values {
		got := v
		c.Float64(&got)
		if math.Float64bits(got) != math.Float64bits(v) {
			c.Fail("%s with parameter %g, not %g", name, got, v)
		}
	}
}

// visit visits numbers of which none may be NaN: it would silence a detector for good.
func visit(c *codec.State, vs ...*float64) {
	for _, v := range vs {
		c.Float64(v)
		if *v != *v {
			c.Fail("a detector holds NaN")
			*v = 0
		}
	}
}

// Of returns a detector that reports only rises, or only falls, of another one; both for anything else than "up" and "down".
func Of(d Detector, direction string) Detector {
	if direction != "up" && direction != "down" {
		return d
	}
	return &directed{d, direction == "up", 0}
}

// directed lets changes of one direction through.
type directed struct {
	Detector
	up      bool
	changes uint64
}

// Update reports a change in the direction that is asked for.
func (d *directed) Update(x float64) bool {
	if d.Detector.Update(x) && d.Rose() == d.up {
		d.changes++
		return true
	}
	return false
}

// Warning reports a suspicion in the direction that is asked for.
func (d *directed) Warning() bool { return d.Detector.Warning() && d.Rose() == d.up }

// Changes returns how often Update reported a change.
func (d *directed) Changes() uint64 { return d.changes }

// State visits the detector.
func (d *directed) State(c *codec.State) {
	c.Uint64(&d.changes)
	d.Detector.State(c)
}

var directionParam = models.Param{Name: "direction", Default: "both", Choices: []string{"both", "up", "down"},
	Doc: "which changes are reported: up is a rise, of a loss a turn for the worse"}

func zeroTo(x, fallback float64) float64 {
	if x == 0 {
		return fallback
	}
	return x
}

// component makes the catalogue entry of a detector.
func component(name, doc, cost, memory, source string, params []models.Param, make func(a models.Args, env models.Env) Detector) models.Component {
	return models.Component{Name: name, Kind: models.DetectorKind, Fold: 1, Doc: doc, Cost: cost, Memory: memory, Source: source, Params: params,
		NewPart: func(a models.Args, env models.Env) (any, error) { return make(a, env), nil }}
}
