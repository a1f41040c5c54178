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
}

type timers struct{ h timerHeap }

func (t *timers) add(x timer) { heap.Push(&t.h, x) }
func (t *timers) pop() timer  { return heap.Pop(&t.h).(timer) }
func (t *timers) len() int    { return len(t.h) }

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
	return a.early < b.early
}
func (h *timerHeap) Push(x any) { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = timer{}
	*h = old[:len(old)-1]
	return x
}
