package serving_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving/client"
)

func keys(origin, tail *freshetv1.Value) *freshetv1.EntityRow {
	m := map[string]*freshetv1.Value{}
	if origin != nil {
		m["origin"] = origin
	}
	if tail != nil {
		m["tail"] = tail
	}
	return &freshetv1.EntityRow{Keys: m}
}

func TestGetFeaturesTellsTheFourStatuses(t *testing.T) {
	r := newRig(t)
	r.depart(-10*minute, "JFK", "N1", 10)
	r.depart(-90*minute, "LGA", "N2", 30) // outside the windows of an hour
	c, _ := r.serve(client.Options{})
	s := client.String
	got, err := c.GetFeatures(t.Context(), &freshetv1.GetFeaturesRequest{Features: []string{"plane.last_delay", "origin.*"}, MaxAge: durationpb.New(time.Hour),
		Rows: []*freshetv1.EntityRow{keys(s("JFK"), s("N1")), keys(s("LGA"), s("N2")), keys(s("XXX"), client.Null())}})
	r.ok(err)
	const present, null, unknown, old = freshetv1.FeatureColumn_PRESENT, freshetv1.FeatureColumn_NULL, freshetv1.FeatureColumn_NOT_FOUND, freshetv1.FeatureColumn_OUTSIDE_MAX_AGE
	hour, hop := durationpb.New(time.Hour), got.GetColumns()[1].GetHop()
	want := &freshetv1.GetFeaturesResponse{AsOf: timestamppb.New(start), Columns: []*freshetv1.FeatureColumn{
		{Name: "plane.last_delay", Values: []*freshetv1.Value{client.Double(10), client.Double(30), client.Null()}, Statuses: []freshetv1.FeatureColumn_Status{present, old, unknown}},
		{Name: "origin.flights", Window: hour, Hop: hop, Values: []*freshetv1.Value{client.Double(1), client.Double(0), client.Null()}, Statuses: []freshetv1.FeatureColumn_Status{present, old, unknown}},
		{Name: "origin.mean_delay", Window: hour, Hop: hop, Values: []*freshetv1.Value{client.Double(10), client.Null(), client.Null()}, Statuses: []freshetv1.FeatureColumn_Status{present, null, unknown}},
	}}
	fresh := func(minutes int) *freshetv1.EntityFreshness {
		age := time.Duration(minutes) * time.Minute
		return &freshetv1.EntityFreshness{Found: true, EventTime: timestamppb.New(start.Add(-age)), Age: durationpb.New(age)}
	}
	for _, e := range []string{"plane", "origin"} {
		want.Entities = append(want.Entities, &freshetv1.EntityColumn{Entity: e, Rows: []*freshetv1.EntityFreshness{fresh(10), fresh(90), {}}})
	}
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
		t.Error(d)
	}
	if hop == nil || hop.AsDuration() > 5*time.Minute {
		t.Errorf("stated overshoot %v of a window of an hour", hop)
	}
}

func TestGetFeaturesWithoutNamesReadsWhatTheKeysFind(t *testing.T) {
	r := newRig(t)
	r.depart(-10*minute, "JFK", "N1", 10)
	c, _ := r.serve(client.Options{})
	got, err := c.GetFeatures(t.Context(), &freshetv1.GetFeaturesRequest{Rows: []*freshetv1.EntityRow{keys(client.String("JFK"), nil)}})
	r.ok(err)
	if len(got.GetColumns()) != 2 || got.GetColumns()[0].GetName() != "origin.flights" {
		t.Errorf("%v", got)
	}
}

// An entity that is idle for longer than it is kept is not found, though its state is still stored.
func TestForgottenEntityIsNotFound(t *testing.T) {
	r := newRig(t)
	r.depart(-48*60*minute, "JFK", "N1", 10)
	r.depart(-10*minute, "JFK", "N2", 10)
	c, _ := r.serve(client.Options{})
	got, err := c.GetFeatures(t.Context(), &freshetv1.GetFeaturesRequest{Features: []string{"plane.last_delay"},
		Rows: []*freshetv1.EntityRow{keys(nil, client.String("N1")), keys(nil, client.String("N2"))}})
	r.ok(err)
	if s := got.GetColumns()[0].GetStatuses(); s[0] != freshetv1.FeatureColumn_NOT_FOUND || s[1] != freshetv1.FeatureColumn_PRESENT {
		t.Errorf("%v", s)
	}
}

