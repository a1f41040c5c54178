package serving

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/freshet-ml/freshet/models"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Feedback logs the truth about earlier answers of a model that learns from feedback. All labels of a
// call are checked before any is logged.
func (s *Server) Feedback(ctx context.Context, req *freshetv1.FeedbackRequest) (*freshetv1.FeedbackResponse, error) {
	n, err := s.feedback(ctx, req)
	err = toStatus(s.logged(err, "feedback"))
	if m, ok := s.index.models[req.GetModel()]; ok {
		s.deps.Metrics.Feedback.WithLabelValues(m.Name, codeName(status.Code(err))).Add(float64(max(1, len(req.GetLabels()))))
	}
	if err != nil {
		return nil, err
	}
	return &freshetv1.FeedbackResponse{Accepted: uint32(n)}, nil
}

func (s *Server) feedback(ctx context.Context, req *freshetv1.FeedbackRequest) (int, error) {
	m, err := s.index.model(req.GetModel())
	if err != nil {
		return 0, err
	}
	if !m.Label.Feedback || m.Of != m.Name {
		return 0, m.noFeedback()
	}
	if s.deps.Log == nil {
		return 0, unavailable("LOG_UNAVAILABLE", "this server has no log to write feedback to", "ask a server of the project's cluster")
	}
	if err := s.checkRows(len(req.GetLabels())); err != nil {
		return 0, err
	}
	now := s.deps.Now().UnixMicro()
	records := make([]Truth, len(req.GetLabels()))
	for i, l := range req.GetLabels() {
		if records[i], err = m.truth(i, l); err != nil {
			return 0, err
		}
		records[i].At = now
	}
	if err := s.deps.Log.Feedback(ctx, records); err != nil {
		return 0, &ioError{reason: "LOG_UNAVAILABLE", message: "feedback cannot be logged now", err: err}
	}
	return len(records), nil
}

func (m *served) noFeedback() error {
	e := &Error{Code: codes.FailedPrecondition, Reason: "NO_FEEDBACK", Message: "model " + m.Name + " takes no feedback"}
	switch {
	case m.Of != m.Name:
		e.Hint = "send it to " + m.Of + ", with which it shares its labels"
	case m.Label.From == "":
		e.Hint = "it has no label"
	default:
		e.Hint = "its labels come from " + m.Label.From + "; label: {from: feedback} would change that"
	}
	return e
}

// truth checks one label.
func (m *served) truth(i int, l *freshetv1.Truth) (Truth, error) {
	id := l.GetPredictionId()
	if id == "" || len(id) > maxIDLen {
		return Truth{}, invalid("ID_MISSING", fmt.Sprintf("label %d: prediction_id of %d bytes", i, len(id)), "give the prediction_id of the answer")
	}
	t := Truth{Model: m.Name, ID: id}
	switch v := l.GetTruth().(type) {
	case *freshetv1.Truth_Value:
		t.Value = v.Value
		return t, m.checkNumber(i, v.Value)
	case *freshetv1.Truth_Class:
		t.Class = v.Class
		if !slices.Contains(m.Classes, v.Class) {
			return Truth{}, invalid("UNKNOWN_CLASS", fmt.Sprintf("label %d: model %s has no class %q", i, m.Name, clip(v.Class)), m.classHint())
		}
		return t, nil
	}
	return Truth{}, invalid("TRUTH_MISSING", fmt.Sprintf("label %d has neither value nor class", i), "give one of them")
}

func (m *served) checkNumber(i int, y float64) error {
	switch {
	case m.Task == models.Multiclass:
		return invalid("WRONG_TYPE", fmt.Sprintf("label %d is a number, and model %s has classes", i, m.Name), m.classHint())
	case math.IsNaN(y) || math.IsInf(y, 0):
		return invalid("NOT_FINITE", fmt.Sprintf("label %d is not a finite number", i), "leave out labels that are not known")
	case m.Task == models.Binary && y != 0 && y != 1:
		return invalid("WRONG_TYPE", fmt.Sprintf("label %d is %s, and model %s is binary", i, strconv.FormatFloat(y, 'g', -1, 64), m.Name), "send 0 or 1")
	}
	return nil
}

func (m *served) classHint() string {
	if len(m.Classes) == 0 {
		return "it takes a value, not a class"
	}
	return "its classes are " + list(m.Classes)
}
