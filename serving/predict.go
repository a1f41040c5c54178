package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Predict answers one or many rows from one version of a model.
func (s *Server) Predict(ctx context.Context, req *freshetv1.PredictRequest) (*freshetv1.PredictResponse, error) {
	begin := time.Now()
	resp, err := s.predict(ctx, req)
	err = toStatus(s.logged(err, "predict"))
	if m, ok := s.index.models[req.GetModel()]; ok {
		m.metrics.done(len(req.GetRows()), status.Code(err), time.Since(begin))
	}
	return resp, err
}

func (s *Server) predict(ctx context.Context, req *freshetv1.PredictRequest) (*freshetv1.PredictResponse, error) {
	m, err := s.index.model(req.GetModel())
	if err != nil {
		return nil, err
	}
	if err := s.checkRows(len(req.GetRows())); err != nil {
		return nil, err
	}
	snap, err := s.snapshot(m, req.GetVersion())
	if err != nil {
		return nil, err
	}
	asked, err := s.asked(m, req.GetAsOf())
	if err != nil {
		return nil, err
	}
	c := s.calls.Get().(*call)
	defer s.calls.Put(c)
	defer c.release()
	c.reset(m, snap)
	c.logged = m.Request
	if err := s.predictor.run(ctx, c, req.GetRows(), asked, req.GetAllowStale() || s.config.AllowStale); err != nil {
		return nil, err
	}
	if m.Request {
		if err := s.logServed(ctx, c); err != nil {
			return nil, err
		}
	}
	return s.encode(c), nil
}

func (s *Server) checkRows(n int) error {
	if n == 0 {
		return invalid("NO_ROWS", "no rows in the request", "send at least one")
	}
	if n > s.config.MaxRows {
		s.deps.Metrics.Rejected.WithLabelValues("rows").Inc()
		return exhausted("TOO_MANY_ROWS", fmt.Sprintf("%d rows in one call", n), fmt.Sprintf("at most %d; send several calls, or raise serving.max_rows", s.config.MaxRows), 0)
	}
	return nil
}

// snapshot returns the version that answers.
func (s *Server) snapshot(m *served, want *freshetv1.Version) (*fold.Snapshot, error) {
	snap, ok := s.deps.Models.Snapshot(m.Name)
	if !ok {
		return nil, unavailable("MODEL_NOT_READY", "model "+m.Name+" has no version on this server yet",
			"wait until health reports SERVING for it; challengers answer only where they are trained")
	}
	if want != nil && (want.GetSeq() != snap.Seq || want.GetLog() != "" && want.GetLog() != m.Log) {
		return nil, notFound("UNKNOWN_VERSION", fmt.Sprintf("version %d of %q is not served", want.GetSeq(), clip(want.GetLog())),
			fmt.Sprintf("served now: version %d of %q; freshet audit recomputes older answers", snap.Seq, m.Log))
	}
	return snap, nil
}

func (s *Server) asked(m *served, t *timestamppb.Timestamp) (int64, error) {
	if t == nil {
		return features.NoTime, nil
	}
	if err := t.CheckValid(); err != nil {
		return 0, invalid("WRONG_TYPE", "as_of is out of range", "years 1 to 9999")
	}
	if m != nil && m.Request {
		return 0, invalid("AS_OF_LOGGED", "model "+m.Name+" logs what it serves, which is always as of now", "leave as_of out")
	}
	return t.AsTime().UnixMicro(), nil
}

// encode makes the response of a finished call.
func (s *Server) encode(c *call) *freshetv1.PredictResponse {
	m, snap := c.model, c.snapshot
	resp := &freshetv1.PredictResponse{Model: m.Name, Version: &freshetv1.Version{Log: m.Log, Seq: snap.Seq},
		TrainedUntil: timestamp(snap.Until), AsOf: timestamp(c.now), Held: snap.Held, Stale: c.stale || m.old(snap, c.now),
		Staleness: s.staleness(m.Name), Predictions: make([]*freshetv1.Prediction, len(c.answers))}
	if snap.Until != features.NoTime {
		resp.ModelAge = durationpb.New(time.Duration(c.now-snap.Until) * time.Microsecond)
	}
	predictions := make([]freshetv1.Prediction, len(c.answers))
	for i := range c.answers {
		a, p := &c.answers[i], &predictions[i]
		p.PredictionId, p.Missing = c.ids[i], uint32(a.missing)
		p.NewestEvent, p.OldestEntity = timestamp(a.newest), timestamp(a.oldest)
		m.setAnswer(p, c.numbers[a.from:a.to])
		s.notFound(p, c, a)
		resp.Predictions[i] = p
	}
	return resp
}

