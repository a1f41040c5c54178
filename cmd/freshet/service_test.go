package main

import (
	"context"
	"math"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving/client"
)

// fixedService answers every call the same way, so that scripts can compare what commands print.
type fixedService struct {
	freshetv1.UnimplementedFreshetServer
}

var (
	noon    = time.Date(2013, 7, 1, 12, 0, 0, 0, time.UTC)
	stamp   = func(before time.Duration) *timestamppb.Timestamp { return timestamppb.New(noon.Add(-before)) }
	lasts   = durationpb.New
	lateLog = &freshetv1.Version{Log: "flights.scheduled.1.log", Seq: 4711}
	late    = &freshetv1.Model{Name: "late", Of: "late", Task: "binary", On: "scheduled", Pipeline: "auto", State: freshetv1.Model_READY, Version: lateLog,
		TrainedUntil: stamp(5 * time.Minute), Staleness: lasts(3 * time.Millisecond), Learned: 1234567,
		Scores: []*freshetv1.Score{{Name: "roc_auc", Value: 0.77654}, {Name: "log_loss", Value: 0.4501}, {Name: "kappa", Value: math.NaN()}}}
	static = &freshetv1.Model{Name: "late.static", Of: "late", Role: freshetv1.Model_CHALLENGER, Task: "binary", On: "scheduled", State: freshetv1.Model_NOT_READY}
)

func (*fixedService) ListModels(context.Context, *freshetv1.ListModelsRequest) (*freshetv1.ListModelsResponse, error) {
	return &freshetv1.ListModelsResponse{Models: []*freshetv1.Model{late, static}}, nil
}

func noModel(name string) error {
	s, err := status.New(codes.NotFound, "no model "+name+"; known: late, late.static").WithDetails(&errdetails.ErrorInfo{Reason: "UNKNOWN_MODEL"})
	if err != nil {
		return err
	}
	return s.Err()
}

func (*fixedService) GetModel(_ context.Context, r *freshetv1.GetModelRequest) (*freshetv1.GetModelResponse, error) {
	if r.GetName() != "late" {
		return nil, noModel(r.GetName())
	}
	return &freshetv1.GetModelResponse{Model: late, Columns: []*freshetv1.ModelColumn{{Name: "origin.mean_delay_1h", Kind: "numeric"}, {Name: "scheduled.carrier", Kind: "categorical"}},
		Label: &freshetv1.LabelSpec{From: "arrived", By: "id", Value: "arr_delay > 15", Wait: lasts(36 * time.Hour), Missing: "drop"},
		Fields: []*freshetv1.InputField{{Name: "id", Kind: "string"}, {Name: "origin", Kind: "string", Keys: []string{"origin"}},
			{Name: "carrier", Kind: "string"}, {Name: "distance", Kind: "double", Nullable: true}},
		Scored: 1200000, Pending: 321, Drifts: 2, StateBytes: 8192, Dropped: []*freshetv1.Drop{{What: "leaves_deactivated", Count: 1200}, {What: "splits_refused"}}, StateSha256: "abcd", ScoredAt: lateLog,
		Months: []*freshetv1.MonthScores{{Month: "2013-06", Labels: 27000, Scores: []*freshetv1.Score{{Name: "roc_auc", Value: 0.79}}}}}, nil
}

func (*fixedService) Predict(_ context.Context, r *freshetv1.PredictRequest) (*freshetv1.PredictResponse, error) {
	row := r.GetRows()[0]
	if r.GetModel() != "late" {
		return nil, noModel(r.GetModel())
	}
	p := &freshetv1.Prediction{PredictionId: row.GetId(), Answer: &freshetv1.Prediction_Probability{Probability: 0.25}, NewestEvent: stamp(time.Second),
		OldestEntity: stamp(time.Hour), NotFound: []string{"plane"}, Missing: 2}
	if len(row.GetVector()) > 0 {
		p.Answer = &freshetv1.Prediction_Probability{Probability: row.GetVector()[0]}
	} else if row.GetFields()["distance"].GetDouble() == 1069 {
		p.PredictionId = "f1"
	}
	return &freshetv1.PredictResponse{Model: "late", Version: lateLog, TrainedUntil: stamp(5 * time.Minute), ModelAge: lasts(5 * time.Minute),
		Staleness: lasts(3 * time.Millisecond), AsOf: stamp(0), Predictions: []*freshetv1.Prediction{p}}, nil
}

