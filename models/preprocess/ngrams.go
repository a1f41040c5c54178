package preprocess

import (
	"fmt"
	"math"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/cow"
)

func ngramParams(from, to int) []models.Param {
	return []models.Param{
		{Name: "columns", Default: []string(nil), Doc: "the text columns to work on; none: all"},
		{Name: "from", Default: from, Range: models.Between(1, maxGram), Doc: "least number of tokens of an n-gram"},
		{Name: "to", Default: to, Range: models.Between(1, maxGram), Doc: "greatest number"},
		{Name: "bits", Default: 12, Range: models.Between(4, 20), Unit: "bits", Doc: "all texts together get 2^bits columns; n-grams that meet in one are counted together"}}
}

const ngramDoc = " Upper and lower case are one. A missing text adds nothing. Other columns pass as they are. Its rows are sparse."

// WordNGramsComponent is the catalogue entry of n-grams of words.
var WordNGramsComponent = models.Component{
	Name: "word_ngrams", Kind: models.TransformerKind, Fold: 1, Params: ngramParams(1, 2),
	Cost: "O(tokens · (to − from + 1) · entries)", Memory: "none", Source: "Weinberger et al. 2009 for the hashing",
	Doc:            "Counts the words of texts, and runs of words, in hashed columns. A word is a run of letters, digits and marks." + ngramDoc,
	NewTransformer: ngrams(NGramsConfig{}),
}

// CharNGramsComponent is the catalogue entry of n-grams of characters.
var CharNGramsComponent = models.Component{
	Name: "char_ngrams", Kind: models.TransformerKind, Fold: 1, Params: ngramParams(3, 5),
	Cost: "O(characters · (to − from + 1) · entries)", Memory: "none", Source: "Cavnar & Trenkle 1994; Weinberger et al. 2009 for the hashing",
	Doc:            "Counts runs of characters of texts in hashed columns: robust against spelling. White space counts as one space, also before and behind the text." + ngramDoc,
	NewTransformer: ngrams(NGramsConfig{Characters: true}),
}

// TFIDFComponent is the catalogue entry of TF-IDF.
var TFIDFComponent = models.Component{
	Name: "tf_idf", Kind: models.TransformerKind, Fold: 1, Params: ngramParams(1, 1),
	Cost: "O(tokens · (to − from + 1) · entries)", Memory: "8 · 2^bits bytes", Source: "Spärck Jones 1972; Salton & Buckley 1988",
	Doc: "Weighs the words of texts by how rare they are: count · (log((1 + texts) / (1 + texts with the word)) + 1), each row scaled to length 1, in hashed columns. " +
		"Frequencies are those of the texts before." + ngramDoc,
	NewTransformer: ngrams(NGramsConfig{TFIDF: true}),
}

func ngrams(cfg NGramsConfig) func(models.Args, models.Env) (models.Transformer, error) {
	return func(a models.Args, env models.Env) (models.Transformer, error) {
		cfg := cfg
		cfg.From, cfg.To, cfg.Bits = a.Int("from"), a.Int("to"), a.Int("bits")
		if cfg.From > cfg.To {
			return nil, models.SpecErrors{{Path: "from", Reason: fmt.Sprintf("from %d is above to %d", cfg.From, cfg.To)}}
		}
		texts := features.TextsOf(env.Schema)
		if names := a.Texts("columns"); len(names) > 0 {
			if err := models.CheckColumns(env, names); err != nil {
				return nil, err
			}
			for _, n := range names {
				if env.Schema.Columns[env.Schema.Index(n)].Kind != features.Text {
					return nil, models.SpecErrors{{Path: "columns", Reason: fmt.Sprintf("column %q is no text", n), Mend: "name texts only"}}
				}
			}
			texts = slices.DeleteFunc(texts, func(t []int) bool { return !slices.Contains(names, env.Schema.Columns[t[0]].Name) })
		}
		return NewNGrams(env.Schema, texts, cfg), nil
	}
}

// maxGram is the greatest number of tokens of an n-gram.
const maxGram = 8

// NGramsConfig are the parameters of NGrams.
type NGramsConfig struct {
	Characters bool // tokens are characters, else words
	TFIDF      bool // weigh by rarity, else count
	From, To   int  // tokens of an n-gram, at most 8
	Bits       int  // 2^Bits columns, 4 to 20
}

// NGrams counts runs of words or characters of texts in hashed columns.
type NGrams struct {
	unlabelled
	cfg     NGramsConfig
	out     *features.Schema
	place   []int
	kept    int
	texts   [][]int
	longest int                // slots of the longest
	n       float64            // texts so far
	seen    cow.Pages[float64] // by hashed column: texts with it; only for TF-IDF
	row     models.Row         // scratch of Observe
}

// NewNGrams returns the transformer for the given texts, each the slots of one in order.
func NewNGrams(schema *features.Schema, texts [][]int, cfg NGramsConfig) *NGrams {
	t := &NGrams{cfg: cfg, out: &features.Schema{}, texts: texts}
	for _, slots := range texts {
		t.longest = max(t.longest, len(slots))
	}
	t.place, t.kept = split(schema, slices.Concat(texts...), t.out)
	for k := range 1 << cfg.Bits {
		t.out.Columns = append(t.out.Columns, features.Column{Name: fmt.Sprintf("gram_%d", k)})
	}
	if cfg.TFIDF {
		t.seen = cow.New[float64](max(1, 1<<cfg.Bits/pageCells), min(pageCells, 1<<cfg.Bits))
	}
	return t
}

