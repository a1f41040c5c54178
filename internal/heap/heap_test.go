package heap

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestPercentFor(t *testing.T) {
	for _, c := range []struct {
		live, garbage uint64 // MB
		from, to      int
	}{
		{0, 128, 2400, 3200}, // no less than 4 MB, which is where the collector begins by itself
		{4, 128, 2400, 3200},
		{60, 128, 160, 214},
		{100, 128, 100, 128},
		{128, 128, 100, 100},
		{4000, 128, 100, 100},
		{1 << 20, 128, 100, 100},
	} {
		if got := percentFor(c.live<<20, c.garbage<<20); got < c.from || got > c.to {
			t.Errorf("of %d MB live for %d MB: %d %%, want %d to %d", c.live, c.garbage, got, c.from, c.to)
		}
	}
}

// TestCollectorIsEased: the percentage follows what is live, collection by collection.
func TestCollectorIsEased(t *testing.T) {
	t.Cleanup(func() { debug.SetGCPercent(100) })
	large := make([]byte, 256<<20) // never touched: it takes no memory
	runtime.GC()
	(&collector{garbage: 512 << 20}).ease()
	if now := percentNow(); now < 130 || now > 200 {
		t.Fatalf("the collector runs at %d %% of 256 MB and what else there is, for 512 MB of garbage", now)
	}
	runtime.KeepAlive(large)
	larger := make([]byte, 1<<30)
	for end := time.Now().Add(10 * time.Second); percentNow() != 100; runtime.GC() {
		if time.Now().After(end) {
			t.Fatalf("the collector still runs at %d %% of more than 1 GB", percentNow())
		}
	}
	runtime.KeepAlive(larger)
}

func percentNow() int {
	now := debug.SetGCPercent(100)
	debug.SetGCPercent(now)
	return now
}
