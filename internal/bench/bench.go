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
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a run: they keep a slip of the finger from becoming an attack.
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
	// ServerCPU returns the CPU seconds that the service has used so far; nil: it is not known. It is asked before the first
	// call and after the last; an error at either leaves the figure out.
	ServerCPU func(context.Context) (float64, error)
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
	// ServerCPUSeconds is what the service used meanwhile, its warm-up and all else that it does included; nil: not known.
	ServerCPUSeconds *float64 `json:"server_cpu_seconds"`
	// ServerCPUMicros is the same for each call that was sent, warm-up included, µs.
	ServerCPUMicros *float64 `json:"server_cpu_us_per_call"`
	Histogram       []Count  `json:"histogram"` // of the latencies
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
	r := &load{Options: o, warm: warm, calls: warm + max(1, int(o.Rate*o.Duration.Seconds())), errors: map[string]int{}}
	return r.run(ctx)
}

type load struct {
	Options
	warm, calls int
	done        atomic.Int64
	took, late  Histogram // of the measured part
	mu          sync.Mutex
	errors      map[string]int // of the measured part
	unsent      int            // of all
}

// failed counts an error of call n.
func (l *load) failed(n int, code string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n >= l.warm {
		l.errors[code]++
	}
	if code == NotSent {
		l.unsent++
	}
}

func (l *load) run(ctx context.Context) (*Result, error) {
	stop := l.tick()
	defer stop()
	server, known := l.serverCPU(ctx)
	cpu, began := cpuSeconds(), time.Now()
	callers := l.callers(ctx)
	var err error
	for n := range l.calls {
		due := began.Add(time.Duration(float64(n) / l.Rate * float64(time.Second)))
		if err = wait(ctx, due); err != nil {
			break
		}
		if !callers.take(n, due) {
			l.failed(n, NotSent)
		}
	}
	callers.end()
	if err != nil {
		return nil, err
	}
	measured := time.Since(began) - time.Duration(float64(l.warm)/l.Rate*float64(time.Second))
	res := l.result(measured.Seconds())
	res.CPUSeconds = cpuSeconds() - cpu
	res.Cores = runtime.NumCPU()
	res.CPUShare = res.CPUSeconds / time.Since(began).Seconds() / float64(res.Cores)
	if now, ok := l.serverCPU(ctx); known && ok {
		used := now - server
		each := 1e6 * used / float64(max(l.calls-l.unsent, 1))
		res.ServerCPUSeconds, res.ServerCPUMicros = &used, &each
	}
	return res, nil
}

// callers are goroutines that make one call after the other. A goroutine for each call would grow its stack each time.
type callers struct {
	load    *load
	ctx     context.Context
	due     chan dueCall
	running sync.WaitGroup
	started int
}

type dueCall struct {
	n  int
	at time.Time
}

func (l *load) callers(ctx context.Context) *callers {
	return &callers{load: l, ctx: ctx, due: make(chan dueCall)}
}

// take hands a call to a goroutine that waits for one, or to a new one; false when MaxInFlight are busy.
func (c *callers) take(n int, at time.Time) bool {
	select {
	case c.due <- dueCall{n, at}:
		return true
	default:
	}
	if c.started == c.load.MaxInFlight {
		return false
	}
	c.started++
	c.running.Go(func() {
		c.load.call(c.ctx, n, at)
		for call := range c.due {
			c.load.call(c.ctx, call.n, call.at)
		}
	})
	return true
}

// end returns when all calls have their answers.
func (c *callers) end() {
	close(c.due)
	c.running.Wait()
}

func (l *load) call(ctx context.Context, n int, due time.Time) {
	sent := time.Since(due)
	code := l.Call(ctx, n)
	took := time.Since(due)
	l.done.Add(1)
	if code != "" {
		l.failed(n, code)
	}
	if n < l.warm {
		return
	}
	l.late.Add(sent)
	if code == "" {
		l.took.Add(took)
	}
}

func (l *load) serverCPU(ctx context.Context) (float64, bool) {
	if l.ServerCPU == nil {
		return 0, false
	}
	s, err := l.ServerCPU(ctx)
	return s, err == nil
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
				l.Tick(int(l.done.Load()), l.calls)
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

func (l *load) result(seconds float64) *Result {
	r := &Result{Calls: l.calls - l.warm, Answered: l.took.Count(), Errors: l.errors, Rate: l.Rate, Seconds: seconds,
		Latency: l.took.Latency(), Late: l.late.Latency(), Histogram: l.took.Counts()}
	r.Achieved = float64(r.Answered) / seconds
	return r
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// CPUSeconds returns what this process has used so far, user and system; 0 where the system does not tell.
func CPUSeconds() float64 { return cpuSeconds() }

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
