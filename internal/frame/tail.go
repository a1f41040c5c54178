package frame

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Log brings the records of one log. A record is borrowed by the visitor.
type Log interface {
	// First is the least offset that is still there, End one more than the greatest that was given
	// out. Both hold for the moment of the call.
	First(ctx context.Context) (int64, error)
	End(ctx context.Context) (int64, error)
	// Scan visits all records with from <= offset < to in order. Offsets without a record are passed
	// over silently.
	Scan(ctx context.Context, from, to int64, visit func(offset int64, record []byte) error) error
}

// Tail is what a writer must know of a log to go on with it.
type Tail struct {
	Last    ID      // newest counted frame; zero in a new log
	Offset  int64   // of that frame, -1 in a new log
	End     int64   // every record below was judged
	NextSeq uint64  // ordinal of the next item
	Gen     uint64  // generation of the newest counted frame
	Anchor  Anchor  // newest counted frame with full positions
	Inputs  []Input // full positions after the newest counted frame, by name
	Meta    []byte  // of the newest counted frame that has one; empty: none
}

// Input returns how far an input was read, and whether the log says so.
func (t *Tail) Input(name string) (Position, bool) { return find(t.Inputs, name) }

// ReadTail finds the end of the chain of counted frames: it takes the last record, goes to its anchor
// and folds forward from there. Where the anchor lies in a part of the log that was cut off, it starts
// at the first anchor that still lies in the log. Costs one read of the last records and one of what
// lies behind the anchor, normally a few hundred frames. ErrCut and ErrDiverged are final.
func ReadTail(ctx context.Context, log Log) (Tail, error) {
	first, end, err := bounds(ctx, log)
	if err != nil {
		return Tail{}, err
	}
	start, err := tailStart(ctx, log, first, end)
	if err != nil {
		return Tail{}, err
	}
	return fold(ctx, log, start, end)
}

// ReadTailFrom is ReadTail for a log of which nothing is left that a tail can be read from, but whose tail at an earlier
// place is known. ErrCut: that place is gone too; ErrDiverged: the log ends before it.
func ReadTailFrom(ctx context.Context, log Log, known Tail) (Tail, error) {
	first, end, err := bounds(ctx, log)
	switch {
	case err != nil:
		return Tail{}, err
	case known.End < first:
		return Tail{}, fmt.Errorf("the log is known up to offset %d and begins at %d: %w", known.End, first, ErrCut)
	case known.End > end:
		return Tail{}, fmt.Errorf("the log is known up to offset %d and ends at %d: %w", known.End, end, ErrDiverged)
	}
	known.Inputs = slices.Clone(known.Inputs)
	judge := NewJudge(Position{Offset: known.End, Last: known.Last})
	err = known.scan(ctx, log, &judge, end)
	return known, err
}

// scan folds what counts from the judge's place to the end.
func (t *Tail) scan(ctx context.Context, log Log, judge *Judge, end int64) error {
	t.End = end
	return log.Scan(ctx, judge.Next(), end, func(offset int64, record []byte) error {
		f, err := decode(offset, record)
		if err != nil {
			return err
		}
		counts, err := judge.Feed(offset, f)
		if counts {
			t.count(offset, f)
		}
		return err
	})
}

// Start returns the first position from which the counted frames of a log can be read: its beginning,
// or the first anchor that still lies in a log whose head was cut.
func Start(ctx context.Context, log Log) (Position, error) {
	first, end, err := bounds(ctx, log)
	if err != nil || first == 0 {
		return Position{}, err
	}
	a, err := firstAnchor(ctx, log, first, end)
	if err != nil {
		return Position{}, err
	}
	return before(ctx, log, a)
}

func bounds(ctx context.Context, log Log) (first, end int64, err error) {
	if first, err = log.First(ctx); err != nil {
		return 0, 0, fmt.Errorf("first offset: %w", err)
	}
	if end, err = log.End(ctx); err != nil {
		return 0, 0, fmt.Errorf("end offset: %w", err)
	}
	return first, max(first, end), nil
}

func tailStart(ctx context.Context, log Log, first, end int64) (Anchor, error) {
	last, ok, err := lastFrame(ctx, log, first, end)
	if err != nil {
		return Anchor{}, err
	}
	if ok && !last.Anchor.ID.Zero() && last.Anchor.Offset >= first {
		return last.Anchor, nil
	}
	if first == 0 {
		return Anchor{}, nil
	}
	return firstAnchor(ctx, log, first, end)
}

