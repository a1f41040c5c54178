package serving

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/freshet-ml/freshet/models/drift"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Insight is what people want to see who look at a service, and what a server alone cannot know. It is safe for concurrent use.
type Insight interface {
	// Lineage returns the graph that runs. It must not be changed.
	Lineage() *freshetv1.LineageResponse
	// DeadLetters reads the newest refused records, and ends soon after ctx does.
	DeadLetters(ctx context.Context, source, reason string, limit int) (*freshetv1.DeadLettersResponse, error)
	// Recent returns a few events that were just read, without sensitive fields.
	Recent() []*freshetv1.RecentEvent
	// Control writes a control record for a known model; verb is freeze or thaw.
	Control(ctx context.Context, model, verb string) error
}

// Limits of what is shown at once.
const (
	defaultPoints, maxPoints   = 240, 400
	defaultLetters, maxLetters = 20, 100
)

func noInsight() error {
	return toStatus(&Error{Code: codes.Unimplemented, Reason: "NO_INSIGHT", Message: "this server does not see the project's topics", Hint: "ask a server that runs with them"})
}

// Lineage tells what comes from what.
func (s *Server) Lineage(context.Context, *freshetv1.LineageRequest) (*freshetv1.LineageResponse, error) {
	if s.deps.Insight == nil {
		return nil, noInsight()
	}
	return s.deps.Insight.Lineage(), nil
}

// DeadLetters tells what was refused.
func (s *Server) DeadLetters(ctx context.Context, req *freshetv1.DeadLettersRequest) (*freshetv1.DeadLettersResponse, error) {
	if s.deps.Insight == nil {
		return nil, noInsight()
	}
	limit := int(or(req.GetLimit(), defaultLetters))
	if limit > maxLetters {
		return nil, toStatus(invalid("LIMIT", "more than 100 letters asked for", "set limit to at most 100"))
	}
	resp, err := s.deps.Insight.DeadLetters(ctx, req.GetSource(), req.GetReason(), limit)
	if err != nil {
		err = &ioError{reason: "LETTERS_UNAVAILABLE", message: "the dead-letter topic cannot be read now", err: err}
		return nil, toStatus(s.logged(err, "dead letters"))
	}
	return resp, nil
}

// Recent shows a few events that were just read.
func (s *Server) Recent(context.Context, *freshetv1.RecentRequest) (*freshetv1.RecentResponse, error) {
	if s.deps.Insight == nil {
		return nil, noInsight()
	}
	return &freshetv1.RecentResponse{Events: s.deps.Insight.Recent()}, nil
}

// Control freezes or thaws a model.
func (s *Server) Control(ctx context.Context, req *freshetv1.ControlRequest) (*freshetv1.ControlResponse, error) {
	if s.deps.Insight == nil {
		return nil, noInsight()
	}
	if _, err := s.index.model(req.GetModel()); err != nil {
		return nil, toStatus(err)
	}
	if v := req.GetVerb(); v != "freeze" && v != "thaw" {
		return nil, toStatus(invalid("VERB", "no verb "+clip(v), "set verb to freeze or thaw"))
	}
	if err := s.deps.Insight.Control(ctx, req.GetModel(), req.GetVerb()); err != nil {
		err = &ioError{reason: "CONTROL_UNAVAILABLE", message: "the control record cannot be written now", err: err}
		return nil, toStatus(s.logged(err, "control"))
	}
	s.deps.Logger.Info("control record written", "model", req.GetModel(), "verb", req.GetVerb())
	return &freshetv1.ControlResponse{}, nil
}

// History tells scores over event time.
func (s *Server) History(_ context.Context, req *freshetv1.HistoryRequest) (*freshetv1.HistoryResponse, error) {
	points := int(or(req.GetPoints(), defaultPoints))
	if points > maxPoints {
		return nil, toStatus(invalid("POINTS", "more than 400 points asked for", "set points to at most 400"))
	}
	if name := req.GetModel(); name != "" {
		if _, err := s.index.model(name); err != nil {
			return nil, toStatus(err)
		}
	}
	resp := &freshetv1.HistoryResponse{}
	for _, name := range s.index.names {
		m := s.index.models[name]
		if of := req.GetModel(); of != "" && m.Of != of && m.Name != of {
			continue
		}
		h := &freshetv1.MemberHistory{Name: m.Name, Of: m.Of, Role: m.Role}
		s.deps.Curves.fill(h, points)
		if sc := s.deps.Models.Scored(name); sc != nil {
			h.Detector = sc.Said.Detector
			for _, b := range sc.Calibration {
				h.Calibration = append(h.Calibration, &freshetv1.CalibrationBin{Confidence: b.Confidence, Share: b.Share, Labels: b.Weight})
			}
		}
		resp.Members = append(resp.Members, h)
	}
	return resp, nil
}

// Distributions tells how features are distributed now and were in the reference.
func (s *Server) Distributions(_ context.Context, req *freshetv1.DistributionsRequest) (*freshetv1.DistributionsResponse, error) {
	resp := &freshetv1.DistributionsResponse{}
	seen := map[string]bool{}
	for _, name := range s.index.names {
		trigger := s.index.models[name].trigger()
		if seen[trigger] || req.GetTrigger() != "" && req.GetTrigger() != trigger {
			continue
		}
		seen[trigger] = true
		if d := s.deps.Models.Drifted(trigger); d != nil {
			out := &freshetv1.TriggerDistributions{Name: trigger, Features: distributions(d.Distributions)}
			s.deps.Curves.windows(trigger, out)
			resp.Triggers = append(resp.Triggers, out)
		}
	}
	if req.GetTrigger() != "" && !seen[req.GetTrigger()] {
		return nil, toStatus(notFound("UNKNOWN_TRIGGER", "no model is asked by "+clip(req.GetTrigger()), "ListModels names the triggers in on; of a request model it is the model's own name"))
	}
	return resp, nil
}

func distributions(list []drift.Distribution) []*freshetv1.FeatureDistribution {
	out := make([]*freshetv1.FeatureDistribution, len(list))
	for i := range list {
		d := &list[i]
		out[i] = &freshetv1.FeatureDistribution{Name: d.Feature, Categorical: d.Categorical, Edges: d.Edges, Reference: d.Reference, Current: d.Current}
	}
	return out
}

func micros(d int64) *durationpb.Duration {
	return &durationpb.Duration{Seconds: d / 1e6, Nanos: int32(d % 1e6 * 1000)}
}
