package chaos

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	seed    = flag.Uint64("seed", 1, "seed of the schedule of faults")
	minutes = flag.Float64("minutes", 0, "how long faults go on; 0: a short run of six faults")
	only    = flag.String("faults", "", "names of faults, separated by commas; none: all")
)

// shortFaults are how many faults the run of `make test` has.
const shortFaults = 6

// outcome is what a fault did.
type outcome struct {
	seen      answered
	recovered time.Duration
}

// Two processes of each role live through faults drawn by the seed; in the end nothing is lost, nothing is there twice, no feature is wrong,
// and all hashes are those of the undisturbed core.
func TestSurvival(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of faults; run without -short")
	}
	bin := build(t, t.TempDir())
	until := time.Now().Add(time.Duration(*minutes * float64(time.Minute)))
	all := map[string][]outcome{}
	events, rounds := int64(0), 0
	for s := *seed; ; s++ {
		t.Run(fmt.Sprintf("seed %d", s), func(t *testing.T) {
			f := newFleet(t, bin, s, false)
			most := shortFaults
			if *minutes > 0 {
				most = 1 << 30
			}
			f.suffer(until, most, all)
			f.judge(t)
			events += f.feed.events.Load()
		})
		if rounds++; t.Failed() || time.Until(until) < 30*time.Second {
			break
		}
	}
	t.Logf("%d rounds, %d events", rounds, events)
	table(t, all)
}

// nothing is the name of no fault in the table.
const nothing = "nothing"

// bag returns the faults in drawn order, each once.
func (f *fleet) bag() []fault {
	var list []fault
	for _, x := range faults() {
		if (*only == "" || slices.Contains(strings.Split(*only, ","), x.name)) && (x.need == nil || x.need(f)) {
			list = append(list, x)
		}
	}
	f.draw.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// recovery bounds the wait for a fleet to be fresh again.
const recovery = 2 * time.Minute

// suffer feeds, and lets faults happen until the time is over, so many have been, or the year ends.
func (f *fleet) suffer(until time.Time, most int, all map[string][]outcome) {
	f.t.Helper()
	f.feed.run()
	f.begin(2000)
	f.calls.since()
	if *minutes > 0 { // for comparison
		f.rest(5, 5)
		took, _ := f.fresh(recovery)
		all[nothing] = append(all[nothing], outcome{f.calls.since(), took})
	}
	var list []fault
	for n := 0; n < most && (most == shortFaults || time.Now().Before(until)); n++ {
		select {
		case <-f.feed.done:
			n = most
			continue
		default:
		}
		if len(list) == 0 {
			list = f.bag()
		}
		x := list[0]
		list = list[1:]
		x.do(f)
		took, ok := f.fresh(recovery)
		if !ok {
			f.t.Fatalf("not fresh %v after: %s", took.Round(time.Second), x.name)
		}
		seen := f.calls.since()
		f.note("%-33s fresh after %6.2fs; %4d calls, %d failed, p50 %.1f ms, p99 %.1f ms, longest without an answer %.2fs; %d events", x.name, took.Seconds(),
			seen.calls, seen.failed, ms(seen.p50), ms(seen.p99), seen.gap.Seconds(), f.feed.events.Load())
		all[x.name] = append(all[x.name], outcome{seen, took})
	}
}

// begin waits until the servers answer from so many entries.
func (f *fleet) begin(entries uint64) {
	f.t.Helper()
	for began := time.Now(); min(f.served[0].Load(), f.served[1].Load()) < entries; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			f.t.Fatalf("servers answer from entries %d and %d after a minute", f.served[0].Load(), f.served[1].Load())
		}
	}
}

// judge ends the feed and fails the test when anything is wrong.
func (f *fleet) judge(t *testing.T) {
	t.Helper()
	f.feed.end()
	f.ok(f.feed.err)
	if _, ok := f.fresh(recovery); !ok {
		t.Fatal("the fleet does not come to the end")
	}
	f.calls.end()
	vectors := 2000
	if *minutes > 0 {
		vectors = 20_000
	}
	w := f.verify(vectors)
	f.note("%s; fenced: %d claims as not the owner's, %d as of another position, %d writers; ended by themselves: %v", w.looked, f.said("another owner has claimed"), f.said("at another position"),
		f.said("another writer won"), f.ended)
	if !w.none() {
		t.Errorf("wrong: %v", w)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// table writes what each fault did, as rows of the table in the docs.
func table(t *testing.T, all map[string][]outcome) {
	var b strings.Builder
	for _, x := range append([]fault{{name: nothing}}, faults()...) {
		list := all[x.name]
		if len(list) == 0 {
			continue
		}
		var p99, gap, took []time.Duration
		calls, failed := 0, 0
		for _, o := range list {
			p99, gap, took = append(p99, o.seen.p99), append(gap, o.seen.gap), append(took, o.recovered)
			calls, failed = calls+o.seen.calls, failed+o.seen.failed
		}
		slices.Sort(p99)
		slices.Sort(gap)
		slices.Sort(took)
		n := len(list)
		fmt.Fprintf(&b, "| %s | %d | %d of %d | %.1f ms | %.2f s | %.1f, %.1f s |\n", x.name, n, failed, calls, ms(p99[n/2]), gap[n-1].Seconds(), took[n/2].Seconds(), took[n-1].Seconds())
	}
	t.Logf("| fault | times | calls failed | p99, middle | longest without an answer | fresh again after, middle and most |\n%s", b.String())
}
