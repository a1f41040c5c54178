package tree

import (
	"math"
	"math/bits"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// layout is what a tree and its snapshots know of the columns.
type layout struct {
	task    models.Task
	classes int // 0 for a regression
	width   int // columns of the schema
	numeric []int32
	nominal []int32 // categorical columns; the place in this list is the column's slot
	slot    []int32 // by column: its slot, −1 for numbers
	slots   []int32 // 0, 1, … len(nominal)−1: all slots
	dicts   []*dict // by slot: the values seen
	most    int     // values of a categorical column that are told apart
}

func newLayout(env models.Env, categories int) layout {
	l := layout{task: env.Task, width: len(env.Schema.Columns), most: categories}
	switch env.Task {
	case models.Binary:
		l.classes = 2
	case models.Multiclass:
		l.classes = env.Classes
	}
	for i, c := range env.Schema.Columns {
		if c.Kind != features.Categorical {
			l.slot = append(l.slot, -1)
			l.numeric = append(l.numeric, int32(i))
			continue
		}
		l.slot = append(l.slot, int32(len(l.nominal)))
		l.slots = append(l.slots, int32(len(l.nominal)))
		l.nominal = append(l.nominal, int32(i))
		l.dicts = append(l.dicts, newDict(categories))
	}
	return l
}

// dense returns the row with a value for every column: the example's own if it is so, else a copy in scratch.
func (l *layout) dense(e *models.Example, scratch *[]float64) []float64 {
	if e.Index == nil && len(e.Value) >= l.width {
		return e.Value[:l.width]
	}
	row := *scratch
	if cap(row) < l.width {
		row = make([]float64, l.width)
	}
	row = row[:l.width]
	*scratch = row
	clear(row)
	if e.Index == nil {
		copy(row, e.Value)
		return row
	}
	for j, i := range e.Index {
		if int(i) < l.width {
			row[i] = e.Value[j]
		}
	}
	return row
}

// dict gives each value of a categorical column a place, in the order of occurrence. Values that come
// when all places but one are taken share the last one.
type dict struct {
	keys  []uint64
	index []int32 // open addressing: place + 1; 0 is empty
	most  int
}

func newDict(most int) *dict {
	return &dict{most: most, index: make([]int32, 1<<bits.Len(uint(2*most-1)))}
}

// find returns the place of a value, −1 if it is missing or has none yet.
func (d *dict) find(x float64) int32 {
	key := math.Float64bits(x)
	for i := d.hash(key); ; i = (i + 1) & (len(d.index) - 1) {
		p := d.index[i] - 1
		if p < 0 {
			if len(d.keys) == d.most-1 && x-x == 0 {
				return int32(d.most - 1)
			}
			return -1
		}
		if d.keys[p] == key {
			return p
		}
	}
}

func (d *dict) hash(key uint64) int {
	return int(key * 0x9e3779b97f4a7c15 >> 33 & uint64(len(d.index)-1))
}

// add gives a new finite value the next place. There must be one left.
func (d *dict) add(x float64) int32 {
	key := math.Float64bits(x)
	i := d.hash(key)
	for d.index[i] != 0 {
		i = (i + 1) & (len(d.index) - 1)
	}
	d.keys = append(d.keys, key)
	d.index[i] = int32(len(d.keys))
	return int32(len(d.keys) - 1)
}

func (d *dict) clone() *dict {
	return &dict{keys: append([]uint64(nil), d.keys...), index: append([]int32(nil), d.index...), most: d.most}
}

// places returns the number of places that rows can have.
func (d *dict) places() int {
	if len(d.keys) == d.most-1 {
		return d.most
	}
	return len(d.keys)
}

// bytes is the memory of a dictionary.
func (d *dict) bytes() int { return heapBytes(4*len(d.index)) + heapBytes(16*len(d.keys)) + 80 }

// visit visits the values in the order of their places.
func (d *dict) visit(c *codec.State) {
	keys := d.keys
	if c.Loading() {
		*d, keys = *newDict(d.most), nil
	}
	c.Uint64s(&keys)
	if !c.Loading() {
		return
	}
	if len(keys) >= d.most {
		c.Fail("%d categories", len(keys))
		return
	}
	for _, k := range keys {
		x := math.Float64frombits(k)
		if x-x != 0 || d.find(x) >= 0 && d.find(x) < int32(len(d.keys)) {
			c.Fail("category %v is missing, infinite or repeated", x)
			return
		}
		d.add(x)
	}
}
