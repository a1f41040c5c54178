package serving_test

import (
	"context"
	"math"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/client"
)

func TestBadPredictions(t *testing.T) {
	r := ready(t)
	r.config.MaxRows, r.config.MaxMessage = 3, 8<<10
	c, _ := r.serve(client.Options{})
	with := func(name string, v *freshetv1.Value) *freshetv1.PredictRequest {
		return ask("late", flight(map[string]*freshetv1.Value{name: v}))
	}
	asOf := func(model string, seconds int64) *freshetv1.PredictRequest {
		q := ask(model, flight(nil))
		q.AsOf = &timestamppb.Timestamp{Seconds: seconds}
		return q
	}
	other := ask("late", flight(nil))
	other.Version = &freshetv1.Version{Log: "flights.scheduled.1.log", Seq: 3}
	both := flight(nil)
	both.Vector = []float64{1}
	for name, tc := range map[string]struct {
		req  *freshetv1.PredictRequest
		code codes.Code
		says string
	}{
		"no model":          {ask("", flight(nil)), codes.InvalidArgument, "late, late.static, asked, kind"},
		"unknown model":     {ask("lete", flight(nil)), codes.NotFound, "known: late, late.static, asked, kind"},
		"unknown version":   {other, codes.NotFound, "served now: version 399"},
		"no rows":           {ask("late"), codes.InvalidArgument, "at least one"},
		"too many rows":     {ask("late", flight(nil), flight(nil), flight(nil), flight(nil)), codes.ResourceExhausted, "at most 3"},
		"empty row":         {ask("late", &freshetv1.Row{}), codes.InvalidArgument, "field origin is missing"},
		"missing key":       {with("origin", nil), codes.InvalidArgument, "row 0: field origin is missing"},
		"null key":          {with("origin", client.Null()), codes.InvalidArgument, "field origin is null"},
		"unset value":       {with("origin", &freshetv1.Value{}), codes.InvalidArgument, "field origin is null"},
		"number for text":   {with("origin", client.Int(1)), codes.InvalidArgument, "declared string, got int"},
		"text for number":   {with("distance", client.String("far")), codes.InvalidArgument, "declared double, got string"},
		"bool for number":   {with("distance", client.Bool(true)), codes.InvalidArgument, "declared double, got bool"},
		"fraction for int":  {with("seats", client.Double(1.5)), codes.InvalidArgument, "declared int, got double"},
		"NaN":               {with("distance", client.Double(math.NaN())), codes.InvalidArgument, "not a finite number"},
		"Inf":               {with("distance", client.Double(math.Inf(1))), codes.InvalidArgument, "not a finite number"},
		"no time":           {with("at", client.String("noon")), codes.InvalidArgument, "RFC 3339"},
		"time for text":     {with("origin", client.Time(start)), codes.InvalidArgument, "got time"},
		"time out of range": {with("at", &freshetv1.Value{Kind: &freshetv1.Value_Time{Time: &timestamppb.Timestamp{Seconds: 1 << 60}}}), codes.InvalidArgument, "out of range"},
		"long key":          {with("origin", client.String(strings.Repeat("x", 1025))), codes.InvalidArgument, "key field origin has 1025 bytes"},
		"unknown field":     {with("orgin", client.String("JFK")), codes.InvalidArgument, "takes no field orgin; it takes id, origin"},
		"long id":           {ask("late", &freshetv1.Row{Id: strings.Repeat("x", 257)}), codes.InvalidArgument, "at most 256"},
		"short vector":      {ask("late", &freshetv1.Row{Vector: []float64{1, 2}}), codes.InvalidArgument, "vector of 2 numbers, model late takes 6"},
		"infinite vector":   {ask("late", &freshetv1.Row{Vector: []float64{1, 2, 3, 4, 5, math.Inf(-1)}}), codes.InvalidArgument, "column 5 is infinite"},
		"fields and vector": {ask("late", both), codes.InvalidArgument, "give one of them"},
		"vector to request": {ask("asked", &freshetv1.Row{Vector: []float64{1, 2, 3, 4, 5, 6}}), codes.InvalidArgument, "learns from the calls"},
		"as_of to request":  {asOf("asked", start.Unix()), codes.InvalidArgument, "leave as_of out"},
		"as_of too early":   {asOf("late", 0), codes.InvalidArgument, "a backtest answers"},
		"as_of invalid":     {asOf("late", 1<<60), codes.InvalidArgument, "out of range"},
		"too big":           {with("origin", client.String(strings.Repeat("x", 9<<10))), codes.ResourceExhausted, "larger than max"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.Predict(t.Context(), tc.req)
			if status.Code(err) != tc.code || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("answer %v, error %v; want %v with %q", got, err, tc.code, tc.says)
			}
		})
	}
	if len(r.log.served) != 0 {
		t.Errorf("refused calls were logged: %v", r.log.served)
	}
}