func (*fixedService) GetFeatures(_ context.Context, r *freshetv1.GetFeaturesRequest) (*freshetv1.GetFeaturesResponse, error) {
	if r.GetFeatures()[0] != "origin.*" {
		return nil, status.Error(codes.NotFound, "no entity type; known: origin (origin)")
	}
	column := func(name string, v *freshetv1.Value, s freshetv1.FeatureColumn_Status, window, hop time.Duration) *freshetv1.FeatureColumn {
		c := &freshetv1.FeatureColumn{Name: name, Values: []*freshetv1.Value{v}, Statuses: []freshetv1.FeatureColumn_Status{s}}
		if window > 0 {
			c.Window, c.Hop = lasts(window), lasts(hop)
		}
		return c
	}
	return &freshetv1.GetFeaturesResponse{AsOf: stamp(0),
		Columns: []*freshetv1.FeatureColumn{column("origin.flights", client.Double(17), freshetv1.FeatureColumn_PRESENT, time.Hour, 0),
			column("origin.mean_delay_6h", client.Double(12.3456789), freshetv1.FeatureColumn_PRESENT, 6*time.Hour, 2*time.Minute),
			column("origin.last", client.Null(), freshetv1.FeatureColumn_NULL, 0, 0)},
		Entities: []*freshetv1.EntityColumn{{Entity: "origin", Rows: []*freshetv1.EntityFreshness{{Found: true, EventTime: stamp(90 * time.Second), Age: lasts(90 * time.Second)}}}}}, nil
}

func (*fixedService) Feedback(_ context.Context, r *freshetv1.FeedbackRequest) (*freshetv1.FeedbackResponse, error) {
	if r.GetLabels()[0].GetValue() != 1 {
		return nil, status.Error(codes.InvalidArgument, "binary models take 0 and 1")
	}
	return &freshetv1.FeedbackResponse{Accepted: 1}, nil
}

func (*fixedService) Status(context.Context, *freshetv1.StatusRequest) (*freshetv1.StatusResponse, error) {
	return &freshetv1.StatusResponse{Project: "flights", Generation: "1", Build: "test", Uptime: lasts(50 * time.Hour), Clock: "events",
		WaitingFor: []string{"model late.static: no version yet"}, Head: stamp(0), Watermark: stamp(time.Minute), Warnings: []string{"1.2 % of departed came too late: declare out_of_orderness"},
		Stages:   []*freshetv1.StageStatus{{Name: "sequencer", State: "running", Lag: 12}},
		Sources:  []*freshetv1.SourceStatus{{Name: "departed", Accepted: 990, Refused: 10, Late: 3, Newest: stamp(0), Lag: 12}},
		Triggers: []*freshetv1.TriggerStatus{{Name: "scheduled", Examples: 1000, Labelled: 900, Unlabelled: 20, Pending: 80, LabelDelay: lasts(3 * time.Hour)}}}, nil
}

func (*fixedService) Drift(_ context.Context, r *freshetv1.DriftRequest) (*freshetv1.DriftResponse, error) {
	if r.GetTrigger() != "" && r.GetTrigger() != "scheduled" {
		return nil, status.Error(codes.NotFound, "no trigger "+r.GetTrigger()+"; known: scheduled")
	}
	return &freshetv1.DriftResponse{Triggers: []*freshetv1.TriggerDrift{{Name: "scheduled", Reference: 10000, Window: 5000, Windows: 3, Drifted: 1,
		Features: []*freshetv1.FeatureDrift{{Name: "origin.mean_delay_1h", Measure: "ks", Score: 0.31, Threshold: 0.2, Missing: 0.01, Unseen: 0.002, Drifted: true}, {Name: "scheduled.distance", Measure: "psi", Score: 0.01, Threshold: 0.2}}}},
		Models: []*freshetv1.ModelDrift{{Name: "late", Of: "late", Measure: "log_loss", Changes: 2, Loss: 0.4501, Window: 12000, Rose: true,
			Detector: "page_hinkley", Level: "warning", Direction: "down", At: stamp(0), ChangedAt: stamp(time.Hour), Warnings: 3},
			{Name: "late.prior", Of: "late", Measure: "error", Loss: 0.2, Window: 12000, Detector: "ddm", Level: "none"}}}, nil
}

func (*fixedService) Audit(_ context.Context, r *freshetv1.AuditRequest) (*freshetv1.AuditResponse, error) {
	record := &freshetv1.AuditRecord{Answer: []float64{0.25}, Version: lateLog, Again: []float64{0.25}, Equal: true}
	if r.GetId() == "other" {
		record.Again, record.Equal = []float64{0.26}, false
	}
	return &freshetv1.AuditResponse{Id: r.GetId(), Model: "late", Task: "binary", Example: lateLog, Version: lateLog, Event: 9000, Time: stamp(time.Hour), NewestEvent: stamp(time.Hour),
		TrainedUntil: stamp(2 * time.Hour), Answer: record.GetAgain(), Logged: record,
		Vector: []*freshetv1.AuditColumn{{Name: "origin.mean_delay_1h", Value: 12.5}, {Name: "plane.last_delay", Value: math.NaN(), Missing: true}},
		Label:  &freshetv1.AuditLabel{Value: 1, Time: stamp(0), Delay: lasts(time.Hour), Corrections: 1}, Folded: 4711, Build: "test"}, nil
}
