package serving

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Audit computes a past prediction again. One audit runs at a time, since it reads whole logs.
func (s *Server) Audit(ctx context.Context, req *freshetv1.AuditRequest) (*freshetv1.AuditResponse, error) {
	switch {
	case s.deps.Audit == nil:
		return nil, toStatus(&Error{Code: codes.FailedPrecondition, Reason: "NO_AUDIT", Message: "this server cannot read the logs", Hint: "ask one that freshet up runs"})
	case req.GetId() == "" || len(req.GetId()) > maxIDLen:
		return nil, toStatus(invalid("ID", "an audit needs the id of a prediction", "it is prediction_id of the answer, or the id of the event"))
	}
	if req.GetModel() != "" {
		if _, err := s.index.model(req.GetModel()); err != nil {
			return nil, toStatus(err)
		}
	}
	if !s.auditing.CompareAndSwap(false, true) {
		return nil, toStatus(exhausted("AUDITING", "another audit is under way", "try again when it is done", 5*time.Second))
	}
	defer s.auditing.Store(false)
	resp, err := s.deps.Audit.Audit(ctx, req.GetModel(), req.GetId())
	switch {
	case errors.Is(err, ErrNoPrediction):
		return nil, toStatus(notFound("UNKNOWN_ID", "no prediction of id "+clip(req.GetId())+" is in the logs", "it may be older than kafka.retention, or of another generation of the project"))
	case errors.Is(err, ErrManyPredictions):
		return nil, toStatus(invalid("MANY_MODELS", err.Error(), "name the model"))
	}
	if err != nil {
		return nil, s.logged(toStatus(err), "Audit")
	}
	return resp, nil
}