func TestIntegersAreAcceptedForDoublesAndBack(t *testing.T) {
	r := ready(t)
	c, _ := r.serve(client.Options{})
	_, err := c.Predict(t.Context(), ask("late", flight(map[string]*freshetv1.Value{"distance": client.Int(500), "seats": client.Double(100),
		"at": client.String("2013-07-01T12:00:00Z")})))
	r.ok(err)
}

func TestNotReadyAndRebuilding(t *testing.T) {
	r := newRig(t)
	c, _ := r.serve(client.Options{})
	if _, err := c.Predict(t.Context(), ask("late", flight(nil))); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "no version") {
		t.Errorf("not ready: %v", err)
	}
	r.learn(10)
	r.states.rebuilding = true
	if _, err := c.Predict(t.Context(), ask("late", flight(nil))); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "being rebuilt") {
		t.Errorf("rebuilding: %v", err)
	}
	req := ask("late", flight(nil))
	req.AllowStale = true
	got, err := c.Predict(t.Context(), req)
	r.ok(err)
	if !got.GetStale() {
		t.Error("an answer from features that are being rebuilt is not marked stale")
	}
	r.states.rebuilding, r.states.err = false, errAway
	_, err = c.Predict(t.Context(), ask("late", flight(nil)))
	if status.Code(err) != codes.Unavailable || strings.Contains(err.Error(), "away") {
		t.Errorf("store away: %v", err)
	}
}

func TestCallsInFlightAreBounded(t *testing.T) {
	r := ready(t)
	r.config.MaxInFlight = 1
	r.states.hold = make(chan struct{})
	c, _ := r.serve(client.Options{})
	done := make(chan error, 1)
	go func() {
		_, err := c.Predict(t.Context(), ask("late", flight(nil)))
		done <- err
	}()
	<-r.states.entered
	_, err := c.Predict(t.Context(), ask("late", flight(nil)))
	e, ok := err.(*client.Error)
	if !ok || e.Code != codes.ResourceExhausted || e.Retry <= 0 {
		t.Errorf("second call: %v, want RESOURCE_EXHAUSTED with a time to retry", err)
	}
	if got, err := healthpb.NewHealthClient(c.Conn()).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("probes must get through: %v, %v", got, err)
	}
	close(r.states.hold)
	r.ok(<-done)
}

// A call that waited for a processor longer than it may is not worked on. The clock goes on by a step with each look: once when
// the headers come, once before the call is begun.
func TestCallsThatWaitedTooLongAreTurnedAway(t *testing.T) {
	r := ready(t)
	r.config.MaxWait = 100 * time.Millisecond
	var step, wall atomic.Int64
	wall.Store(start.UnixNano())
	r.deps.Now = func() time.Time { return time.Unix(0, wall.Add(step.Load())).UTC() }
	c, _ := r.serve(client.Options{})
	step.Store(int64(99 * time.Millisecond))
	_, err := c.Predict(t.Context(), ask("late", flight(nil)))
	r.ok(err)
	reads := r.states.reads.Load()
	step.Store(int64(101 * time.Millisecond))
	_, err = c.Predict(t.Context(), ask("late", flight(nil)))
	e, ok := err.(*client.Error)
	if !ok || e.Code != codes.ResourceExhausted || e.Reason != "WAITED_TOO_LONG" || e.Retry <= 0 {
		t.Errorf("%v, want RESOURCE_EXHAUSTED with a time to retry", err)
	}
	if r.states.reads.Load() != reads {
		t.Error("the call was worked on")
	}
	if n := counter(t, r, "freshet_serving_rejected_total"); n != 1 {
		t.Errorf("%v calls were counted", n)
	}
	if got, err := healthpb.NewHealthClient(c.Conn()).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("probes must get through: %v, %v", got, err)
	}
	large := ask("late") // its client may have sent it slowly
	for range 400 {
		large.Rows = append(large.Rows, flight(nil))
	}
	_, err = c.Predict(t.Context(), large)
	r.ok(err)
}

