package tree

const (
	chunkBits = 3 // 8 elements to a chunk
	groupBits = 5 // 32 chunks to a group
	allBits   = chunkBits + groupBits
)

type (
	chunk[T any] [1 << chunkBits]T
	group[T any] [1 << groupBits]*chunk[T]
)

// shelf is a persistent list: with returns a changed copy that shares all chunks, and groups of them, in which nothing changed.
type shelf[T any] struct{ groups []*group[T] }

// at returns element i.
func (s *shelf[T]) at(i int32) *T {
	return &s.groups[i>>allBits][i>>chunkBits&(1<<groupBits-1)][i&(1<<chunkBits-1)]
}

// with returns a list of at least n elements in which the listed places hold what value gives. Cost: O(n/256 + changes).
func (s *shelf[T]) with(n int, places []int32, value func(i int32) T) shelf[T] {
	old := len(s.groups)
	groups := make([]*group[T], max(old, (n+1<<allBits-1)>>allBits))
	copy(groups, s.groups)
	for _, i := range places {
		g, c := int(i>>allBits), i>>chunkBits&(1<<groupBits-1)
		var before *chunk[T]
		switch {
		case groups[g] == nil:
			groups[g] = new(group[T])
		case g < old && s.groups[g] != nil:
			if before = s.groups[g][c]; groups[g] == s.groups[g] {
				copied := *groups[g]
				groups[g] = &copied
			}
		}
		switch to := &groups[g][c]; {
		case *to == nil:
			*to = new(chunk[T])
		case *to == before:
			copied := **to
			*to = &copied
		}
		groups[g][c][i&(1<<chunkBits-1)] = value(i)
	}
	return shelf[T]{groups}
}
