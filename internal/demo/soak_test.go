package demo

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/produce"
	"github.com/freshet-ml/freshet/models/catalog"
)

var (
	soak     = flag.Bool("soak", false, "run TestSoak, which takes minutes")
	soakHeap = flag.String("soak-heap", "", "write heap profiles after the second and the last repetition, and where the heap is half as large again as after the second, to files with this prefix")
)

const (
	soakTimes = 10
	looks     = 5
	soakDays  = 63 // 9 weeks: weekdays stay what they are
)

// Ten summers, each 63 days after the one before and with ids of its own, go through one process. After the second
// everything has been seen that repeats; what is resident after the tenth may be a tenth more.
func TestSoak(t *testing.T) {
	if !*soak {
		t.Skip("takes minutes; make soak runs it")
	}
	prog, err := Project(&Options{GRPC: "127.0.0.1:0", HTTP: "127.0.0.1:0", Catalog: catalog.All})
	if err != nil {
		t.Fatal(err)
	}
	service, err := app.NewService(t.Context(), prog, app.ServiceOptions{Features: true, Trainer: true, Serve: true, DataDir: t.TempDir() + "/kafka", NoCheckpoints: true})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	if err := produce.EnsureTopics(t.Context(), service.Transport, prog.Project); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- service.Run(running) }()

	r := &run{o: Options{Logger: nil}, prog: prog, service: service}
	s := &summers{t: t, source: map[string]int{}, began: time.Now()}
	for i, in := range prog.Project.Inputs() {
		s.source[in.Name] = i
	}
	s.between = func() error { return r.catchUp(running) }
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	err = r.whileRunning(running, ended, func(ctx context.Context) error {
		if _, err := produce.Run(ctx, produce.Options{Transport: service.Transport, Program: prog, Stream: produce.InOrder(s.next)}); err != nil {
			return err
		}
		return service.App.Wait(ctx, service.App.Finished)
	})
	if err != nil {
		t.Fatal(err)
	}
	s.measure()
	stop()
	if err := drop(ended); err != nil {
		t.Error(err)
	}
	if len(s.resident) != soakTimes {
		t.Fatalf("%d repetitions", len(s.resident))
	}
	if two, last := s.resident[1], s.resident[soakTimes-1]; float64(last) > 1.1*float64(two) {
		t.Errorf("resident: %d KB after the second repetition, %d KB after the last, %.2f times", two, last, float64(last)/float64(two))
	}
}

// summers gives the flights of June and July ten times.
type summers struct {
	t        *testing.T
	source   map[string]int
	began    time.Time
	between  func() error // waits until all that was given has gone through
	turn     int
	data     *flights.Stream
	given    int
	resident []int  // KB after each repetition
	heap     uint64 // bytes after the second
}

func (s *summers) open() (err error) {
	s.data, err = flights.Open(time.Date(2013, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(2013, 8, 1, 0, 0, 0, 0, time.UTC))
	return err
}

func (s *summers) next(rec *produce.Record) error {
	for {
		r, ok := s.data.Next()
		if !ok {
			if s.turn++; s.turn == soakTimes {
				return io.EOF
			}
			if err := errors.Join(s.between(), s.open()); err != nil {
				return err
			}
			s.measure()
			continue
		}
		if r.Source == "planes" && s.turn > 0 {
			continue // the table is there
		}
		days := soakDays * s.turn
		key, value := bytes.Clone(r.Key), bytes.Clone(r.Value)
		for _, field := range []string{`"id":"`, `"at":"`, `"departs":"`, `"expected":"`} {
			if at := bytes.Index(value, []byte(field)); at >= 0 {
				later(value[at+len(field):], days)
			}
		}
		if r.Source != "planes" && r.Source != "weather" {
			later(key, days) // an id begins with its date
		}
		s.given++
		*rec = produce.Record{Source: s.source[r.Source], Partition: -1, Time: r.Time + int64(days)*86400e6, Key: key, Value: value}
		return nil
	}
}

// later moves the date at the beginning of b.
func later(b []byte, days int) {
	d, err := time.Parse(time.DateOnly, string(b[:len(time.DateOnly)]))
	if err != nil {
		panic(fmt.Sprintf("no date in %q", b))
	}
	copy(b, d.AddDate(0, 0, days).Format(time.DateOnly))
}

// measure notes what is resident, garbage left out: the least of some looks.
func (s *summers) measure() {
	before := resident(s.t)
	least := before
	for range looks { // the service goes on: each look catches other garbage that has come since
		runtime.GC() // pools let go of what they hold at the second collection
		debug.FreeOSMemory()
		least = min(least, resident(s.t))
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.resident = append(s.resident, least)
	n := len(s.resident)
	s.t.Logf("after %d: %d events, %.0f s, resident %d KB (before collecting %d KB), heap %d KB in spans of %d KB, stacks %d KB, of the runtime %d KB, %d goroutines",
		n, s.given, time.Since(s.began).Seconds(), s.resident[n-1], before, m.HeapAlloc>>10, m.HeapInuse>>10, m.StackInuse>>10,
		(m.MSpanInuse+m.MCacheInuse+m.GCSys+m.OtherSys+m.BuckHashSys)>>10, runtime.NumGoroutine())
	if n == 2 {
		s.heap = m.HeapAlloc
	}
	if *soakHeap != "" && (n == 2 || n == soakTimes || n > 2 && 2*m.HeapAlloc > 3*s.heap) {
		f, err := os.Create(fmt.Sprintf("%s.%d", *soakHeap, n))
		if err == nil {
			err = errors.Join(pprof.WriteHeapProfile(f), f.Close())
		}
		if err != nil {
			s.t.Error(err)
		}
	}
}

// resident returns VmRSS in KB.
func resident(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skipf("resident size is read where there is /proc: %v", err)
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kb, err := strconv.Atoi(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))))
			if err != nil {
				t.Fatal(err)
			}
			return kb
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