// lastFrame looks back from the end in growing steps, since control records and foreign records may
// stand there.
func lastFrame(ctx context.Context, log Log, first, end int64) (last Frame, ok bool, err error) {
	for from, step := end, int64(1); !ok && from > first; step *= 8 {
		to := from
		from = max(first, from-step)
		err = log.Scan(ctx, from, to, func(offset int64, record []byte) error {
			f, err := decode(offset, record)
			if f != nil {
				last, ok = *f, true
				last.Items = nil
			}
			return err
		})
		if err != nil {
			return Frame{}, false, err
		}
	}
	return last, ok, nil
}

var errFound = errors.New("found")

func firstAnchor(ctx context.Context, log Log, first, end int64) (Anchor, error) {
	var a Anchor
	err := log.Scan(ctx, first, end, func(offset int64, record []byte) error {
		f, err := decode(offset, record)
		if f != nil && !f.Anchor.ID.Zero() && f.Anchor.Offset >= first {
			a = f.Anchor
			return errFound
		}
		return err
	})
	switch {
	case errors.Is(err, errFound):
		return a, nil
	case err != nil:
		return Anchor{}, err
	}
	return Anchor{}, fmt.Errorf("no anchor in offsets %d to %d: %w", first, end, ErrCut)
}

// before is the position at which a reader must start to count the anchored frame itself.
func before(ctx context.Context, log Log, a Anchor) (Position, error) {
	if a.ID.Zero() {
		return Position{}, nil
	}
	var at Position
	err := log.Scan(ctx, a.Offset, a.Offset+1, func(offset int64, record []byte) error {
		f, err := decode(offset, record)
		if f != nil && f.ID == a.ID && f.Full {
			at = Position{Offset: a.Offset, Last: f.Prev}
			return errFound
		}
		return err
	})
	switch {
	case errors.Is(err, errFound):
		return at, nil
	case err != nil:
		return Position{}, err
	}
	return Position{}, fmt.Errorf("anchor %v is not at offset %d: %w", a.ID, a.Offset, ErrDiverged)
}

func fold(ctx context.Context, log Log, a Anchor, end int64) (Tail, error) {
	at, err := before(ctx, log, a)
	if err != nil {
		return Tail{}, err
	}
	t := Tail{Offset: -1}
	judge := NewJudge(at)
	err = t.scan(ctx, log, &judge, end)
	return t, err
}

// count folds one counted frame.
func (t *Tail) count(offset int64, f *Frame) {
	t.Last, t.Offset, t.NextSeq, t.Gen = f.ID, offset, f.NextSeq(), f.Generation
	if f.Full {
		t.Anchor = Anchor{Offset: offset, ID: f.ID}
	}
	t.Inputs = f.Inputs(t.Inputs)
	if len(f.Meta) > 0 {
		t.Meta = append(t.Meta[:0:0], f.Meta...)
	}
}

// Inputs returns the full positions after f, by name, given those before it, whose memory it takes.
func (f *Frame) Inputs(before []Input) []Input {
	if f.Full {
		before = before[:0]
	}
	for _, in := range f.After {
		before = put(before, in)
	}
	return before
}

// decode returns nil for a foreign record.
func decode(offset int64, record []byte) (*Frame, error) {
	f := new(Frame)
	switch err := f.Decode(record); {
	case errors.Is(err, ErrForeign):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("offset %d: %w", offset, err)
	}
	return f, nil
}

// Find returns the position of a named input in a list that is sorted by name, and whether it is there.
func Find(list []Input, name string) (Position, bool) { return find(list, name) }

func byName(in Input, name string) int { return strings.Compare(in.Name, name) }

func find(list []Input, name string) (Position, bool) {
	if i, ok := slices.BinarySearchFunc(list, name, byName); ok {
		return list[i].Pos, true
	}
	return Position{}, false
}

func put(list []Input, in Input) []Input {
	i, ok := slices.BinarySearchFunc(list, in.Name, byName)
	if ok {
		list[i].Pos = in.Pos
		return list
	}
	return slices.Insert(list, i, in)
}
