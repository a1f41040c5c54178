package serving

import (
	"cmp"
	"context"
	"slices"

	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Drift tells what has changed, as far as this process folds it.
func (s *Server) Drift(_ context.Context, req *freshetv1.DriftRequest) (*freshetv1.DriftResponse, error) {
	resp := &freshetv1.DriftResponse{}
	seen := map[string]bool{}
	for _, name := range s.index.names {
		m := s.index.models[name]
		trigger := m.trigger()
		if req.GetTrigger() != "" && req.GetTrigger() != trigger {
			continue
		}
		if d := s.deps.Models.Drifted(trigger); d != nil && !seen[trigger] {
			resp.Triggers = append(resp.Triggers, d.message(trigger, int(req.GetTop())))
		}
		seen[trigger] = true
		if sc := s.deps.Models.Scored(name); sc != nil {
			resp.Models = append(resp.Models, m.drift(sc))
		}
	}
	if req.GetTrigger() != "" && !seen[req.GetTrigger()] {
		return nil, toStatus(notFound("UNKNOWN_TRIGGER", "no model is asked by "+clip(req.GetTrigger()), "ListModels names the triggers in on; of a request model it is the model's own name"))
	}
	return resp, nil
}

// drift is what the detector on the loss of the model says.
func (m *served) drift(sc *Scored) *freshetv1.ModelDrift {
	said := &sc.Said
	out := &freshetv1.ModelDrift{Name: m.Name, Of: m.Of, Measure: sc.Watched, Loss: sc.Loss, Window: uint64(sc.Window), Rose: said.ChangeUp, Changes: said.Changes,
		ChangedAt: timestamp(said.ChangedAt), Warnings: said.Warnings, Detector: said.Detector, Level: said.Level.String(), At: timestamp(said.At)}
	switch {
	case said.Level == fold.Steady:
	case said.Rose:
		out.Direction = "up"
	default:
		out.Direction = "down"
	}
	return out
}

// trigger names what asks the model: a source, or the request model that it is or challenges.
func (m *served) trigger() string {
	if m.On == "request" {
		return m.Of
	}
	return m.On
}

// Ranked returns the scores, the greatest in relation to its threshold first.
func (d *Drifted) Ranked() []drift.Score {
	ranked := slices.Clone(d.Scores)
	slices.SortStableFunc(ranked, func(a, b drift.Score) int {
		return cmp.Compare(float64(b.Value*a.Threshold), float64(a.Value*b.Threshold))
	})
	return ranked
}

func (d *Drifted) message(trigger string, top int) *freshetv1.TriggerDrift {
	out := &freshetv1.TriggerDrift{Name: trigger, Reference: uint32(d.Reference), Window: uint32(d.Window), Windows: d.Windows}
	ranked := d.Ranked()
	for i := range ranked {
		f := &ranked[i]
		if f.Drifted {
			out.Drifted++
		}
		if top == 0 || i < top {
			out.Features = append(out.Features, &freshetv1.FeatureDrift{Name: f.Feature, Score: f.Value, Measure: f.Measure, Threshold: f.Threshold, Alert: f.Alert,
				Missing: f.Missing, Unseen: f.Other, Drifted: f.Drifted})
		}
	}
	return out
}