// What is asked for is not computed when the time for it ended while the states were read.
func TestDeadlineWhileStatesAreRead(t *testing.T) {
	r := ready(t)
	ctx, cancel := context.WithCancel(t.Context())
	r.states.during = cancel
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	if _, err := s.Predict(ctx, ask("late", flight(nil))); status.Code(err) != codes.Canceled {
		t.Errorf("%v", err)
	}
}

func TestDeadlines(t *testing.T) {
	r := ready(t)
	r.config.Timeout = 20 * time.Millisecond
	r.states.hold = make(chan struct{})
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	past, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	_, err = s.Predict(past, ask("late", flight(nil)))
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("deadline passed: %v", err)
	}
	c, _ := r.serve(client.Options{Timeout: time.Minute})
	stream, err := c.PredictStream(t.Context()) // brings no deadline: the server's own counts for each request
	r.ok(err)
	r.ok(stream.Send(&freshetv1.PredictStreamRequest{Request: ask("late", flight(nil))}))
	got, err := stream.Recv()
	r.ok(err)
	if got.GetError().GetCode() != "DEADLINE_EXCEEDED" {
		t.Errorf("%v", got)
	}
}

func TestDrainEndsWhatIsInFlightAndRefusesTheRest(t *testing.T) {
	r := ready(t)
	r.states.hold = make(chan struct{})
	c, _, stop := r.serveUntil(client.Options{})
	watch, err := healthpb.NewHealthClient(c.Conn()).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	r.ok(err)
	first, err := watch.Recv()
	r.ok(err)
	idle, err := c.PredictStream(t.Context())
	r.ok(err)
	answered := make(chan error, 1)
	go func() {
		_, err := c.Predict(t.Context(), ask("late", flight(nil)))
		answered <- err
	}()
	<-r.states.entered
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	second, err := watch.Recv()
	if first.GetStatus() != healthpb.HealthCheckResponse_SERVING || err != nil || second.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health: %v, then %v (%v)", first, second, err)
	}
	if _, err := idle.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("idle stream: %v", err)
	}
	select {
	case err := <-ended:
		t.Fatalf("the server ended (%v) before the call in flight", err)
	default:
	}
	close(r.states.hold)
	r.ok(<-answered)
	_ = watch.CloseSend()
	r.ok(<-ended)
	if _, err := c.Predict(t.Context(), ask("late", flight(nil))); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "is the service running") {
		t.Errorf("after the end: %v", err)
	}
}

func TestDrainIsBounded(t *testing.T) {
	r := ready(t)
	r.config.Drain = 20 * time.Millisecond
	r.states.hold = make(chan struct{}) // never released: only the end of the call's context ends the read
	c, _, stop := r.serveUntil(client.Options{})
	answered := make(chan error, 1)
	go func() {
		_, err := c.Predict(t.Context(), ask("late", flight(nil)))
		answered <- err
	}()
	<-r.states.entered
	r.ok(stop())
	if err := <-answered; err == nil {
		t.Error("a call that was cut off answered")
	}
}

func TestHealthFollowsEachModel(t *testing.T) {
	r := newRig(t)
	c, _ := r.serve(client.Options{})
	health := healthpb.NewHealthClient(c.Conn())
	watch, err := health.Watch(t.Context(), &healthpb.HealthCheckRequest{Service: "late"})
	r.ok(err)
	expect := func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		got, err := watch.Recv()
		r.ok(err)
		if got.GetStatus() != want {
			t.Fatalf("health %v, want %v", got.GetStatus(), want)
		}
	}
	expect(healthpb.HealthCheckResponse_NOT_SERVING)
	r.learn(10)
	expect(healthpb.HealthCheckResponse_SERVING)
	r.board.Retract("late")
	expect(healthpb.HealthCheckResponse_NOT_SERVING)
}

