package ensemble

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// crew runs one piece of work for each member, on several processors when there are many members. Pieces must not
// touch each other's memory; which goroutine runs a piece, and in what order, then makes no difference to the result.
type crew struct {
	size int
	work func(i int)
	next atomic.Int64
	wait sync.WaitGroup
	help func()
}

const (
	crewShare = 24 // least number of members for a goroutine: less work is done sooner than a goroutine starts
	crewChunk = 4  // members taken at a time
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
	if c.help == nil {
		c.help = func() {
			c.take()
			c.wait.Done()
		}
	}
	c.size, c.work = n, work
	c.next.Store(0)
	c.wait.Add(workers - 1)
	for range workers - 1 {
		go c.help()
	}
	c.take()
	c.wait.Wait()
	c.work = nil
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
