package serving

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/models/metric"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// ListModels lists the models in the order of the catalog.
func (s *Server) ListModels(context.Context, *freshetv1.ListModelsRequest) (*freshetv1.ListModelsResponse, error) {
	resp := &freshetv1.ListModelsResponse{}
	for _, name := range s.index.names {
		resp.Models = append(resp.Models, s.describe(s.index.models[name]))
	}
	return resp, nil
}

// GetModel tells everything about one model.
func (s *Server) GetModel(_ context.Context, req *freshetv1.GetModelRequest) (*freshetv1.GetModelResponse, error) {
	m, err := s.index.model(req.GetName())
	if err != nil {
		return nil, toStatus(err)
	}
	resp := &freshetv1.GetModelResponse{Model: s.describe(m), Classes: m.Classes, MaxAge: positive(m.MaxAge), Label: &freshetv1.LabelSpec{
		From: m.Label.From, By: m.Label.By, Value: m.Label.Value, Wait: positive(m.Label.Wait), Missing: m.Label.Missing, Feedback: m.Label.Feedback}}
	for _, c := range m.Columns {
		col := m.Vector.Schema.Columns[c]
		name, first := col.Base()
		if !first {
			continue
		}
		resp.Columns = append(resp.Columns, &freshetv1.ModelColumn{Name: name, Kind: kindNames[col.Kind]})
	}
	for i, f := range m.Fields {
		resp.Fields = append(resp.Fields, &freshetv1.InputField{Name: f.Name, Kind: f.Kind.String(), Nullable: f.Nullable || !m.required[i], Keys: s.keysOf(m, f.Name)})
	}
	if sc := s.deps.Models.Scored(m.Name); sc != nil {
		m.setScored(resp, sc)
	}
	return resp, nil
}

// kindNames are the kinds of columns as people read them.
var kindNames = map[features.ColumnKind]string{features.Numeric: "numeric", features.Categorical: "categorical", features.Text: "text"}

// keysOf lists the entity types read for the model whose key the field is part of.
func (s *Server) keysOf(m *served, field string) []string {
	var names []string
	for _, i := range m.need {
		e := &s.catalog.Entities[m.Vector.Parts[i].Entity]
		if slices.ContainsFunc(e.Key, func(k features.Field) bool { return k.Name == field }) {
			names = append(names, e.Name)
		}
	}
	return names
}

func (m *served) setScored(resp *freshetv1.GetModelResponse, sc *Scored) {
	resp.Scored, resp.Pending, resp.Drifts, resp.StateBytes = sc.Labels, uint64(sc.Pending), sc.Said.Changes, uint64(sc.Bytes)
	resp.ScoredAt = &freshetv1.Version{Log: m.Log, Seq: sc.Seq}
	if sc.Hash != "" {
		resp.StateSha256, resp.HashedAt = sc.Hash, &freshetv1.Version{Log: m.Log, Seq: sc.HashedAt}
	}
	for _, d := range sc.Dropped {
		resp.Dropped = append(resp.Dropped, &freshetv1.Drop{What: d.What, Count: d.Count})
	}
	for i := range sc.Months {
		p := &sc.Months[i]
		resp.Months = append(resp.Months, &freshetv1.MonthScores{Month: p.Name, Labels: p.Labels, Scores: scores(p.Values)})
	}
}

func scores(values []metric.Named) []*freshetv1.Score {
	out := make([]*freshetv1.Score, len(values))
	for i, v := range values {
		out[i] = &freshetv1.Score{Name: v.Name, Value: v.Value}
	}
	return out
}

func (s *Server) describe(m *served) *freshetv1.Model {
	out := &freshetv1.Model{Name: m.Name, Of: m.Of, Role: m.Role, Task: m.Task.String(), On: m.On, Pipeline: m.Pipeline}
	sc := s.deps.Models.Scored(m.Name)
	if sc != nil {
		out.Scores, out.Drift = scores(sc.Values), m.drift(sc)
		out.Version, out.TrainedUntil, out.Learned, out.Frozen = &freshetv1.Version{Log: m.Log, Seq: sc.Seq}, timestamp(sc.Until), sc.Learned, sc.Frozen
	}
	snap, ok := s.deps.Models.Snapshot(m.Name)
	if !ok {
		return out
	}
	out.State = s.state(m, snap)
	out.Version, out.TrainedUntil, out.Learned, out.Frozen = &freshetv1.Version{Log: m.Log, Seq: snap.Seq}, timestamp(snap.Until), snap.Learned, snap.Frozen
	out.Staleness = s.staleness(m.Name)
	return out
}

