package preprocess

import (
	"fmt"
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// OneHotComponent is the catalogue entry of OneHot.
var OneHotComponent = models.Component{
	Name: "one_hot", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{categoriesParam,
		{Name: "slots", Default: 32, Range: models.Between(1, 65536), Unit: "categories per column", Doc: "so many categories of a column get a column of their own, first come, first served"},
		{Name: "overflow", Default: 1, Range: models.Between(1, 65536), Unit: "columns per column", Doc: "the categories after those share so many columns by their hash"}},
	Cost: "O(entries + slots)", Memory: "8 bytes per category, up to slots per column",
	Bounds: []models.Bound{{What: columnsFull, Doc: "categorical columns all of whose slots are taken: their further categories share the overflow"}},
	Doc: "Turns each categorical column into columns of 0 and 1. All columns are reserved when it is made, so new categories never change the schema. " +
		"A category gets its column when it is first observed, after the answer; until then, and when it is missing, all its columns are 0. Other columns pass as they are. Its rows are sparse.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, false)
		if err != nil {
			return nil, err
		}
		return NewOneHot(env.Schema, cols, a.Int("slots"), a.Int("overflow")), nil
	},
}

// OneHot turns categories into indicator columns.
type OneHot struct {
	unlabelled
	in, out         *features.Schema
	columns         []int       // the categorical columns
	place           []int       // per incoming column: where it goes, or −1 − j for the jth of columns
	known           [][]float64 // per categorical column: the categories with a slot, in order of arrival
	slots, overflow int
	kept            int
}

// NewOneHot returns the encoder for the given columns; slots and overflow are at least 1.
func NewOneHot(schema *features.Schema, columns []int, slots, overflow int) *OneHot {
	t := &OneHot{in: schema, columns: columns, slots: slots, overflow: overflow, known: make([][]float64, len(columns))}
	t.out = &features.Schema{}
	t.place, t.kept = split(schema, columns, t.out)
	for _, i := range columns {
		name := schema.Columns[i].Name
		for k := range slots {
			t.out.Columns = append(t.out.Columns, features.Column{Name: fmt.Sprintf("%s_is_%d", name, k)})
		}
		for k := range overflow {
			t.out.Columns = append(t.out.Columns, features.Column{Name: fmt.Sprintf("%s_other_%d", name, k)})
		}
	}
	return t
}

// split gives every incoming column its place in out, which receives the ones that stay, and −1 − j to
// the jth of columns, which are taken away.
func split(in *features.Schema, columns []int, out *features.Schema) (place []int, kept int) {
	place = make([]int, len(in.Columns))
	for j, i := range columns {
		place[i] = -1 - j
	}
	for i, c := range in.Columns {
		if place[i] < 0 {
			continue
		}
		place[i] = kept
		kept++
		out.Columns = append(out.Columns, c)
	}
	return place, kept
}

// Transform writes a sparse row.
func (t *OneHot) Transform(dst models.Row, e *models.Example) models.Row {
	dst = startSparse(dst)
	first, end := len(e.Value), 0 // the entries between which categories lie
	for j, x := range e.Value {
		i := j
		if e.Index != nil {
			i = int(e.Index[j])
		}
		if i >= len(t.place) {
			break
		}
		if t.place[i] < 0 {
			first, end = min(first, j), j+1
		} else if x != 0 {
			dst.Index, dst.Value = append(dst.Index, uint32(t.place[i])), append(dst.Value, x)
		}
	}
	for j := first; j < end; j++ {
		i, x := j, e.Value[j]
		if e.Index != nil {
			i = int(e.Index[j])
		}
		if t.place[i] >= 0 || x != x {
			continue
		}
		if slot := t.slot(-1-t.place[i], x); slot >= 0 {
			dst.Index, dst.Value = append(dst.Index, uint32(slot)), append(dst.Value, 1)
		}
	}
	return dst
}

// slot returns the column of category x of the jth categorical column, or -1 if it has none yet.
func (t *OneHot) slot(j int, x float64) int {
	base := t.kept + j*(t.slots+t.overflow)
	if k := slices.Index(t.known[j], x); k >= 0 {
		return base + k
	}
	if len(t.known[j]) < t.slots {
		return -1
	}
	return base + t.slots + int(mix(math.Float64bits(x))%uint64(t.overflow))
}

