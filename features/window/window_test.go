package window

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestEachHopDividesTheNext(t *testing.T) {
	for i := 1; i < Codes; i++ {
		if Hop(i)%Hop(i-1) != 0 || Hop(i) <= Hop(i-1) {
			t.Errorf("hop %d does not divide hop %d", Hop(i-1), Hop(i))
		}
	}
}

func TestHopOfWindow(t *testing.T) {
	for w, want := range map[time.Duration]time.Duration{
		24 * time.Minute: time.Minute, time.Hour: time.Minute, 6 * time.Hour: 15 * time.Minute,
		24 * time.Hour: time.Hour, 5 * time.Minute: 5 * time.Second, time.Second: 10 * time.Millisecond,
		365 * 24 * time.Hour: 24 * time.Hour, 2 * time.Microsecond: time.Microsecond,
	} {
		if got := time.Duration(Hop(CodeFor(w.Microseconds()))) * time.Microsecond; got != want {
			t.Errorf("hop of %v is %v, want %v", w, got, want)
		}
	}
}

func TestFloorAndStart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Int64().Draw(t, "t")
		h := Hop(rapid.IntRange(0, Codes-1).Draw(t, "hop"))
		f := Floor(x, h)
		if f%h != 0 {
			t.Fatalf("floor %d of %d is off the grid %d", f, x, h)
		}
		if x > -1<<62 && (f > x || x-f >= h) {
			t.Fatalf("floor of %d on %d is %d", x, h, f)
		}
		if s := Start(x, h); x > -1<<62 && (s >= x || x-s > h) {
			t.Fatalf("tile of %d on %d starts at %d", x, h, s)
		}
	})
}

func TestSuffix(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Hour: "1h", 6 * time.Hour: "6h", 24 * time.Hour: "24h", 48 * time.Hour: "48h", 7 * 24 * time.Hour: "7d",
		90 * time.Second: "90s", 5 * time.Minute: "5m", 250 * time.Millisecond: "250ms", time.Microsecond: "1us",
	} {
		if got := Suffix(d); got != want {
			t.Errorf("suffix of %v is %s, want %s", d, got, want)
		}
	}
}
