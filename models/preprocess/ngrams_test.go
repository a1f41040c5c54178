package preprocess_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/preprocess"
)

const textSlots = 12

// textSchema is a number and two texts.
func textSchema() *features.Schema {
	s := numbers(1)
	s.Columns = append(append(s.Columns, features.TextColumns("title", textSlots)...), features.TextColumns("body", textSlots)...)
	return s
}

func textRow(x float64, title, body string) *models.Example {
	v := features.AppendText([]float64{x}, title, textSlots)
	return &models.Example{Row: models.Row{Value: features.AppendText(v, body, textSlots)}, Weight: 1}
}

func build(t testing.TB, spec any, env models.Env) models.Learner {
	t.Helper()
	s, err := models.ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	m, err := catalog.Build(s, env)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var titleAndBody = [][]int{slots(1), slots(1 + textSlots)}

func slots(first int) (out []int) {
	for i := range textSlots {
		out = append(out, first+i)
	}
	return out
}

// counts returns how often each hashed column was counted, as a multiset of counts, and the sum.
func counts(r models.Row) (distinct int, sum float64) {
	for j, i := range r.Index {
		if i >= 1 {
			distinct, sum = distinct+1, sum+r.Value[j]
		}
	}
	return distinct, sum
}

func TestNGramsCount(t *testing.T) {
	for _, c := range []struct {
		cfg         preprocess.NGramsConfig
		title, body string
		distinct    int
		sum         float64
	}{
		{preprocess.NGramsConfig{From: 1, To: 1, Bits: 16}, "The cat and the hat", "", 4, 5},
		{preprocess.NGramsConfig{From: 1, To: 2, Bits: 16}, "the cat and the hat", "", 8, 9},
		{preprocess.NGramsConfig{From: 2, To: 2, Bits: 16}, "the cat", "the cat", 1, 2}, // no run from one text into the other
		{preprocess.NGramsConfig{From: 1, To: 1, Bits: 16}, "Grüße, GRÜSSE grüße!", "", 2, 3},
		{preprocess.NGramsConfig{From: 3, To: 3, Bits: 16, Characters: true}, "aaa", "", 3, 3}, // ␣aa aaa aa␣
		{preprocess.NGramsConfig{From: 1, To: 1, Bits: 16, Characters: true}, "a  b", "", 3, 5},
		{preprocess.NGramsConfig{From: 1, To: 3, Bits: 16}, "", " .,; ", 0, 0},
	} {
		s := preprocess.NewNGrams(textSchema(), titleAndBody, c.cfg)
		r := s.Transform(models.Row{}, textRow(7, c.title, c.body))
		if r.At(0) != 7 || r.Index[0] != 0 {
			t.Errorf("%v: the number is %v", c.cfg, r.At(0))
		}
		if distinct, sum := counts(r); distinct != c.distinct || sum != c.sum {
			t.Errorf("%+v of %q and %q: %d columns with the sum %v, want %d and %v", c.cfg, c.title, c.body, distinct, sum, c.distinct, c.sum)
		}
		if n := len(s.Schema().Columns); n != 1+1<<16 {
			t.Errorf("%d columns", n)
		}
	}
}

// TestTFIDF: weights against the formula over all texts so far, computed from the words themselves.
func TestTFIDF(t *testing.T) {
	s := preprocess.NewNGrams(textSchema(), titleAndBody, preprocess.NGramsConfig{From: 1, To: 1, Bits: 20, TFIDF: true})
	words := []string{"late", "early", "train", "bus", "rain", "the"}
	rng := rand.New(rand.NewPCG(1, 3))
	seen, n := map[string]float64{}, 0.0
	for i := range 300 {
		count := map[string]float64{}
		var text []string
		for range 1 + rng.IntN(5) {
			w := words[min(rng.IntN(6), rng.IntN(6))]
			text = append(text, w)
			count[w]++
		}
		e := textRow(1, strings.Join(text, " "), "")
		r := s.Transform(models.Row{}, e)
		var want, square float64
		for w, c := range count {
			square += math.Pow(c*(math.Log((1+n)/(1+seen[w]))+1), 2)
		}
		for w, c := range count {
			want += c * (math.Log((1+n)/(1+seen[w])) + 1) / math.Sqrt(square)
		}
		if distinct, sum := counts(r); distinct != len(count) || math.Abs(sum-want) > 1e-9 {
			t.Fatalf("text %d: %d columns with the sum %v, want %d and %v", i, distinct, sum, len(count), want)
		}
		if i == 150 {
			snap := s.Snapshot()
			before := expandSum(snap, e)
			s.Observe(textRow(1, "late late", "late"))
			if expandSum(snap, e) != before {
				t.Error("the snapshot changed")
			}
			n, seen["late"] = n+1, seen["late"]+1
		}
		s.Observe(e)
		n++
		for w := range count {
			seen[w]++
		}
	}
	other := preprocess.NewNGrams(textSchema(), titleAndBody, preprocess.NGramsConfig{From: 1, To: 1, Bits: 20, TFIDF: true})
	if err := codec.Load(other, codec.Save(s)); err != nil || codec.Sum(other) != codec.Sum(s) {
		t.Errorf("load: %v", err)
	}
}

func expandSum(t models.Transformer, e *models.Example) (sum float64) {
	for _, x := range t.Transform(models.Row{}, e).Value {
		sum += x
	}
	return sum
}

// TestTextsTeach: a linear model behind each of them tells two kinds of texts apart, and missing texts do no harm.
func TestTextsTeach(t *testing.T) {
	good, bad := []string{"on time", "arrived early", "smooth ride"}, []string{"very late", "cancelled again", "lost bags"}
	for _, name := range []string{"word_ngrams", "char_ngrams", "tf_idf"} {
		rng, right := rand.New(rand.NewPCG(3, 3)), 0
		m := build(t, []any{name, "logistic_regression"}, models.Env{Task: models.Binary, Schema: textSchema()})
		out := make([]float64, 0, 8)
		for i := range 1000 {
			y := rng.IntN(2)
			e := textRow(0, [][]string{good, bad}[y][rng.IntN(3)], "the same words everywhere")
			if i%10 == 0 {
				for k := range textSlots {
					e.Value[1+textSlots+k] = nan
				}
			}
			e.Y = float64(y)
			out = m.Predict(out[:0], e)
			if i >= 500 && (out[0] > 0.5) == (y == 1) {
				right++
			}
			m.Observe(e)
			m.Learn(e, out)
		}
		if right < 495 {
			t.Errorf("%s: %d of 500 right", name, right)
		}
		e := textRow(0, "on time", "the same words everywhere")
		if n := testing.AllocsPerRun(500, func() { out = m.Predict(out[:0], e); m.Observe(e); m.Learn(e, out) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestTextsAreRefusedElsewhere: a text that no transformer reads has no meaning to a linear model; encoders of categories leave it alone.
func TestTextsAreRefusedElsewhere(t *testing.T) {
	s, _ := models.ParseSpec([]any{"one_hot", "logistic_regression"})
	if _, err := catalog.Build(s, models.Env{Task: models.Binary, Schema: textSchema()}); err == nil || !strings.Contains(err.Error(), "word_ngrams") {
		t.Errorf("got %v", err)
	}
	s, _ = models.ParseSpec([]any{dict{"word_ngrams": dict{"columns": []any{"x0"}}}, "logistic_regression"})
	if _, err := catalog.Build(s, models.Env{Task: models.Binary, Schema: textSchema()}); err == nil || !strings.Contains(err.Error(), "no text") {
		t.Errorf("got %v", err)
	}
}

func ExampleNewNGrams() {
	schema := &features.Schema{Columns: features.TextColumns("title", 4)}
	s := preprocess.NewNGrams(schema, [][]int{{0, 1, 2, 3}}, preprocess.NGramsConfig{From: 1, To: 1, Bits: 10})
	r := s.Transform(models.Row{}, &models.Example{Row: models.Row{Value: features.AppendText(nil, "late train late", 4)}})
	fmt.Println(len(r.Index), r.Value[0]+r.Value[1])
	// Output: 2 3
}

// TestTextsNeedAReader: no model takes a text as it comes, but for those that read no column and those whose members are judged for themselves; no
// transformer takes one by name, but for those that read texts.
func TestTextsNeedAReader(t *testing.T) {
	for i := range catalog.All {
		c := &catalog.All[i]
		if c.Kind != models.ModelKind && c.Kind != models.TransformerKind || c.Kind == models.ModelKind && c.NewModel == nil {
			continue
		}
		task := models.Binary
		if len(c.Tasks) > 0 {
			task = c.Tasks[0]
		}
		env := models.Env{Task: task, Classes: 3, Schema: textSchema(), Seed: 1}
		spec := any(c.Name)
		if c.Kind == models.TransformerKind {
			spec = []any{dict{c.Name: dict{"columns": []any{"body"}}}, "no_change"}
			if !slices.ContainsFunc(c.Params, func(p models.Param) bool { return p.Name == "columns" }) {
				continue
			}
		}
		parsed, err := models.ParseSpec(spec)
		if err != nil {
			t.Fatal(err)
		}
		_, err = catalog.Build(parsed, env)
		reads := c.NoColumns || slices.Contains([]string{"word_ngrams", "char_ngrams", "tf_idf"}, c.Name)
		if refused := err != nil && strings.Contains(err.Error(), "is a text"); refused == reads {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

// TestLongTexts: a text of any length that a field can have is read whole, without an allocation.
func TestLongTexts(t *testing.T) {
	for _, n := range []int{1, 128, 129, features.MaxTextSlots} {
		schema := &features.Schema{Columns: features.TextColumns("story", n)}
		g := preprocess.NewNGrams(schema, features.TextsOf(schema), preprocess.NGramsConfig{From: 1, To: 1, Bits: 12})
		text := strings.Repeat("abcde ", n)
		e := &models.Example{Row: models.Row{Value: features.AppendText(nil, text, n)}}
		row := g.Transform(models.Row{}, e)
		if len(row.Value) != 1 || row.Value[0] != float64(n) {
			t.Errorf("%d slots: %v", n, row.Value)
		}
		if allocs := testing.AllocsPerRun(20, func() { row = g.Transform(row, e) }); allocs > 0 {
			t.Errorf("%d slots: %v allocations", n, allocs)
		}
	}
}