func TestBadLookups(t *testing.T) {
	r := newRig(t)
	r.config.MaxRows = 2
	c, _ := r.serve(client.Options{})
	jfk := keys(client.String("JFK"), nil)
	rows := func(rows ...*freshetv1.EntityRow) []*freshetv1.EntityRow { return rows }
	for name, tc := range map[string]struct {
		req  *freshetv1.GetFeaturesRequest
		code codes.Code
		says string
	}{
		"no rows":         {&freshetv1.GetFeaturesRequest{}, codes.InvalidArgument, "at least one"},
		"too many rows":   {&freshetv1.GetFeaturesRequest{Rows: rows(jfk, jfk, jfk)}, codes.ResourceExhausted, "at most 2"},
		"no such feature": {&freshetv1.GetFeaturesRequest{Features: []string{"origin.flihts"}, Rows: rows(jfk)}, codes.NotFound, "known: origin.flights, origin.mean_delay"},
		"no such entity":  {&freshetv1.GetFeaturesRequest{Features: []string{"airport.*"}, Rows: rows(jfk)}, codes.NotFound, "origin (origin), plane (tail)"},
		"key missing":     {&freshetv1.GetFeaturesRequest{Features: []string{"plane.*"}, Rows: rows(jfk)}, codes.InvalidArgument, "key field tail of plane is missing"},
		"no key":          {&freshetv1.GetFeaturesRequest{Rows: rows(&freshetv1.EntityRow{})}, codes.InvalidArgument, "key of no entity type"},
		"unknown key":     {&freshetv1.GetFeaturesRequest{Rows: rows(&freshetv1.EntityRow{Keys: map[string]*freshetv1.Value{"origin": client.String("JFK"), "dest": client.Null()}})}, codes.InvalidArgument, "dest is no key field"},
		"wrong type":      {&freshetv1.GetFeaturesRequest{Features: []string{"origin.*"}, Rows: rows(keys(client.Int(1), nil))}, codes.InvalidArgument, "row 0: field origin is declared string, got int"},
	} {
		got, err := c.GetFeatures(t.Context(), tc.req)
		if status.Code(err) != tc.code || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: answer %v, error %v; want %v with %q", name, got, err, tc.code, tc.says)
		}
	}
	r.states.rebuilding = true
	if _, err := c.GetFeatures(t.Context(), &freshetv1.GetFeaturesRequest{Rows: rows(jfk)}); status.Code(err) != codes.Unavailable {
		t.Errorf("rebuilding: %v", err)
	}
	got, err := c.GetFeatures(t.Context(), &freshetv1.GetFeaturesRequest{Rows: rows(jfk), AllowStale: true})
	if err != nil || !got.GetStale() {
		t.Errorf("rebuilding, allowed: %v, %v", got, err)
	}
}

func TestFeedback(t *testing.T) {
	r := ready(t)
	c, _ := r.serve(client.Options{})
	number := func(id string, y float64) *freshetv1.Truth {
		return &freshetv1.Truth{PredictionId: id, Truth: &freshetv1.Truth_Value{Value: y}}
	}
	class := func(id, k string) *freshetv1.Truth {
		return &freshetv1.Truth{PredictionId: id, Truth: &freshetv1.Truth_Class{Class: k}}
	}
	for name, tc := range map[string]struct {
		model  string
		labels []*freshetv1.Truth
		code   codes.Code
		says   string
	}{
		"ok":            {"asked", []*freshetv1.Truth{number("a", 1), number("b", 0)}, codes.OK, ""},
		"class":         {"kind", []*freshetv1.Truth{class("c", "on time")}, codes.OK, ""},
		"by topic":      {"late", []*freshetv1.Truth{number("a", 1)}, codes.FailedPrecondition, "its labels come from departed"},
		"challenger":    {"late.static", []*freshetv1.Truth{number("a", 1)}, codes.FailedPrecondition, "send it to late"},
		"unknown model": {"nope", []*freshetv1.Truth{number("a", 1)}, codes.NotFound, "known"},
		"none":          {"asked", nil, codes.InvalidArgument, "at least one"},
		"no id":         {"asked", []*freshetv1.Truth{number("", 1)}, codes.InvalidArgument, "prediction_id"},
		"no truth":      {"asked", []*freshetv1.Truth{number("a", 1), {PredictionId: "b"}}, codes.InvalidArgument, "label 1 has neither"},
		"not binary":    {"asked", []*freshetv1.Truth{number("a", 0.5)}, codes.InvalidArgument, "send 0 or 1"},
		"number":        {"kind", []*freshetv1.Truth{number("a", 1)}, codes.InvalidArgument, "its classes are early, on time, late"},
		"unknown class": {"kind", []*freshetv1.Truth{class("a", "lat")}, codes.InvalidArgument, "no class"},
		"class, binary": {"asked", []*freshetv1.Truth{class("a", "yes")}, codes.InvalidArgument, "takes a value"},
	} {
		before := len(r.log.feedback)
		got, err := c.Feedback(t.Context(), &freshetv1.FeedbackRequest{Model: tc.model, Labels: tc.labels})
		if status.Code(err) != tc.code || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %v with %q", name, err, tc.code, tc.says)
		}
		if n := len(r.log.feedback) - before; n != int(got.GetAccepted()) {
			t.Errorf("%s: %d logged, %d accepted", name, n, got.GetAccepted())
		}
	}
	if n := len(r.log.feedback); n != 3 {
		t.Errorf("%d labels logged, want 3", n)
	}
	r.log.err = errAway
	if _, err := c.Feedback(t.Context(), &freshetv1.FeedbackRequest{Model: "asked", Labels: []*freshetv1.Truth{number("a", 1)}}); status.Code(err) != codes.Unavailable {
		t.Errorf("log away: %v", err)
	}
}
