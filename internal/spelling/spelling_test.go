package spelling

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func ExampleNearest() {
	known := []string{"neighbors", "max_examples", "weights"}
	fmt.Printf("%q %q %q\n", Nearest("neighbours", known), Nearest("max-example", known), Nearest("loss", known))
	// Output: "neighbors" "max_examples" ""
}

// The parameters of a model, columns, aggregations and models, as people misspell them.
func TestNearest(t *testing.T) {
	params := strings.Fields("k max_examples long_share min_window weights scale")
	columns := strings.Fields("id at courier km late amount unit_price")
	aggregations := strings.Fields("count sum mean min max median first last distinct")
	names := strings.Fields("k_nearest_neighbors sam_knn logistic_regression linear_regression adaptive_random_forest hoeffding_tree " +
		"hoeffding_adaptive_tree hoeffding_tree_regressor gaussian_nb forecaster_bank standard_scaler mlp gru rnn ets")
	for _, c := range []struct {
		known      []string
		name, want string
	}{
		{params, "neighbours", ""}, {params, "wieghts", "weights"}, {params, "weight", "weights"}, {params, "maxExamples", "max_examples"},
		{params, "examples", "max_examples"}, {params, "window", "min_window"}, {params, "window_min", ""}, {params, "K", "k"}, {params, "n", ""}, {params, "max", "max_examples"},
		{columns, "amuont", "amount"}, {columns, "lat", "late"}, {columns, "price", "unit_price"}, {columns, "unitprice", "unit_price"}, {columns, "kms", "km"},
		{columns, "ia", "id"}, {columns, "zz", ""}, {columns, "label", ""}, {columns, "couriers", "courier"},
		{aggregations, "maen", "mean"}, {aggregations, "Mean", "mean"}, {aggregations, "counts", "count"}, {aggregations, "cnt", "count"}, {[]string{"sqrt"}, "sqroot", "sqrt"}, {aggregations, "md", ""}, {aggregations, "average", ""}, {aggregations, "avg", ""}, {aggregations, "medain", "median"},
		{names, "logistic", "logistic_regression"}, {names, "knn", "k_nearest_neighbors"}, {names, "samknn", "sam_knn"}, {names, "random_forest", "adaptive_random_forest"}, {names, "arf", "adaptive_random_forest"},
		{names, "k_nearest_neighbours", "k_nearest_neighbors"}, {names, "k-nearest-neighbor", "k_nearest_neighbors"}, {names, "standard_scalar", "standard_scaler"},
		{names, "standardscaler", "standard_scaler"}, {names, "hoefding_tree", "hoeffding_tree"}, {names, "HoeffdingTree", "hoeffding_tree"}, {names, "xgboost", ""}, {names, "svm", ""},
		{names, "", ""}, {names, "_", ""}, {names, strings.Repeat("m", 1<<16), ""}, {names, "\xff\xfe", ""},
		{strings.Fields("color behavior"), "colours", "color"}, {strings.Fields("normalize"), "normalise", "normalize"}, {strings.Fields("entity key"), "entities", "entity"},
		{[]string{"straße", "größe"}, "große", "größe"}, {[]string{"same"}, "same", ""},
	} {
		if got := Nearest(c.name, c.known); got != c.want {
			t.Errorf("%.80q of %q: %q, not %q", c.name, c.known, got, c.want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	if got := DidYouMean("clas", []string{"class"}); got != "did you mean class?" {
		t.Errorf("%q", got)
	}
	if got := DidYouMean("y", []string{"class"}); got != "" {
		t.Errorf("%q", got)
	}
}

// One slip in a name of four letters or more is found; the order of the known words does not matter; an answer is one of them.
func TestOneSlipIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-z]{4,9}(_[a-z]{2,9})?`).Draw(t, "word")
		i := rapid.IntRange(0, len(word)-1).Draw(t, "at")
		slip := word[:i] + rapid.SampledFrom([]string{"", "x", word[i:i+1] + "x"}).Draw(t, "slip") + word[i+1:]
		if slip == word {
			return
		}
		if got := Nearest(slip, []string{word}); got != word {
			t.Fatalf("%s of %s: %q", slip, word, got)
		}
		known := append(rapid.SliceOfN(rapid.StringMatching(`[a-z_]{1,12}`), 0, 8).Draw(t, "others"), word)
		got := Nearest(slip, known)
		if !slices.Contains(known, got) {
			t.Fatalf("%q is none of %q", got, known)
		}
		slices.Reverse(known)
		if again := Nearest(slip, known); again != got {
			t.Fatalf("%q, and %q the other way round", got, again)
		}
	})
}

// The distance is that of the definition, taken without a table.
func TestDistanceIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := []rune(rapid.StringMatching(`[abä]{0,6}`).Draw(t, "a")), []rune(rapid.StringMatching(`[abä]{0,6}`).Draw(t, "b"))
		if got, want := distance(a, b), slowly(a, b); got != want {
			t.Fatalf("%q and %q: %d, not %d", string(a), string(b), got, want)
		}
	})
}

func slowly(a, b []rune) int {
	if len(a) == 0 || len(b) == 0 {
		return len(a) + len(b)
	}
	i, j := len(a)-1, len(b)-1
	cost := 1
	if a[i] == b[j] {
		cost = 0
	}
	d := min(slowly(a[:i], b)+1, slowly(a, b[:j])+1, slowly(a[:i], b[:j])+cost)
	if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
		d = min(d, slowly(a[:i-1], b[:j-1])+1)
	}
	return d
}

func FuzzNearest(f *testing.F) {
	f.Add("neighbours", "weights neighbors")
	f.Add("\xff_", "ß _ \xff")
	f.Fuzz(func(t *testing.T, name, known string) {
		words := strings.Fields(known)
		if got := Nearest(name, words); got != "" && !slices.Contains(words, got) {
			t.Errorf("%q is none of %q", got, words)
		}
	})
}
