package ingest

import (
	"fmt"
	"io"
	"time"

	"github.com/freshet-ml/freshet/features"
)

// Input is one file of a merge.
type Input struct {
	Source     string // ties of event time go by the name of the source, then by the place of the input
	Rows       Rows
	OutOfOrder time.Duration // how far event times may go back within the file
}

// Merge reads several files in event time: the smallest (event time, source by name, input) first.
// Rows of one file keep their order. It holds one row of each file.
type Merge struct {
	inputs []input
	order  *Order[int]
	last   int // input whose row was handed out, −1
	begun  bool
}

type input struct {
	Input
	row    Row
	newest int64 // greatest event time read so far
	at     int64 // its line
	done   bool
}

// NewMerge returns the merge of these inputs. Nothing is read before the first Next.
func NewMerge(inputs []Input) *Merge {
	m := &Merge{last: -1}
	lanes := make([]Lane, len(inputs))
	for i, in := range inputs {
		m.inputs = append(m.inputs, input{Input: in, newest: features.NoTime})
		lanes[i] = Lane{Source: in.Source, Partition: int32(i), Ends: true}
	}
	m.order = NewOrder[int](lanes, ClockEvents, 1)
	return m
}

// Next returns the next row and the index of its input, or io.EOF after the last one. Other errors are
// a *FileError; a file whose event times go back by more than OutOfOrder is one. The row is valid until the next call.
func (m *Merge) Next() (*Row, int, error) {
	if !m.begun {
		m.begun = true
		for i := range m.inputs {
			if err := m.fill(i); err != nil {
				return nil, i, err
			}
		}
	}
	if m.last >= 0 {
		i := m.last
		m.last = -1
		if err := m.fill(i); err != nil {
			return nil, i, err
		}
	}
	_, i, _, ok := m.order.Next()
	if !ok {
		return nil, -1, io.EOF
	}
	m.last = i
	return &m.inputs[i].row, i, nil
}

func (m *Merge) fill(i int) error {
	in := &m.inputs[i]
	err := in.Rows.Next(&in.row)
	if err == io.EOF {
		in.done = true
		m.order.End(i)
		return nil
	}
	if err != nil {
		return err
	}
	t := in.row.Time
	if t < before(in.newest, in.OutOfOrder.Microseconds()) {
		return &FileError{File: in.Rows.Name(), Line: in.row.Line, Err: fmt.Errorf(
			"event time %s is older than %s of line %d by more than out_of_orderness (%s): sort the file by event time or declare more",
			clockText(t), clockText(in.newest), in.at, in.OutOfOrder)}
	}
	if t > in.newest {
		in.newest, in.at = t, in.row.Line
	}
	m.order.Push(i, t, i)
	return nil
}

// Mark returns the greatest T such that no row older than T of this source can still come from the
// merge: the time mark to write behind the rows handed out so far. It is features.NoTime before
// the source's first rows were read, and NoMoreTime when its files are done.
func (m *Merge) Mark(source string) int64 {
	t := NoMoreTime
	for i := range m.inputs {
		in := &m.inputs[i]
		if in.Source != source || in.done {
			continue
		}
		t = min(t, before(in.newest, in.OutOfOrder.Microseconds()))
	}
	return t
}
