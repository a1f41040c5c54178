package tree

// chunkBits: 32 elements to a chunk.
const chunkBits = 5

// shelf is a persistent list: with returns a changed copy that shares all chunks in which nothing changed.
type shelf[T any] struct{ chunks []*[1 << chunkBits]T }

// at returns element i.
func (s *shelf[T]) at(i int32) *T { return &s.chunks[i>>chunkBits][i&(1<<chunkBits-1)] }

// with returns a list of at least n elements in which the listed places hold what value gives. Cost: O(n/32 + changes).
func (s *shelf[T]) with(n int, places []int32, value func(i int32) T) shelf[T] {
	old := len(s.chunks)
	chunks := make([]*[1 << chunkBits]T, max(old, (n+1<<chunkBits-1)>>chunkBits))
	copy(chunks, s.chunks)
	for _, i := range places {
		c := i >> chunkBits
		switch {
		case chunks[c] == nil:
			chunks[c] = new([1 << chunkBits]T)
		case int(c) < old && chunks[c] == s.chunks[c]:
			copied := *chunks[c]
			chunks[c] = &copied
		}
		chunks[c][i&(1<<chunkBits-1)] = value(i)
	}
	return shelf[T]{chunks}
}
