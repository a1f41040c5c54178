package agg

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/freshet-ml/freshet/features/window"
)

var openSpec = Spec{
	Name: "open",
	Doc: "How many things are open: begun by an event, open from their due time until an event of an `until` source ends " +
		"them, and forgotten `keep` after they were due. A thing that ends before it is due never counts, nor does one whose end came first. 0 without events.",
	Set: true, Always: true, Version: 1,
	Cost: "linear in the things of the entity to end one, logarithmic to read", Memory: "16 bytes a thing, at most 65,536 things",
	Source: "definition", OfSet: func(s *Set, t int64) float64 { return float64(s.Open(t)) },
}

// MaxThings is the most things, and the most remembered ends, that a Set holds.
const MaxThings = 65536

// Set is the things of one entity that began and did not end, over bytes that are both its memory and its storage:
// count u32, things (due i64, id u64) sorted, count u32, ends that came before their begin (time i64, id u64) sorted.
// Empty bytes are an empty set.
type Set struct {
	B    []byte
	Keep int64 // how long after its due time a thing counts, µs
}

// thing is the length of a thing or an end in a Set.
const thing = 16

// parts returns the things and the ends.
func (s *Set) parts() (things, ends []byte) {
	if len(s.B) == 0 {
		return nil, nil
	}
	n := int(binary.LittleEndian.Uint32(s.B))
	return s.B[4 : 4+n*thing], s.B[8+n*thing:]
}

// indexOf returns the place of the thing of that id, or -1. Cost: linear.
func indexOf(list []byte, id uint64) int {
	for at := 8; at < len(list); at += thing {
		if u64(list, at) == id {
			return at / thing
		}
	}
	return -1
}

// search returns the first place in list whose time is not before t.
func search(list []byte, t int64) int {
	lo, hi := 0, len(list)/thing
	for lo < hi {
		if mid := (lo + hi) / 2; i64(list, mid*thing) < t {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// splice replaces n things at that place, of the things or of the ends, by add, which is nil or one thing.
func (s *Set) splice(ends bool, place, n int, add []byte) {
	if len(s.B) == 0 {
		s.B = append(s.B, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	count, base := 0, 4
	if ends {
		count = 4 + int(binary.LittleEndian.Uint32(s.B))*thing
		base = count + 4
	}
	at := base + place*thing
	binary.LittleEndian.PutUint32(s.B[count:], binary.LittleEndian.Uint32(s.B[count:])+uint32(len(add)/thing)-uint32(n))
	s.B = slices.Replace(s.B, at, at+n*thing, add...)
}

func put(list []byte, t int64, id uint64) (place int, bytes [thing]byte) {
	putI64(bytes[:], 0, t)
	putU64(bytes[:], 8, id)
	place = search(list, t)
	for place*thing < len(list) && i64(list, place*thing) == t && u64(list, place*thing+8) < id {
		place++
	}
	return place, bytes
}

// Begin adds a thing that is open from due on. It does nothing if the id is there already, or if its
// end is remembered. It reports false, and adds nothing, when the set is full.
func (s *Set) Begin(id uint64, due int64) bool {
	things, ends := s.parts()
	if indexOf(things, id) >= 0 || indexOf(ends, id) >= 0 {
		return true
	}
	if len(things)/thing >= MaxThings {
		return false
	}
	place, bytes := put(things, due, id)
	s.splice(false, place, 0, bytes[:])
	return true
}

// End removes the thing of that id; if it has not begun, its end at t is remembered. It reports false
// when there is no room to remember.
func (s *Set) End(id uint64, t int64) bool {
	things, ends := s.parts()
	if i := indexOf(things, id); i >= 0 {
		s.splice(false, i, 1, nil)
		return true
	}
	if indexOf(ends, id) >= 0 {
		return true
	}
	if len(ends)/thing >= MaxThings {
		return false
	}
	place, bytes := put(ends, t, id)
	s.splice(true, place, 0, bytes[:])
	return true
}

// Forget drops what is older than keep at t: it cannot count from t on.
func (s *Set) Forget(t int64) {
	limit := window.Back(t, s.Keep)
	things, ends := s.parts()
	old, oldEnds := search(things, limit), search(ends, limit)
	if oldEnds > 0 {
		s.splice(true, 0, oldEnds, nil)
	}
	if old > 0 {
		s.splice(false, 0, old, nil)
	}
}

// at returns the things that are open at t.
func (s *Set) at(t int64) []byte {
	things, _ := s.parts()
	from, to := search(things, window.Back(t, s.Keep)), len(things)/thing
	if t < 1<<63-1 {
		to = search(things, t+1)
	}
	return things[from*thing : max(from, to)*thing]
}

// Open returns how many things are open at t: t − keep ≤ due ≤ t.
func (s *Set) Open(t int64) int { return len(s.at(t)) / thing }

// AgeSeconds returns the sum of t − due over the things that are open at t, in seconds.
func (s *Set) AgeSeconds(t int64) float64 {
	sum, open := 0.0, s.at(t)
	for at := 0; at < len(open); at += thing {
		sum += float64(t - i64(open, at))
	}
	return sum / 1e6
}

// Check returns an error if the bytes are no set.
func (s *Set) Check() error {
	if len(s.B) == 0 {
		return nil
	}
	rest := s.B
	for range 2 {
		if len(rest) < 4 {
			return fmt.Errorf("set cut short: %w", errCell)
		}
		n := int(binary.LittleEndian.Uint32(rest))
		rest = rest[4:]
		if n > MaxThings || len(rest) < n*thing {
			return fmt.Errorf("set of %d things: %w", n, errCell)
		}
		for at := thing; at < n*thing; at += thing {
			if !before(i64(rest, at-thing), u64(rest, at-8), i64(rest, at), u64(rest, at+8)) {
				return fmt.Errorf("set out of order: %w", errCell)
			}
		}
		rest = rest[n*thing:]
	}
	if len(rest) > 0 {
		return fmt.Errorf("set with %d bytes left: %w", len(rest), errCell)
	}
	return nil
}
