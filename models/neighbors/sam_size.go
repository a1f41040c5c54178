package neighbors

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// mostWindows bounds how often a window of 2^20 rows can be halved.
const mostWindows = 32

// windows are the newest rows, their newest half, quarter, … of a short-term memory, and how each would have answered what came: each row
// is asked of the rows before it in the window, before it is learned (interleaved test and train; §IV-A). When the start of a window moves on, the answers
// that rows gave with a few older ones at hand are kept; a window that seems to be better is asked all anew before that is believed.
type windows struct {
	least int
	rows  []uint32 // by slot: bit j is set if window j answered the row rightly
	start []int    // by window: its first slot
	right []int    // by window: right answers from the kth of its rows on
	wait  [mostWindows]uint64
}

// count is how many windows so many rows have.
func (w *windows) count(n int) int {
	j := 1
	for n>>j >= w.least && j < mostWindows {
		j++
	}
	return j
}

// advance moves the starts to where they are with one row more.
func (w *windows) advance(n, k int) {
	if len(w.start) == 0 {
		w.reopen(n)
	}
	for j := range w.start {
		for w.start[j] < n+1-(n+1)>>j {
			if at := w.start[j] + k; at < n {
				w.right[j] -= int(w.rows[at] >> j & 1)
			}
			w.start[j]++
		}
	}
}

// judge asks the question in m's scratch of every window, and returns which of them answer with the class. The nearest of the whole memory stay in
// the scratch.
func (w *windows) judge(m *SAM, y int) (row uint32) {
	s, n := &m.scratch, m.short.n
	to := n
	for j := len(w.start) - 1; j >= 0; j-- {
		m.short.searchSpan(&s.short, s.q, s.c, w.start[j], to)
		to = w.start[j]
		if n-w.start[j] >= m.k && m.classOf(&s.short) == y {
			row |= 1 << j
			w.right[j]++
		}
	}
	return row
}

// open begins the windows that the memory has become large enough for.
func (w *windows) open(m *SAM) {
	for j := len(w.start); j < w.count(m.short.n); j++ {
		w.start, w.right = append(w.start, m.short.n-m.short.n>>j), append(w.right, 0)
		w.wait[j] = 0
		w.again(m, j)
	}
}

// again asks all of a window anew. Cost: O(rows² · columns).
func (w *windows) again(m *SAM, j int) {
	f, start := &m.scratch.short, w.start[j]
	w.right[j] = 0
	for slot := start + m.k; slot < m.short.n; slot++ {
		f.reset(m.k)
		m.short.searchSpan(f, m.short.scaledRow(slot), m.short.marks(slot), start, slot)
		w.rows[slot] &^= 1 << j
		if y, _ := m.short.at(int32(slot)); m.classOf(f) == int(y) {
			w.rows[slot] |= 1 << j
			w.right[j]++
		}
	}
}

// error is the share of wrong answers of a window in whole ten thousandths: less is no reason to forget.
func (w *windows) error(n, k, j int) float64 {
	asked := n - w.start[j] - k
	if asked <= 0 {
		return 1e4
	}
	return math.Round(1e4 * (1 - float64(w.right[j])/float64(asked)))
}

// best is the window with the least error, the longest of equals. One that seems better than the whole is asked again first, but not twice within an
// eighth of its rows.
func (w *windows) best(m *SAM) int {
	best, n := 0, m.short.n
	least := w.error(n, m.k, 0)
	whole := least
	for j := 1; j < len(w.start); j++ {
		if w.error(n, m.k, j) >= whole || w.wait[j] > m.seen {
			continue
		}
		w.again(m, j)
		w.wait[j] = m.seen + uint64(n>>j/8)
		if e := w.error(n, m.k, j); e < least {
			best, least = j, e
		}
	}
	return best
}

// cut makes window j the whole.
func (w *windows) cut(j int) {
	for i := range w.rows {
		w.rows[i] >>= j
	}
	w.start, w.right = w.start[:len(w.start)-j], w.right[:len(w.right)-j]
	w.wait = [mostWindows]uint64{}
}

// recount counts anew after rows were dropped: windows that have become too short are closed.
func (w *windows) recount(n, k int) {
	j := min(len(w.start), w.count(n))
	w.start, w.right = w.start[:j], w.right[:j]
	for j := range w.start {
		w.start[j], w.right[j] = n-n>>j, 0
		for slot := w.start[j] + k; slot < n; slot++ {
			w.right[j] += int(w.rows[slot] >> j & 1)
		}
	}
}

// reopen is the windows that so many rows have, without answers.
func (w *windows) reopen(n int) {
	w.start, w.right = w.start[:0], w.right[:0]
	for j := range w.count(n) {
		w.start, w.right = append(w.start, n-n>>j), append(w.right, 0)
	}
}

// state visits what the windows answered.
func (w *windows) state(s *codec.State, n int) {
	codec.Slice(s, &w.rows, 4, n, func(s *codec.State, v *uint32) { s.Uint32(v) })
	for j := range w.wait {
		s.Uint64(&w.wait[j])
	}
}
