// Package codec is the state visitor: one State method of a component describes its state once, and
// the visitor saves it, loads it, or measures it. A hash of a state is the SHA-256 of its saved bytes.
//
// It stands beside the flow: models, joiner, scores and detectors are checkpointed and hashed with it.
// All numbers are little endian; lengths are uvarints. Loading never panics: damaged bytes set an
// error, every read after it returns zero values, and no length allocates more than the input holds.
package codec

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// ErrDamaged is what loading wraps when the bytes are not such a state.
var ErrDamaged = errors.New("damaged state")

// State visits the parts of a component's state in a fixed order. Every method takes a pointer: saving
// reads it, loading writes it.
type State struct {
	buf     []byte
	loading bool
	err     error
}

// Saver returns a visitor that appends the state to dst.
func Saver(dst []byte) *State { return &State{buf: dst} }

// Loader returns a visitor that reads the state from b, which it borrows while it runs.
func Loader(b []byte) *State { return &State{buf: b, loading: true} }

// Save makes s a saver that appends to dst, as Saver does, without allocating.
func (s *State) Save(dst []byte) { *s = State{buf: dst} }

// Load makes s a loader of b, as Loader does, without allocating.
func (s *State) Load(b []byte) { *s = State{buf: b, loading: true} }

// Loading reports whether the visitor loads; components use it to rebuild what is derived.
func (s *State) Loading() bool { return s.loading }

// Bytes returns what a saver wrote.
func (s *State) Bytes() []byte { return s.buf }

// Err returns the first damage a loader met, wrapping ErrDamaged.
func (s *State) Err() error { return s.err }

// Close returns Err, or an error when a loader has bytes left.
func (s *State) Close() error {
	if s.err == nil && s.loading && len(s.buf) > 0 {
		s.Fail("%d bytes left", len(s.buf))
	}
	return s.err
}

// Fail marks the loaded state as damaged; components call it for values out of range.
func (s *State) Fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
	}
	if s.loading {
		s.buf = nil
	}
}

func (s *State) take(n int) []byte {
	if len(s.buf) < n {
		s.Fail("%d bytes wanted, %d left", n, len(s.buf))
		return nil
	}
	b := s.buf[:n]
	s.buf = s.buf[n:]
	return b
}

// Uint64 visits a fixed 8-byte unsigned number.
func (s *State) Uint64(v *uint64) {
	if !s.loading {
		s.buf = binary.LittleEndian.AppendUint64(s.buf, *v)
		return
	}
	*v = 0
	if b := s.take(8); b != nil {
		*v = binary.LittleEndian.Uint64(b)
	}
}

// Int64 visits a fixed 8-byte signed number.
func (s *State) Int64(v *int64) {
	u := uint64(*v)
	s.Uint64(&u)
	*v = int64(u)
}

// Int visits an int as 8 bytes.
func (s *State) Int(v *int) {
	u := uint64(int64(*v))
	s.Uint64(&u)
	*v = int(int64(u))
}

// Uint32 visits a 4-byte unsigned number.
func (s *State) Uint32(v *uint32) {
	if !s.loading {
		s.buf = binary.LittleEndian.AppendUint32(s.buf, *v)
		return
	}
	*v = 0
	if b := s.take(4); b != nil {
		*v = binary.LittleEndian.Uint32(b)
	}
}

// Byte visits one byte.
func (s *State) Byte(v *byte) {
	if !s.loading {
		s.buf = append(s.buf, *v)
		return
	}
	*v = 0
	if b := s.take(1); b != nil {
		*v = b[0]
	}
}

// Bool visits a boolean as one byte that must be 0 or 1.
func (s *State) Bool(v *bool) {
	var b byte
	if *v {
		b = 1
	}
	s.Byte(&b)
	if b > 1 {
		s.Fail("boolean %d", b)
	}
	*v = b == 1
}

// Float64 visits the bits of a double; every NaN keeps its bits.
func (s *State) Float64(v *float64) {
	u := math.Float64bits(*v)
	s.Uint64(&u)
	*v = math.Float64frombits(u)
}

