package bench_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-ml/freshet/internal/bench"
)

// A service that stalls for 100 ms is charged for all calls that were due meanwhile, not for one.
func TestStallIsChargedToEveryCallThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r, err := bench.Run(t.Context(), bench.Options{Rate: 1000, Duration: time.Second, Call: func(_ context.Context, _ int) string {
			if at := time.Since(began); at >= 500*time.Millisecond && at < 600*time.Millisecond {
				<-time.After(600*time.Millisecond - at) // the service: it answers nothing until then
			}
			return ""
		}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Answered != 1000 || len(r.Errors) > 0 {
			t.Errorf("%d answers, errors %v", r.Answered, r.Errors)
		}
		if r.Latency.P50 != 0 || r.Latency.P90 > 1 || r.Latency.P99 < 80 || r.Latency.Max != 100 {
			t.Errorf("latencies %+v: of 1,000 calls 100 waited, evenly between 0 and 100 ms", r.Latency)
		}
		if r.Late.Max != 0 {
			t.Errorf("calls were sent %v ms late", r.Late.Max)
		}
	})
}

func TestCallsBeyondTheBoundAreNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := bench.Run(t.Context(), bench.Options{Rate: 1000, Duration: 100 * time.Millisecond, MaxInFlight: 10,
			Call: func(context.Context, int) string { <-time.After(time.Hour); return "DeadlineExceeded" }})
		if err != nil {
			t.Fatal(err)
		}
		if r.Errors[bench.NotSent] != 90 || r.Errors["DeadlineExceeded"] != 10 || r.Answered != 0 {
			t.Errorf("errors %v", r.Errors)
		}
	})
}

func TestWarmupIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r, err := bench.Run(t.Context(), bench.Options{Rate: 100, Duration: time.Second, Warmup: time.Second, Call: func(context.Context, int) string {
			if time.Since(began) < time.Second {
				<-time.After(50 * time.Millisecond)
				return "Unavailable"
			}
			return ""
		}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Calls != 100 || r.Answered != 100 || r.Latency.Max != 0 || r.Achieved < 100 || r.Achieved > 102 {
			t.Errorf("%+v", r)
		}
	})
}

func TestBounds(t *testing.T) {
	for _, o := range []bench.Options{{Rate: 0, Duration: time.Second}, {Rate: 1e9, Duration: time.Second}, {Rate: 1}, {Rate: 1, Duration: time.Hour},
		{Rate: 100_000, Duration: 9 * time.Minute}, {Rate: 1, Duration: time.Second, Warmup: -1}} {
		if _, err := bench.Run(t.Context(), o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bench.Run(ended, bench.Options{Rate: 1, Duration: time.Second}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v of an ended context", err)
	}
}

func TestLoopback(t *testing.T) {
	for address, ok := range map[string]bool{"127.0.0.1:7070": true, "localhost:1": true, "[::1]:7070": true, "10.0.0.1:7070": false, "example.org:7070": false, "7070": false} {
		if err := bench.Loopback(address); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}
