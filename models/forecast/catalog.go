package forecast

import "github.com/freshet-ml/freshet/features"

// Spec describes a forecaster: what project files, checks and documents are made of.
type Spec struct {
	Name    string
	Doc     string   // one sentence or two: what the forecasts are, and what they are without events
	Uses    []string // names of the parameters that it takes: step, season, horizon, alpha, beta, gamma, damping
	Cost    string   // of an update and of a read
	Memory  string   // of the state of an entity
	Source  string   // where the algorithm is described
	Version int      // fold version: raised when arithmetic or state bytes change
	// New makes the forecaster, or says which parameter is out of range. Parameters that Uses does not name are not read.
	New func(HoltWintersConfig) (features.Keyed, error)
}

// Catalog lists every forecaster.
var Catalog = []Spec{holtWintersSpec}

// Find returns the forecaster of that name, or nil.
func Find(name string) *Spec {
	for i := range Catalog {
		if Catalog[i].Name == name {
			return &Catalog[i]
		}
	}
	return nil
}
