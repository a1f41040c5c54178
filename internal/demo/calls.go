package demo

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// callCount counts the predictions that were asked for over gRPC.
type callCount struct{ answered, failed atomic.Int64 }

func text(s string) *freshetv1.Value {
	return &freshetv1.Value{Kind: &freshetv1.Value_String_{String_: s}}
}

func number(x float64) *freshetv1.Value {
	return &freshetv1.Value{Kind: &freshetv1.Value_Double{Double: x}}
}

func whole(n int64) *freshetv1.Value { return &freshetv1.Value{Kind: &freshetv1.Value_Int{Int: n}} }

// question is a flight from Newark to Houston that leaves in an hour of event time. At full speed states are
// far behind the order now and then; the answer says so.
func (r *run) question() *freshetv1.PredictRequest {
	p, _ := r.service.App.Progress()
	departs := time.UnixMicro(p.Sequencer.Head).Add(time.Hour)
	return &freshetv1.PredictRequest{Model: "late", AllowStale: true, Rows: []*freshetv1.Row{{Id: "a question", Fields: map[string]*freshetv1.Value{
		"carrier": text("UA"), "flight": whole(1545), "tail": text("N14228"), "origin": text("EWR"), "dest": text("IAH"),
		"departs": {Kind: &freshetv1.Value_Time{Time: timestamppb.New(departs)}}, "block": whole(227), "distance": number(1400),
	}}}}
}

// callNowAndThen asks for predictions while the data streams in.
func (r *run) callNowAndThen(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if p, _ := r.service.App.Progress(); p.Sequencer.Items == 0 {
			continue
		}
		if _, err := r.client.Predict(ctx, r.question()); err == nil {
			r.calls.answered.Add(1)
		} else if ctx.Err() == nil {
			r.calls.failed.Add(1)
		}
	}
}