// Transform writes a sparse row.
func (t *NGrams) Transform(dst models.Row, e *models.Example) models.Row {
	dst = startSparse(dst)
	present(e.Row, len(t.place), func(i int, x float64) {
		if x != 0 && t.place[i] >= 0 {
			dst.Index, dst.Value = append(dst.Index, uint32(t.place[i])), append(dst.Value, x)
		}
	})
	first := len(dst.Index)
	dst = t.count(dst, e)
	if t.cfg.TFIDF {
		t.weigh(dst.Index[first:], dst.Value[first:])
	}
	return dst
}

// count adds the n-grams of the texts behind the entries of dst.
func (t *NGrams) count(dst models.Row, e *models.Example) models.Row {
	if t.longest > len(shortText{})/features.TextBytes {
		var space longText
		return t.countIn(space[:0], dst, e)
	}
	var space shortText
	return t.countIn(space[:0], dst, e)
}

// shortText and longText are room for a text on the stack: the smaller one is quicker to make.
type (
	shortText [768]byte
	longText  [features.MaxTextSlots * features.TextBytes]byte
)

func (t *NGrams) countIn(space []byte, dst models.Row, e *models.Example) models.Row {
	first := len(dst.Index)
	for _, slots := range t.texts {
		text, more := space, true
		for _, i := range slots {
			if text, more = features.AppendSlot(text, e.At(i)); !more {
				break
			}
		}
		if len(text) == 0 {
			continue
		}
		g := grams{t: t, dst: dst, first: first}
		if t.cfg.Characters {
			g.characters(text)
		} else {
			g.words(text)
		}
		dst = g.dst
	}
	return dst
}

// grams is the walk over one text.
type grams struct {
	t     *NGrams
	dst   models.Row
	first int
	last  [maxGram]uint64 // the newest tokens, a ring
	n     int
}

func (g *grams) words(text []byte) {
	h, in := uint64(fnvOffset), false
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '_' {
			h, in = (h^uint64(unicode.ToLower(r)))*fnvPrime, true
			continue
		}
		if in {
			g.push(h)
			h, in = fnvOffset, false
		}
	}
	if in {
		g.push(h)
	}
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func (g *grams) characters(text []byte) {
	g.push(' ')
	space := true
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		if unicode.IsSpace(r) {
			if !space {
				g.push(' ')
			}
			space = true
			continue
		}
		g.push(uint64(unicode.ToLower(r)))
		space = false
	}
	if !space {
		g.push(' ')
	}
}

// push takes the next token and counts the n-grams that end with it.
func (g *grams) push(token uint64) {
	g.last[g.n%maxGram] = token
	g.n++
	h := uint64(0)
	for k := 1; k <= g.t.cfg.To && k <= g.n; k++ {
		h = mix(h + g.last[(g.n-k)%maxGram]*0x9e3779b97f4a7c15 + uint64(k))
		if k >= g.t.cfg.From {
			g.dst = insert(g.dst, g.first, uint32(g.t.kept)+uint32(h>>(64-g.t.cfg.Bits)), 1)
		}
	}
}

// weigh turns counts into weights of length 1.
func (t *NGrams) weigh(index []uint32, value []float64) {
	square := 0.0
	for j, i := range index {
		k := int(i) - t.kept
		texts := t.seen.Page(k / pageCells)[k%pageCells]
		value[j] *= math.Log((1+t.n)/(1+texts)) + 1
		square += float64(value[j] * value[j])
	}
	if length := math.Sqrt(square); length > 0 {
		for j := range value {
			value[j] /= length
		}
	}
}

// Observe counts the texts that hold each n-gram.
func (t *NGrams) Observe(e *models.Example) {
	if !t.cfg.TFIDF {
		return
	}
	t.row = t.count(startSparse(t.row), e)
	if len(t.row.Index) == 0 {
		return
	}
	t.n++
	for _, i := range t.row.Index {
		k := int(i) - t.kept
		t.seen.Own(k / pageCells)[k%pageCells]++
	}
}

// State visits the frequencies.
func (t *NGrams) State(s *codec.State) {
	if !t.cfg.TFIDF {
		return
	}
	s.Float64(&t.n)
	s.Fixed("pages of tf_idf", t.seen.Len())
	for i := range t.seen.Len() {
		page := t.seen.Page(i)
		if s.Loading() {
			page = t.seen.Own(i)
		}
		for k := range page {
			s.Float64(&page[k])
			if s.Loading() && !(page[k] >= 0 && page[k] <= t.n) {
				s.Fail("tf_idf: %v of %v texts", page[k], t.n)
				page[k] = 0
			}
		}
	}
}

// Schema is the incoming one without the texts, then the hashed columns.
func (t *NGrams) Schema() *features.Schema { return t.out }

// Snapshot shares the pages of the frequencies; a page is copied when it is written again.
func (t *NGrams) Snapshot() models.Transformer {
	c := *t
	c.row = models.Row{}
	if t.cfg.TFIDF {
		c.seen = t.seen.Share()
	}
	return &c
}
