package forecast

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/models/modeltest"
)

// referenceFile is testdata/forecast.json.gz: published series, models with their parameters, and what R, statsmodels and arithmetic of 100 digits
// say of them. Its `conventions` say which start and which likelihood is meant.
type referenceFile struct {
	Datasets map[string]struct {
		Frequency, Start float64
		Y                modeltest.Nullable
	}
	Cases map[string]json.RawMessage
	MLE   map[string]json.RawMessage `json:"mle_reference"`
}

// referenceHead is what every case has.
type referenceHead struct {
	Family, Dataset, Transform string
}

func loadReferences(t testing.TB) *referenceFile {
	t.Helper()
	r := new(referenceFile)
	modeltest.ReadJSON(t, "testdata/forecast.json.gz", r)
	return r
}

// family returns the names of the cases of a family, in order.
func (r *referenceFile) family(t testing.TB, family string) []string {
	t.Helper()
	var names []string
	for name := range r.Cases {
		if r.head(t, name).Family == family {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (r *referenceFile) head(t testing.TB, name string) referenceHead {
	t.Helper()
	var h referenceHead
	r.read(t, name, &h)
	return h
}

// read decodes the case into what the test wants of it.
func (r *referenceFile) read(t testing.TB, name string, to any) {
	t.Helper()
	if err := json.Unmarshal(r.Cases[name], to); err != nil {
		t.Fatalf("case %s: %v", name, err)
	}
}

// series returns the series of a case, transformed as it says.
func (r *referenceFile) series(t testing.TB, name string) []float64 {
	t.Helper()
	h := r.head(t, name)
	d, ok := r.Datasets[h.Dataset]
	if !ok {
		t.Fatalf("case %s: no dataset %s", name, h.Dataset)
	}
	change := map[string]func(float64) float64{"": same, "none": same, "log": math.Log, "log10": math.Log10, "sqrt": math.Sqrt}[h.Transform]
	if change == nil {
		t.Fatalf("case %s: no transform %q", name, h.Transform)
	}
	y := make([]float64, len(d.Y))
	for i, v := range d.Y {
		y[i] = change(v)
	}
	return y
}

func same(x float64) float64 { return x }

func TestReferenceFile(t *testing.T) {
	r := loadReferences(t)
	if len(r.Cases) != 51 || len(r.Datasets) != 26 {
		t.Errorf("%d cases of %d series", len(r.Cases), len(r.Datasets))
	}
	for name := range r.Cases {
		if h := r.head(t, name); r.Datasets[h.Dataset].Y != nil && len(r.series(t, name)) == 0 {
			t.Errorf("%s has no series", name)
		}
	}
}
