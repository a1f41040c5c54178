package preprocess

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// OrdinalEncoderComponent is the catalogue entry of OrdinalEncoder.
var OrdinalEncoderComponent = models.Component{
	Name: "ordinal_encoder", Kind: models.TransformerKind, Fold: 2,
	Params: []models.Param{categoriesParam,
		{Name: "slots", Default: 1024, Range: models.Between(1, 65536), Unit: "categories per column", Doc: "so many categories of a column get a number, first come, first served"}},
	Cost: "O(columns · log(slots))", Memory: "12 bytes per category, up to slots per column", Source: "definition",
	Bounds: []models.Bound{{What: valuesUnnumbered, Doc: "values that got no number, since their column has as many as slots"}},
	Doc: "Replaces a category by a number: 1 for the first that came, 2 for the second, and so on; 0 for one that has no number yet, or came when none was left. " +
		"A missing category stays missing.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, false)
		if err != nil {
			return nil, err
		}
		return NewOrdinalEncoder(env.Schema, cols, a.Int("slots")), nil
	},
}

// OrdinalEncoder replaces categories by numbers in the order of arrival.
type OrdinalEncoder struct {
	unlabelled
	in, out *features.Schema
	columns []int
	slots   int
	known   []dictionary
	lost    uint64 // values of categories that found no number left
}

// dictionary is sorted categories with the order in which they came, in blocks that are replaced when they change.
type dictionary struct {
	category []float64
	number   []uint32
	shared   bool // a snapshot holds both slices
}

// NewOrdinalEncoder returns the encoder for the given columns.
func NewOrdinalEncoder(schema *features.Schema, columns []int, slots int) *OrdinalEncoder {
	t := &OrdinalEncoder{in: schema, out: extended(schema), columns: columns, slots: slots, known: make([]dictionary, len(columns))}
	for _, i := range columns {
		t.out.Columns[i].Kind = features.Numeric
	}
	return t
}

// Transform writes a dense row.
func (t *OrdinalEncoder) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.in.Columns))
	for j, i := range t.columns {
		x, there := held(e.Row, i)
		if !there || x != x {
			dst.Value[i] = math.NaN()
			continue
		}
		dst.Value[i] = 0
		if k, ok := slices.BinarySearch(t.known[j].category, x); ok {
			dst.Value[i] = float64(t.known[j].number[k])
		}
	}
	return dst
}

// Observe gives new categories their numbers.
func (t *OrdinalEncoder) Observe(e *models.Example) {
	for j, i := range t.columns {
		d := &t.known[j]
		x, there := held(e.Row, i)
		if !there || x != x {
			continue
		}
		k, ok := slices.BinarySearch(d.category, x)
		if ok {
			continue
		}
		if len(d.category) == t.slots {
			t.lost++
			continue
		}
		if d.shared {
			d.category, d.number, d.shared = slices.Clone(d.category), slices.Clone(d.number), false
		}
		d.category, d.number = slices.Insert(d.category, k, x), slices.Insert(d.number, k, uint32(len(d.category)+1))
	}
}

// valuesUnnumbered is the name of what is counted.
const valuesUnnumbered = "values_unnumbered"

// Dropped adds the values that found no number left.
func (t *OrdinalEncoder) Dropped(d *models.Drops) { d.Add(valuesUnnumbered, t.lost) }

// State visits the dictionaries.
func (t *OrdinalEncoder) State(s *codec.State) {
	s.Fixed("columns of ordinal_encoder", len(t.known))
	s.Uint64(&t.lost)
	for j := range t.known {
		d := &t.known[j]
		n := s.Len(len(d.category), 12, t.slots)
		if s.Loading() {
			*d = dictionary{category: make([]float64, n), number: make([]uint32, n)}
		}
		for k := range d.category {
			s.Float64(&d.category[k])
			s.Uint32(&d.number[k])
			if d.number[k] == 0 || int(d.number[k]) > n || k > 0 && !(d.category[k] > d.category[k-1]) {
				s.Fail("ordinal_encoder: category %d of %d", k, n)
				*d = dictionary{}
				return
			}
		}
	}
}

// Schema is the incoming one with numbers for the categories.
func (t *OrdinalEncoder) Schema() *features.Schema { return t.out }

// Snapshot shares the dictionaries, which are copied when a new category comes. Cost: O(columns).
func (t *OrdinalEncoder) Snapshot() models.Transformer {
	c := *t
	for j := range t.known {
		t.known[j].shared = true
	}
	c.known = slices.Clone(t.known)
	return &c
}

// CountEncoderComponent is the catalogue entry of CountEncoder.
var CountEncoderComponent = models.Component{
	Name: "count_encoder", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{categoriesParam,
		{Name: "as", Default: "share", Choices: []string{"share", "count", "log"}, Doc: "share of the examples so far, their number, or log(1 + number)"},
		{Name: "bits", Default: 12, Range: models.Between(4, 20), Unit: "bits", Doc: "each column has 2^bits cells, by the hash of the category"},
		{Name: "keep", Default: false, Doc: "keep the categorical column and add the encoded one at the end, named with _count"}},
	Cost: "O(columns)", Memory: "16 · 2^bits bytes per column", Source: "definition",
	Doc: "Replaces a category by how often it came so far, not counting the example itself. A missing category gives 0. Categories that meet in a cell are counted together.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, false)
		if err != nil {
			return nil, err
		}
		return NewCountEncoder(env.Schema, cols, a.Text("as"), a.Int("bits"), a.Bool("keep")), nil
	},
}

// CountEncoder replaces categories by how often they came.
type CountEncoder struct {
	unlabelled
	hashed // of the cells only the weights are used
	as     string
	n      float64
}

// NewCountEncoder returns the encoder for the given columns; as is share, count or log, bits between 4 and 20.
func NewCountEncoder(schema *features.Schema, columns []int, as string, bits int, keep bool) *CountEncoder {
	return &CountEncoder{hashed: newHashed(schema, columns, bits, keep, "_count"), as: as}
}

// Transform writes a dense row.
func (t *CountEncoder) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.out.Columns))
	for j, i := range t.columns {
		count := 0.0
		if x := e.At(i); x == x {
			count = t.tables[j].at(t.cell(x)).weight
		}
		switch t.as {
		case "share":
			count /= max(1, t.n)
		case "log":
			count = math.Log1p(count)
		}
		dst.Value[t.to(j, 0)] = count
	}
	return dst
}

// Observe counts.
func (t *CountEncoder) Observe(e *models.Example) {
	t.n++
	for j, i := range t.columns {
		if x := e.At(i); x == x {
			t.tables[j].edit(t.cell(x)).weight++
		}
	}
}

// State visits all cells.
func (t *CountEncoder) State(s *codec.State) {
	s.Float64(&t.n)
	s.Fixed("columns of count_encoder", len(t.tables))
	t.visitTables(s)
}

// Snapshot shares the pages of the tables; a page is copied when it is written again.
func (t *CountEncoder) Snapshot() models.Transformer {
	c := *t
	c.tables = t.share()
	return &c
}
