// Package bench calls a running service at a steady rate and says how long the answers took. It stands
// outside of the flow, where a client does.
//
// The load is an open loop: calls are due at fixed times, whatever the service answers, and a latency is
// counted from the time at which its call was due. A service that stalls is therefore charged for every
// call that it kept waiting, also for those that a client waiting for answers would never have sent.
package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a run: they keep a slip of the finger from becoming an attack, and the latencies in memory.
const (
	MaxRate     = 200_000 // calls a second
	MaxDuration = 10 * time.Minute
	maxCalls    = 20_000_000
)

// NotSent is the code of calls that were due while MaxInFlight others waited for their answers.
const NotSent = "NOT_SENT"

// Options describe a run.
type Options struct {
	Rate     float64       // calls a second, above 0
	Duration time.Duration // of the measured part
	Warmup   time.Duration // before it, at the same rate; its latencies are left out
	// MaxInFlight bounds the calls that wait for answers, 4096 when 0. Calls beyond it are not sent and
	// counted as errors.
	MaxInFlight int
	// Call makes call n and returns the code of its error, "" when it was answered. It is called from many
	// goroutines at a time.
	Call func(ctx context.Context, n int) string
	// Tick is told twice a second how many calls are done; nil: nobody.
	Tick func(done, of int)
}

// Result is what a run measured. Latencies are of answered calls only, from the time they were due.
type Result struct {
	Calls    int            `json:"calls"` // due in the measured part
	Answered int            `json:"answered"`
	Errors   map[string]int `json:"errors"` // by code
	Rate     float64        `json:"rate"`   // asked for, per second
	Achieved float64        `json:"achieved_rate"`
	Seconds  float64        `json:"seconds"` // from the first due call to the last answer
	Latency  Latency        `json:"latency_ms"`
	// Late is how long after its due time a call was sent: what the generator itself adds to the latencies.
	Late Latency `json:"sent_late_ms"`
	// CPUSeconds is what this process used, its warm-up included; CPUShare the same as a share of all cores.
	CPUSeconds float64 `json:"generator_cpu_seconds"`
	CPUShare   float64 `json:"generator_cpu_share"`
	Cores      int     `json:"cores"`
}

// Latency is a distribution, ms.
type Latency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

// Check returns what is wrong with the bounds of a run.
func (o *Options) Check() error {
	switch {
	case !(o.Rate > 0) || o.Rate > MaxRate:
		return fmt.Errorf("a rate of %v calls a second is not in (0, %d]", o.Rate, MaxRate)
	case o.Duration <= 0 || o.Duration > MaxDuration:
		return fmt.Errorf("a duration of %v is not in (0, %v]", o.Duration, MaxDuration)
	case o.Warmup < 0 || o.Warmup > MaxDuration:
		return fmt.Errorf("a warm-up of %v is not in [0, %v]", o.Warmup, MaxDuration)
	case o.Rate*(o.Duration+o.Warmup).Seconds() > maxCalls:
		return fmt.Errorf("%.0f calls are more than %d; lower the rate or the duration", o.Rate*(o.Duration+o.Warmup).Seconds(), maxCalls)
	}
	return nil
}

// Run makes the calls. When ctx ends it waits for those under way and returns context.Cause.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = 4096
	}
	warm := int(o.Rate * o.Warmup.Seconds())
	r := &load{Options: o, warm: warm, calls: make([]call, warm+max(1, int(o.Rate*o.Duration.Seconds())))}
	return r.run(ctx)
}

// call is what became of a call. The goroutine that makes it writes it.
type call struct {
	sent, took time.Duration // after it was due
	code       string
}

type load struct {
	Options
	warm  int
	calls []call
	done  atomic.Int64
}

func (l *load) run(ctx context.Context) (*Result, error) {
	stop := l.tick()
	defer stop()
	cpu, began := cpuSeconds(), time.Now()
	var calling sync.WaitGroup
	slots := make(chan struct{}, l.MaxInFlight)
	var err error
	for n := range l.calls {
		due := began.Add(time.Duration(float64(n) / l.Rate * float64(time.Second)))
		if err = wait(ctx, due); err != nil {
			break
		}
		select {
		case slots <- struct{}{}:
		default:
			l.calls[n].code = NotSent
			continue
		}
		calling.Go(func() {
			l.call(ctx, n, due)
			<-slots
		})
	}
	calling.Wait()
	if err != nil {
		return nil, err
	}
	measured := time.Since(began) - time.Duration(float64(l.warm)/l.Rate*float64(time.Second))
	res := l.result(measured.Seconds())
	res.CPUSeconds = cpuSeconds() - cpu
	res.Cores = runtime.NumCPU()
	res.CPUShare = res.CPUSeconds / time.Since(began).Seconds() / float64(res.Cores)
	return res, nil
}

func (l *load) call(ctx context.Context, n int, due time.Time) {
	c := &l.calls[n]
	c.sent = time.Since(due)
	c.code = l.Call(ctx, n)
	c.took = time.Since(due)
	l.done.Add(1)
}

// wait returns at due, or with the cause when ctx ends before.
func wait(ctx context.Context, due time.Time) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	left := time.Until(due)
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *load) tick() (stop func()) {
	if l.Tick == nil {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(500 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				l.Tick(int(l.done.Load()), len(l.calls))
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

func (l *load) result(seconds float64) *Result {
	calls := l.calls[l.warm:]
	r := &Result{Calls: len(calls), Errors: map[string]int{}, Rate: l.Rate, Seconds: seconds}
	var took, late []float64
	for i := range calls {
		c := &calls[i]
		if c.code != NotSent {
			late = append(late, ms(c.sent))
		}
		if c.code != "" {
			r.Errors[c.code]++
			continue
		}
		r.Answered++
		took = append(took, ms(c.took))
	}
	r.Achieved = float64(r.Answered) / seconds
	r.Latency, r.Late = distribution(took), distribution(late)
	return r
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// distribution sorts x. All is 0 of nothing.
func distribution(x []float64) (d Latency) {
	if len(x) == 0 {
		return d
	}
	slices.Sort(x)
	for _, v := range x {
		d.Mean += v
	}
	d.Mean /= float64(len(x))
	at := func(q float64) float64 { return x[max(0, min(len(x)-1, int(math.Ceil(q*float64(len(x))))-1))] }
	d.P50, d.P90, d.P99, d.P999, d.Max = at(.5), at(.9), at(.99), at(.999), x[len(x)-1]
	return d
}

// ErrRemote is an address that is not on this machine.
var ErrRemote = errors.New("not an address of this machine")

// Loopback returns ErrRemote unless the host of an address is a loopback address or localhost.
func Loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("address %s: %w", address, ErrRemote)
}