func (s *Server) notFound(p *freshetv1.Prediction, c *call, a *answer) {
	if a.notFound == 0 {
		return
	}
	for j, part := range c.model.need {
		if a.notFound&(1<<(j&63)) != 0 {
			name := s.catalog.Entities[c.model.Vector.Parts[part].Entity].Name
			p.NotFound = append(p.NotFound, name)
			s.deps.Metrics.NotFound.WithLabelValues(name).Inc()
		}
	}
}

func (m *served) setAnswer(p *freshetv1.Prediction, numbers []float64) {
	switch m.Task {
	case models.Binary:
		p.Answer = &freshetv1.Prediction_Probability{Probability: numbers[0]}
		m.metrics.score.Observe(numbers[0])
	case models.Anomaly:
		p.Answer = &freshetv1.Prediction_Score{Score: numbers[0]}
		m.metrics.score.Observe(numbers[0])
	case models.Multiclass:
		p.Answer = &freshetv1.Prediction_Classes{Classes: m.classes(numbers)}
	case models.Forecast:
		series := &freshetv1.Series{}
		if !math.IsNaN(numbers[0]) {
			series.Values = append([]float64(nil), numbers...)
		}
		p.Answer = &freshetv1.Prediction_Series{Series: series}
	default:
		p.Answer = &freshetv1.Prediction_Number{Number: numbers[0]}
	}
}

func (m *served) classes(numbers []float64) *freshetv1.Classes {
	out, best := &freshetv1.Classes{Classes: make([]*freshetv1.Class, len(numbers))}, 0
	for i, x := range numbers {
		out.Classes[i] = &freshetv1.Class{Name: m.Classes[i], Probability: x}
		if x > numbers[best] {
			best = i
		}
	}
	out.Best = m.Classes[best]
	return out
}

// old reports whether the version has learned nothing for longer than max_age before t.
func (m *served) old(snap *fold.Snapshot, t int64) bool {
	return m.MaxAge > 0 && (snap.Until == features.NoTime || t-snap.Until > m.MaxAge.Microseconds())
}

func (s *Server) staleness(model string) *durationpb.Duration {
	at := s.deps.Models.Confirmed(model)
	if at.IsZero() {
		return nil
	}
	return durationpb.New(max(0, s.deps.Now().Sub(at)))
}

func timestamp(micros int64) *timestamppb.Timestamp {
	if micros == features.NoTime {
		return nil
	}
	return timestamppb.New(time.UnixMicro(micros))
}

// streamQueue is how many requests of one stream are read ahead while one is answered.
const streamQueue = 16

// PredictStream answers requests in their order until the client closes its side. An error of one
// request is its result; the stream ends when it breaks, when its context ends, or when the server stops.
func (s *Server) PredictStream(stream grpc.BidiStreamingServer[freshetv1.PredictStreamRequest, freshetv1.PredictStreamResponse]) error {
	ctx := stream.Context()
	requests, failed := make(chan *freshetv1.PredictStreamRequest, streamQueue), make(chan error, 1)
	go func() { // ends with the stream: Recv fails as soon as this method has returned
		defer close(requests)
		for {
			req, err := stream.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case requests <- req:
			case <-ctx.Done():
				failed <- ctx.Err()
				return
			}
		}
	}()
	for {
		select {
		case <-s.stopping:
			return toStatus(unavailable("DRAINING", "the server is stopping", "ask another one"))
		case req, ok := <-requests:
			if !ok {
				if err := <-failed; !errors.Is(err, io.EOF) {
					return toStatus(err)
				}
				return nil
			}
			if err := stream.Send(s.streamed(ctx, req)); err != nil {
				return err
			}
		}
	}
}

func (s *Server) streamed(ctx context.Context, req *freshetv1.PredictStreamRequest) *freshetv1.PredictStreamResponse {
	out := &freshetv1.PredictStreamResponse{Sequence: req.GetSequence()}
	if err := s.enter(ctx); err != nil {
		out.Result = &freshetv1.PredictStreamResponse_Error{Error: wireError(toStatus(err))}
		return out
	}
	defer s.leave()
	resp, err := s.Predict(ctx, req.GetRequest())
	if err != nil {
		out.Result = &freshetv1.PredictStreamResponse_Error{Error: wireError(err)}
	} else {
		out.Result = &freshetv1.PredictStreamResponse_Response{Response: resp}
	}
	return out
}
