package ensemble

import (
	"runtime"
	"sync/atomic"
)

// crew runs one piece of work for each member, on several processors when there are many members. Pieces must not
// touch each other's memory; which goroutine runs a piece, and in what order, then makes no difference to the result.
//
// A piece takes about a microsecond, and waking a goroutine fifty. So a helper looks out for more work for a moment
// before it ends; the next example comes within that where a log is folded or a file read.
type crew struct {
	size    int
	work    func(i int)
	next    atomic.Int64
	helpers []*helper
}

const (
	crewShare = 24      // least number of members for a goroutine: less work is done sooner than a goroutine starts
	crewChunk = 4       // members taken at a time
	crewLooks = 1 << 14 // of a helper for more work, some twenty microseconds in all
)

// helper is a goroutine beside that of the caller.
type helper struct {
	crew *crew
	at   atomic.Int32 // gone, ready or working
	run  func()
}

const (
	gone = iota
	ready
	working
)

// each runs work for 0 … n−1 and returns when all is done. It allocates nothing in the steady state if work is kept by the caller.
func (c *crew) each(n int, work func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n/crewShare)
	if workers < 2 {
		for i := range n {
			work(i)
		}
		return
	}
	for len(c.helpers) < workers-1 {
		h := &helper{crew: c}
		h.run = h.help
		c.helpers = append(c.helpers, h)
	}
	c.size, c.work = n, work
	c.next.Store(0)
	for _, h := range c.helpers[:workers-1] {
		if !h.at.CompareAndSwap(ready, working) {
			h.at.Store(working)
			go h.run()
		}
	}
	c.take()
	for _, h := range c.helpers[:workers-1] {
		for looks := 0; h.at.Load() == working; looks++ {
			if looks > crewLooks/16 {
				runtime.Gosched()
			}
		}
	}
	c.work = nil
}

// help works, looks out for more, and ends when none comes.
func (h *helper) help() {
	for {
		h.crew.take()
		h.at.Store(ready)
		for looks := 0; looks < crewLooks && h.at.Load() == ready; looks++ {
		}
		if h.at.CompareAndSwap(ready, gone) {
			return
		}
	}
}

func (c *crew) take() {
	for {
		end := int(c.next.Add(crewChunk))
		for i := end - crewChunk; i < min(end, c.size); i++ {
			c.work(i)
		}
		if end >= c.size {
			return
		}
	}
}
