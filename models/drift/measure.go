package drift

import (
	"slices"

	"github.com/freshet-ml/freshet/models"
)

// Measure says by which distance a feature is compared with its reference, and from where on the distance counts.
type Measure struct {
	Name string // psi, jensen_shannon, ks or wasserstein
	// Threshold is the least distance that is a drift, > 0. The sizes of reference and window may ask for a greater one.
	Threshold float64
	// Alert is the least distance that is worth somebody's time. It counts where it is greater than the threshold.
	Alert float64
}

// UsualMeasure is what features are compared by when nothing is said: psi, drifted from 0.1 on and worth an alert from 0.25 on.
var UsualMeasure = Measure{Name: "psi", Threshold: 0.1, Alert: 0.25}

// Ordered reports whether the measure compares the order of values, which categories do not have.
func (m Measure) Ordered() bool { return m.Name == "ks" || m.Name == "wasserstein" }

// For returns the measure for a column: itself, or the usual one where it needs an order and the column is of categories.
func (m Measure) For(categorical bool) Measure {
	if categorical && m.Ordered() {
		return UsualMeasure
	}
	return m
}

// MeasureComponents lists the measures of features for the catalogue. Each makes a Measure.
var MeasureComponents = []models.Component{
	measure("psi", "Population stability index Σ (q − p)·ln(q/p) between the reference and a window, over tenths of the reference (categories: its ten most frequent), values beyond its range or not among these, and missing ones. ½ is added to every count. "+
		"What moves within one bin is not seen, as when a flag that is hardly ever set is set more often.",
		"Siddiqi 2006, Credit Risk Scorecards, ch. 10; threshold: the index of two samples of one distribution is about χ²·(1/n + 1/m)"),
	measure("jensen_shannon", "Jensen–Shannon distance, the root of the divergence in bits, over the bins of psi: 0 for the same shares, 1 for bins that are never used by both. Bounded, where psi is not.",
		"Lin 1991, Divergence measures based on the Shannon entropy; Endres and Schindelin 2003 (the root is a metric)"),
	measure("ks", "Kolmogorov–Smirnov distance: the greatest difference between the shares of values up to a point, 0 to 1. Missing values stand before all others. It is exact where the reference has at most 101 different values, else to 0.01: it compares at the percentiles. "+
		"For numbers: categories have no order and are compared by psi.",
		"Smirnov 1948 (the limit distribution, for the threshold)"),
	measure("wasserstein", "Earth mover's distance: how far the values have moved on average, in standard deviations of the reference. A missing value lies one deviation from every other; of a reference that does not vary, so does every other value. "+
		"It is exact but for window and reference that cross between two percentiles of the reference, where values are taken as spread evenly. For numbers: categories have no order and are compared by psi.",
		"Vallender 1974 (the distance on the line); Borell 1975 and Kwapień 1994 (the tail of ∫|B(F)|, for the threshold)"),
}

func measure(name, doc, source string) models.Component {
	c := models.Component{Name: name, Kind: models.MeasureKind, Fold: 1, Doc: doc, Cost: "O(log bins)", Memory: "500 bytes per column", Source: source,
		Params: []models.Param{
			{Name: "threshold", Default: UsualMeasure.Threshold, Range: models.Above(0), Doc: "a feature has drifted when its distance is greater, and greater than chance explains at these sizes (once in a thousand windows)"},
			{Name: "alert", Default: UsualMeasure.Alert, Range: models.Above(0), Doc: "alerts ask for a distance greater than this, and than the threshold"},
		},
		NewPart: func(a models.Args, _ models.Env) (any, error) {
			return Measure{Name: name, Threshold: a.Float("threshold"), Alert: a.Float("alert")}, nil
		}}
	if (Measure{Name: name}).Ordered() {
		c.Memory = "8 KB per column"
	}
	return c
}

// valid reports whether a measure is one of the catalogue with a threshold.
func (m Measure) valid() bool {
	return m.Threshold > 0 && slices.ContainsFunc(MeasureComponents, func(c models.Component) bool { return c.Name == m.Name })
}
