package forecasts

import (
	"github.com/freshet-ml/freshet/models"
)

// Health counts series by how far their model trusts them at the end, and what happened to their values.
type Health struct {
	Unknown   int64 `json:"unknown"` // no value was seen
	Cold      int64 `json:"cold"`    // too few values for the season
	Good      int64 `json:"good"`
	Shifted   int64 `json:"shifted"`   // the level changed a short time ago
	Refused   int64 `json:"refused"`   // values that the model could not take
	Anomalies int64 `json:"anomalies"` // values that were damped
	Shifts    int64 `json:"shifts"`    // changes of level
	Restarts  int64 `json:"restarts"`  // times that numbers left their range
}

func (h *Health) add(m models.Health) {
	switch m.Status {
	case models.HealthCold:
		h.Cold++
	case models.HealthGood:
		h.Good++
	case models.HealthShifted:
		h.Shifted++
	default:
		h.Unknown++
	}
	h.Refused += m.Refused
	h.Anomalies += m.Anomalies
	h.Shifts += m.Shifts
	h.Restarts += m.Restarts
}

// dropped is what the models count as dropped, of all series.
func (h *Health) dropped() models.Drops {
	return models.DroppedBy(&models.Health{Refused: h.Refused, Anomalies: h.Anomalies, Restarts: h.Restarts})
}

func (h *Health) join(o *Health) {
	h.Unknown += o.Unknown
	h.Cold += o.Cold
	h.Good += o.Good
	h.Shifted += o.Shifted
	h.Refused += o.Refused
	h.Anomalies += o.Anomalies
	h.Shifts += o.Shifts
	h.Restarts += o.Restarts
}
