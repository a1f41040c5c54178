package trainer

import "container/heap"

// timer is something that becomes due when the watermark passes at. Of equal times the smaller seq,
// then the smaller label goes first.
type timer struct {
	at         int64
	seq        uint64
	label      int
	correction bool   // the end of correct_for, not of wait
	early      string // id of a label that waits for its example; "" for an example
	place      string // key and step whose values are then all there; "" for another
}

type timers struct{ h timerHeap }

// add and pop do what heap.Push and heap.Pop do, without an allocation for each timer that is handed through them.
func (t *timers) add(x timer) {
	t.h = append(t.h, x)
	heap.Fix(&t.h, len(t.h)-1)
}

func (t *timers) pop() timer {
	last := len(t.h) - 1
	t.h.Swap(0, last)
	x := t.h[last]
	t.h[last] = timer{}
	if t.h = t.h[:last]; last > 0 {
		heap.Fix(&t.h, 0)
	}
	return x
}

func (t *timers) len() int { return len(t.h) }

func (t *timers) due(watermark int64) bool { return len(t.h) > 0 && t.h[0].at < watermark }

type timerHeap []timer

func (h timerHeap) Len() int      { return len(h) }
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h timerHeap) Less(i, j int) bool {
	a, b := &h[i], &h[j]
	switch {
	case a.at != b.at:
		return a.at < b.at
	case a.seq != b.seq:
		return a.seq < b.seq
	case a.label != b.label:
		return a.label < b.label
	case a.correction != b.correction:
		return b.correction
	}
	if a.early != b.early {
		return a.early < b.early
	}
	return a.place < b.place
}

// Push and Pop make it a heap.Interface; add and pop stand for them.
func (h *timerHeap) Push(x any) { *h = append(*h, x.(timer)) }

// Pop takes the last one.
func (h *timerHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = timer{}
	*h = old[:len(old)-1]
	return x
}