// Observe gives new categories their slots.
func (t *OneHot) Observe(e *models.Example) {
	for j, i := range t.columns {
		if len(t.known[j]) == t.slots {
			continue
		}
		if x, held := held(e.Row, i); held && x == x && !slices.Contains(t.known[j], x) {
			t.known[j] = append(t.known[j], x)
		}
	}
}

// columnsFull is the name of what is counted.
const columnsFull = "columns_full"

// Dropped adds the columns that have no slot left.
func (t *OneHot) Dropped(d *models.Drops) {
	n := uint64(0)
	for _, k := range t.known {
		if len(k) == t.slots {
			n++
		}
	}
	d.Add(columnsFull, n)
}

// State visits the known categories.
func (t *OneHot) State(s *codec.State) {
	s.Fixed("columns of one_hot", len(t.known))
	for j := range t.known {
		n := s.Len(len(t.known[j]), 8, t.slots)
		if s.Loading() {
			t.known[j] = make([]float64, n)
		}
		for k := range t.known[j] {
			s.Float64(&t.known[j][k])
		}
	}
}

// Schema is the incoming one without the categorical columns, then their indicators.
func (t *OneHot) Schema() *features.Schema { return t.out }

// Snapshot shares the dictionaries: they only grow, behind what the snapshot sees. Cost: O(columns).
func (t *OneHot) Snapshot() models.Transformer {
	c := *t
	c.known = slices.Clone(t.known)
	return &c
}

// HashingComponent is the catalogue entry of Hashing.
var HashingComponent = models.Component{
	Name: "hashing", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{categoriesParam,
		{Name: "bits", Default: 10, Range: models.Between(1, 22), Unit: "bits", Doc: "all columns together get 2^bits columns"}},
	Cost: "O(entries + categories²)", Memory: "none", Source: "Weinberger et al. 2009",
	Doc: "Turns all categorical columns into 2^bits shared columns by a signed hash: needs no dictionary and never grows; different categories may meet. " +
		"A missing category adds nothing. Other columns pass as they are. Its rows are sparse.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, false)
		if err != nil {
			return nil, err
		}
		return NewHashing(env.Schema, cols, a.Int("bits")), nil
	},
}

// Hashing turns categories into hashed columns.
type Hashing struct {
	stateless
	out   *features.Schema
	place []int
	kept  int
	mask  uint64
}

// NewHashing returns the encoder for the given columns; bits is at most 22.
func NewHashing(schema *features.Schema, columns []int, bits int) *Hashing {
	t := &Hashing{out: &features.Schema{}, mask: 1<<bits - 1}
	t.place, t.kept = split(schema, columns, t.out)
	for k := range 1 << bits {
		t.out.Columns = append(t.out.Columns, features.Column{Name: fmt.Sprintf("hash_%d", k)})
	}
	return t
}

// Transform writes a sparse row; categories of one row that meet in a column are added up.
func (t *Hashing) Transform(dst models.Row, e *models.Example) models.Row {
	dst = startSparse(dst)
	present(e.Row, len(t.place), func(i int, x float64) {
		if x != 0 && t.place[i] >= 0 {
			dst.Index, dst.Value = append(dst.Index, uint32(t.place[i])), append(dst.Value, x)
		}
	})
	first := len(dst.Index)
	present(e.Row, len(t.place), func(i int, x float64) {
		if t.place[i] < 0 && x == x {
			h := mix(math.Float64bits(x) + uint64(-t.place[i])*0x9e3779b97f4a7c15)
			dst = insert(dst, first, uint32(t.kept)+uint32(h&t.mask), 1-2*float64(h>>63))
		}
	})
	return dst
}

// insert adds v at column i to the sorted entries from first on.
func insert(r models.Row, first int, i uint32, v float64) models.Row {
	at := len(r.Index)
	for at > first && r.Index[at-1] >= i {
		at--
	}
	if at < len(r.Index) && r.Index[at] == i {
		r.Value[at] += v
		return r
	}
	r.Index, r.Value = append(r.Index, 0), append(r.Value, 0)
	copy(r.Index[at+1:], r.Index[at:])
	copy(r.Value[at+1:], r.Value[at:])
	r.Index[at], r.Value[at] = i, v
	return r
}

// Schema is the incoming one without the categorical columns, then the hashed ones.
func (t *Hashing) Schema() *features.Schema { return t.out }

// Snapshot returns t itself: it never changes.
func (t *Hashing) Snapshot() models.Transformer { return t }