func TestReflectionListsTheService(t *testing.T) {
	r := ready(t)
	c, _ := r.serve(client.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := reflectionpb.NewServerReflectionClient(c.Conn()).ServerReflectionInfo(ctx)
	r.ok(err)
	r.ok(s.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}))
	got, err := s.Recv()
	r.ok(err)
	for _, svc := range got.GetListServicesResponse().GetService() {
		if svc.GetName() == "freshet.v1.Freshet" {
			return
		}
	}
	t.Errorf("%v", got)
}

func TestTokens(t *testing.T) {
	r := ready(t)
	r.config.Tokens = tokens(allScopes, "first", "second")
	for token, want := range map[string]codes.Code{"": codes.Unauthenticated, "third": codes.Unauthenticated, "second": codes.OK} {
		c, err := client.Dial(r.listenTwice(t), client.Options{Token: token})
		r.ok(err)
		_, err = c.Predict(t.Context(), ask("late", flight(nil)))
		if status.Code(err) != want {
			t.Errorf("token %q: %v, want %v", token, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "first") {
			t.Error("the error shows a token")
		}
		s, err := c.PredictStream(t.Context())
		r.ok(err)
		r.ok(s.CloseSend())
		if _, err = s.Recv(); want != codes.OK && status.Code(err) != want {
			t.Errorf("stream, token %q: %v", token, err)
		}
		r.ok(c.Close())
	}
}

// listenTwice serves, and returns the address for other clients.
func (r *rig) listenTwice(t *testing.T) string {
	if r.metrics != nil {
		r.deps.Metrics = nil // each server has its own
	}
	c, _ := r.serve(client.Options{})
	return c.Conn().Target()
}

func TestPanicsAreAnswered(t *testing.T) {
	r := ready(t)
	r.catalog.Models[0].Columns = []int{0} // the member sees six: the vector given passes the check and breaks the model
	snap, _ := r.board.Snapshot("late")
	broken := *snap
	broken.Predictor = nil
	r.board.Publish("late", &broken, start)
	c, _ := r.serve(client.Options{})
	_, err := c.Predict(t.Context(), ask("late", flight(nil)))
	if status.Code(err) != codes.Internal {
		t.Errorf("%v", err)
	}
	if n := counter(t, r, "freshet_serving_panics_total"); n != 1 {
		t.Errorf("%v panics counted", n)
	}
	r.learn(1)
	_, err = c.Predict(t.Context(), ask("late.static", flight(nil)))
	r.ok(err)
}

func TestListenSaysWhatToDo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for address, says := range map[string]string{l.Addr().String(): "another process has the port", "127.0.0.1": "host:port", "198.51.100.1:1": "no such address"} {
		_, err := serving.Listen(address, "serving.grpc")
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), "serving.grpc") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestErrorsCarryTheirReason(t *testing.T) {
	r := ready(t)
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	_, err = s.Predict(t.Context(), ask("nope", flight(nil)))
	for _, d := range status.Convert(err).Details() {
		if i, ok := d.(*errdetails.ErrorInfo); ok && i.GetReason() == "UNKNOWN_MODEL" && i.GetDomain() == "freshet" && i.GetMetadata()["hint"] != "" {
			return
		}
	}
	t.Errorf("%v", err)
}

func TestNewRefusesACatalogThatCannotBeServed(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(r *rig)
		says  string
	}{
		"no log for requests": {func(r *rig) { r.deps.Log = nil }, "there is no log"},
		"twice":               {func(r *rig) { r.catalog.Models[1].Name = "late" }, "two models are named late"},
		"column out of range": {func(r *rig) { r.catalog.Models[0].Columns = []int{6} }, "column 6 of a vector of 6"},
		"no classes":          {func(r *rig) { r.catalog.Models[3].Classes = nil }, "at least 2 classes"},
		"fields cut":          {func(r *rig) { r.catalog.Models[0].Fields = r.catalog.Models[0].Fields[:1] }, "reads field 3 of a trigger with 1"},
		"no key field":        {func(r *rig) { r.catalog.Entities[1].Key[0].Name = "registration" }, "no field registration, the key of plane"},
		"no vector":           {func(r *rig) { r.catalog.Models[0].Vector = nil }, "no vector"},
	} {
		r := newRig(t)
		tc.spoil(r)
		if _, err := serving.New(r.config, r.deps); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