// state says how a model that has a version answers. Age is judged against the wall clock, or, where
// events move time, against the newest entry that was folded, which the version itself cannot tell: there
// only answers, which know the head, are marked stale.
func (s *Server) state(m *served, snap *fold.Snapshot) freshetv1.Model_State {
	switch {
	case snap.Held:
		return freshetv1.Model_HELD
	case !s.catalog.EventsClock && m.old(snap, s.deps.Now().UnixMicro()):
		return freshetv1.Model_STALE
	}
	return freshetv1.Model_READY
}

// Status tells how the service is, as far as this process knows.
func (s *Server) Status(ctx context.Context, _ *freshetv1.StatusRequest) (*freshetv1.StatusResponse, error) {
	resp := &freshetv1.StatusResponse{Project: s.catalog.Project, Generation: s.catalog.Generation, Build: s.catalog.Build,
		Uptime: durationpb.New(s.deps.Now().Sub(s.started)), Clock: "wall", Lookback: positive(s.catalog.Lookback)}
	if s.catalog.EventsClock {
		resp.Clock = "events"
	}
	for _, w := range s.waiting() {
		resp.WaitingFor = append(resp.WaitingFor, w.String())
	}
	if s.deps.Report != nil {
		s.deps.Report.Report(ctx, resp)
	}
	resp.Ready = len(resp.WaitingFor) == 0
	return resp, nil
}

// waitingFor is one reason why a server is not ready.
type waitingFor struct {
	Model  string `json:"model,omitempty"` // empty: it concerns the server
	Reason string `json:"reason"`
}

func (w waitingFor) String() string {
	if w.Model == "" {
		return w.Reason
	}
	return "model " + w.Model + " " + w.Reason
}

// waiting names what is not ready: features, models that the server answers for, and a server that stops.
func (s *Server) waiting() []waitingFor {
	var out []waitingFor
	if s.draining.Load() {
		out = append(out, waitingFor{Reason: "the server is stopping"})
	}
	if s.deps.Report != nil {
		if why := s.deps.Report.Waiting(); why != "" {
			out = append(out, waitingFor{Reason: why})
		}
	}
	for _, name := range s.index.names {
		if !s.index.models[name].Await {
			continue
		}
		if why := s.unfit(name); why != "" {
			out = append(out, waitingFor{name, why})
		}
	}
	return out
}

// unfit says why a model is not ready; empty: it is.
func (s *Server) unfit(model string) string {
	_, ok := s.deps.Models.Snapshot(model)
	at := s.deps.Models.Confirmed(model)
	switch limit := s.config.MaxStaleness; {
	case s.deps.Models.Barred(model):
		return "was taken out of service: its state differs from the attested one; see the log"
	case !ok:
		return "has no version yet"
	case at.IsZero():
		return "is catching up with its log"
	case limit > 0 && s.deps.Now().Sub(at) > limit:
		return fmt.Sprintf("is stale: its version was last known to be the newest %s ago, serving.ready.max_staleness is %s",
			s.deps.Now().Sub(at).Round(time.Second/10), limit)
	}
	return ""
}

// scrape sets the gauges that are computed when they are asked for.
func (s *Server) scrape() {
	now := s.deps.Now()
	g := s.deps.Metrics
	g.InFlight.WithLabelValues().Set(float64(len(s.slots)))
	g.Ready.WithLabelValues().Set(flag(len(s.waiting()) == 0))
	for name, m := range s.index.models {
		snap, ok := s.deps.Models.Snapshot(name)
		if !ok {
			continue
		}
		g.SnapshotAge.WithLabelValues(name).Set(max(0, now.Sub(s.deps.Models.Confirmed(name)).Seconds()))
		g.Version.WithLabelValues(name).Set(float64(snap.Seq))
		g.Info.WithLabelValues(name, m.Of, m.Task.String(), m.Pipeline).Set(1)
		g.Held.WithLabelValues(name).Set(flag(snap.Held))
		g.Stale.WithLabelValues(name).Set(flag(!s.catalog.EventsClock && m.old(snap, now.UnixMicro())))
		if snap.Until != features.NoTime {
			g.TrainedUntil.WithLabelValues(name).Set(float64(snap.Until) / float64(time.Second/time.Microsecond))
		}
	}
}

// flag is the value of a gauge that is 1 while something holds.
func flag(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// logged writes faults of the service to the log; refusals are the caller's.
func (s *Server) logged(err error, what string) error {
	if err == nil {
		return nil
	}
	if code := statusCode(err); code == codes.Internal || code == codes.Unavailable {
		s.deps.Logger.Warn("call failed", "call", what, "code", codeName(code), "error", err)
	}
	return err
}
