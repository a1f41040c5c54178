package frame

import "fmt"

// Judge applies the rule to the records of one log, fed in the order of their offsets: a frame counts
// if and only if it names the last counted frame as its predecessor. It is a value; one goroutine
// feeds it.
type Judge struct {
	last   ID    // newest counted frame
	lastAt int64 // its offset, below from when it was not seen here
	from   int64 // first offset that was judged here
	next   int64 // least offset that may be fed
	index  int32 // > 0: the frame at from was counted before
}

// NewJudge returns a judge that goes on at a position.
func NewJudge(at Position) Judge {
	return Judge{last: at.Last, lastAt: at.Offset - 1, from: at.Offset, next: at.Offset, index: at.Index}
}

// Last returns the newest counted frame and its offset; before the first one has been fed, the offset
// is the one before the start.
func (j *Judge) Last() (ID, int64) { return j.last, j.lastAt }

// Next returns the least offset that was not judged yet.
func (j *Judge) Next() int64 { return j.next }

// Position returns where a reader goes on after all that was fed.
func (j *Judge) Position() Position {
	if j.index > 0 {
		return Position{Offset: j.from, Index: j.index, Last: j.last}
	}
	return Position{Offset: j.next, Last: j.last}
}

// Pass declares that everything below offset holds no more records (holes, control records).
func (j *Judge) Pass(offset int64) error {
	if j.index > 0 && offset > j.from {
		return fmt.Errorf("frame %v is not at offset %d: %w", j.last, j.from, ErrDiverged)
	}
	j.next = max(j.next, offset)
	return nil
}

// Feed judges the frame at an offset; nil stands for a record that is no frame, which is void. It
// returns ErrDiverged when the log cannot be the one that the start position or the frame's anchor
// speaks of: an anchor is a frame known to count, so it must have been counted here as well.
func (j *Judge) Feed(offset int64, f *Frame) (counts bool, err error) {
	if offset < j.next {
		return false, fmt.Errorf("offset %d after %d: %w", offset, j.next-1, ErrDiverged)
	}
	if j.index > 0 {
		if offset != j.from || f == nil || f.ID != j.last {
			return false, fmt.Errorf("frame %v is not at offset %d: %w", j.last, j.from, ErrDiverged)
		}
		j.index, j.lastAt, j.next = 0, offset, offset+1
		return true, nil
	}
	j.next = offset + 1
	if f == nil {
		return false, nil
	}
	if a := f.Anchor; !a.ID.Zero() && a.Offset >= j.from {
		if a.Offset > j.lastAt || a.Offset == j.lastAt && a.ID != j.last {
			return false, fmt.Errorf("frame %v at offset %d anchors in %v at offset %d: %w", f.ID, offset, a.ID, a.Offset, ErrDiverged)
		}
	}
	if f.Prev != j.last {
		return false, nil
	}
	j.last, j.lastAt = f.ID, offset
	return true, nil
}