// Len visits a length or count: saving writes n; loading returns the stored one, which is an error
// above limit or, for elements of at least size bytes (0: unknown), above what the input can hold.
func (s *State) Len(n, size, limit int) int {
	if !s.loading {
		s.buf = binary.AppendUvarint(s.buf, uint64(n))
		return n
	}
	u, w := binary.Uvarint(s.buf)
	if w <= 0 {
		s.Fail("length cut short")
		return 0
	}
	s.buf = s.buf[w:]
	if u > uint64(limit) || size > 0 && u > uint64(len(s.buf)/size) {
		s.Fail("length %d above %d or above the input", u, limit)
		return 0
	}
	return int(u)
}

// MaxLen is the limit for lengths that have none of their own.
const MaxLen = 1 << 30

// Float64s visits a slice of doubles; loading reuses its capacity.
func (s *State) Float64s(v *[]float64) {
	n := s.Len(len(*v), 8, MaxLen)
	resize(s, v, n)
	for i := range *v {
		s.Float64(&(*v)[i])
	}
}

// Uint64s visits a slice of 8-byte numbers; loading reuses its capacity.
func (s *State) Uint64s(v *[]uint64) {
	n := s.Len(len(*v), 8, MaxLen)
	resize(s, v, n)
	for i := range *v {
		s.Uint64(&(*v)[i])
	}
}

// Uint32s visits a slice of 4-byte numbers; loading reuses its capacity.
func (s *State) Uint32s(v *[]uint32) {
	n := s.Len(len(*v), 4, MaxLen)
	resize(s, v, n)
	for i := range *v {
		s.Uint32(&(*v)[i])
	}
}

// Ints visits a slice of ints; loading reuses its capacity.
func (s *State) Ints(v *[]int) {
	n := s.Len(len(*v), 8, MaxLen)
	resize(s, v, n)
	for i := range *v {
		s.Int(&(*v)[i])
	}
}

func resize[T any](s *State, v *[]T, n int) {
	if !s.loading {
		return
	}
	if cap(*v) >= n {
		*v = (*v)[:n]
		return
	}
	*v = make([]T, n)
}

// Slice visits a slice of components: each is visited with f. Loading makes a new slice of the stored
// length, at most limit; size is the least number of bytes an element takes (at least 1).
func Slice[T any](s *State, v *[]T, size, limit int, f func(*State, *T)) {
	n := s.Len(len(*v), size, limit)
	if s.loading {
		*v = make([]T, n)
	}
	for i := range *v {
		if s.err != nil {
			return
		}
		f(s, &(*v)[i])
	}
}

// Text visits a string.
func (s *State) Text(v *string) {
	n := s.Len(len(*v), 1, MaxLen)
	if !s.loading {
		s.buf = append(s.buf, *v...)
		return
	}
	*v = string(s.take(n))
}

// Blob visits a byte slice; loading copies.
func (s *State) Blob(v *[]byte) {
	n := s.Len(len(*v), 1, MaxLen)
	if !s.loading {
		s.buf = append(s.buf, *v...)
		return
	}
	*v = append((*v)[:0], s.take(n)...)
}

// PCG visits a random generator; after a failed load it is a new one.
func (s *State) PCG(p *rand.PCG) {
	b, _ := p.AppendBinary(nil) // it never fails
	s.Blob(&b)
	if !s.loading || s.err != nil {
		return
	}
	if err := p.UnmarshalBinary(b); err != nil {
		s.Fail("random numbers: %v", err)
		*p = rand.PCG{}
	}
}

// Fixed visits a number that both sides must agree on, such as a fold version or a number of
// columns; loading another one is an error that names it.
func (s *State) Fixed(name string, want int) {
	got := s.Len(want, 0, MaxLen)
	if s.loading && s.err == nil && got != want {
		s.Fail("%s is %d, not %d", name, got, want)
	}
}

// Stateful is a component that describes its state to a visitor.
type Stateful interface{ State(s *State) }

// Save returns the bytes of c's state.
func Save(c Stateful) []byte {
	s := Saver(nil)
	c.State(s)
	return s.Bytes()
}

// Load fills c from b. After an error c must not be used.
func Load(c Stateful, b []byte) error {
	s := Loader(b)
	c.State(s)
	return s.Close()
}

// Sum returns the SHA-256 of c's saved state.
func Sum(c Stateful) [sha256.Size]byte { return sha256.Sum256(Save(c)) }
