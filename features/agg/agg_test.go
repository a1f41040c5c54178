package agg

import (
	"strings"
	"testing"
	"time"
)

func TestCatalogIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for i := range Catalog {
		s := &Catalog[i]
		if seen[s.Name] || Find(s.Name) != s {
			t.Errorf("%s is listed twice", s.Name)
		}
		seen[s.Name] = true
		if !strings.HasSuffix(s.Doc, ".") || s.Cost == "" || s.Memory == "" || s.Source == "" || s.Version < 1 {
			t.Errorf("%s lacks a doc sentence, cost, memory, source or fold version", s.Name)
		}
		if !s.Windows && !s.Always || s.Set != (s.OfSet != nil) || s.Set == (s.New != nil) {
			t.Errorf("%s can be read nowhere, or has both or neither of New and OfSet", s.Name)
		}
	}
	if Find("median") != nil {
		t.Error("an unknown aggregation was found")
	}
}

func TestBadParametersAreRefused(t *testing.T) {
	for name, params := range map[string][]Params{
		"last_k": {{}, {K: -1}, {K: 1001}}, "first_k": {{}}, "lag": {{}}, "distinct": {{Cap: -1}, {Cap: 1 << 20}},
		"decayed_count": {{}, {HalfLife: -time.Second}}, "decayed_mean": {{}, {Weight: 1}, {Weight: 0.5, HalfLife: time.Hour}},
	} {
		for _, p := range params {
			if _, err := Find(name).New(p); err == nil {
				t.Errorf("%s took %+v", name, p)
			}
		}
	}
}

// TestMalformedCellsAreRefused: growing cells that no partial made.
func TestMalformedCellsAreRefused(t *testing.T) {
	two := append(edges{k: 2}.Init(nil), make([]byte, 2*entry)...)
	for name, err := range map[string]error{
		"half an entry":     edges{k: 2}.Check(make([]byte, entry+1)),
		"too many entries":  edges{k: 1}.Check(two),
		"unknown mode":      values{4}.Check([]byte{9}),
		"half a hash":       values{4}.Check([]byte{0, 1}),
		"repeated hash":     values{4}.Check(make([]byte, 17)),
		"half a sketch":     values{4}.Check(make([]byte, 4096)),
		"rank out of range": values{4}.Check(append([]byte{1, 99}, make([]byte, registers-1)...)),
	} {
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
