package modeltest

import (
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"testing"
)

// Nullable are numbers of which some are missing: null is read as NaN.
type Nullable []float64

// UnmarshalJSON reads a list of numbers and nulls.
func (n *Nullable) UnmarshalJSON(b []byte) error {
	var p []*float64
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*n = make(Nullable, len(p))
	for i, v := range p {
		(*n)[i] = math.NaN()
		if v != nil {
			(*n)[i] = *v
		}
	}
	return nil
}

// ReadJSON reads a packed file of the repository, such as testdata/cases.json.gz, into v.
func ReadJSON(t testing.TB, path string, v any) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if err := json.NewDecoder(z).Decode(v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
