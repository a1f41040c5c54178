package app

import (
	"math/bits"
	"sync"
	"time"
)

// delays is a histogram of label delays whose buckets are an eighth of a power of two wide.
type delays struct {
	mu     sync.Mutex
	next   uint64 // entries before it were counted
	n      uint64
	counts [64 * 8]uint64
}

// add counts a delay of so many µs, unless the entry was counted before.
func (d *delays) add(seq uint64, micros int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if seq < d.next {
		return false
	}
	d.next = seq + 1
	d.n++
	d.counts[delayBucket(uint64(max(0, micros)))]++
	return true
}

// delayBucket keeps the three bits behind the leading one.
func delayBucket(v uint64) int {
	n := bits.Len64(v)
	if n <= 3 {
		return int(v)
	}
	return (n-3)*8 + int(v>>(n-4)&7)
}

// delayOf is the middle of a bucket.
func delayOf(b int) uint64 {
	if b < 8 {
		return uint64(b)
	}
	n := b/8 + 3
	return (8+uint64(b%8))<<(n-4) + 1<<(n-4)/2
}

func (d *delays) median() (time.Duration, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := uint64(0)
	for b, c := range d.counts {
		if seen += c; c > 0 && 2*seen >= d.n {
			return time.Duration(delayOf(b)) * time.Microsecond, true
		}
	}
	return 0, false
}

// probeEvery is the least time between two measurements of freshness, and probeLost when one is given up.
const (
	probeEvery = 10 * time.Millisecond
	probeLost  = 10 * time.Second
)

// featureProbe measures the time from an item to the commit of all that it changed.
type featureProbe struct {
	mu    sync.Mutex
	seq   uint64
	began time.Time
	open  bool
}

func (p *featureProbe) begin(seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open {
		return
	}
	if now := time.Now(); now.Sub(p.began) >= probeEvery {
		p.seq, p.began, p.open = seq, now, true
	}
}

// end is told how many items all units have committed.
func (p *featureProbe) end(items uint64) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open || items <= p.seq {
		return 0, false
	}
	p.open = false
	return time.Since(p.began), true
}

// modelProbe measures the time from a label to the publication of versions that learned it.
type modelProbe struct {
	mu      sync.Mutex
	seq     uint64
	began   time.Time
	open    bool
	learned bool
}

func (p *modelProbe) begin(seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if since := now.Sub(p.began); since < probeEvery || p.open && since < probeLost {
		return
	}
	p.seq, p.began, p.open, p.learned = seq, now, true, false
}

// folded is told which item caused an entry that is being learned. A label without an example is given up.
func (p *modelProbe) folded(event uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.open || p.learned:
	case event == p.seq:
		p.learned = true
	case event > p.seq:
		p.open = false
	}
}

func (p *modelProbe) end() (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open || !p.learned {
		return 0, false
	}
	p.open = false
	return time.Since(p.began), true
}
