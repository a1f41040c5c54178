package project

import "github.com/freshet-ml/freshet/features/agg"

// aggregationNames lists the catalogue's names.
func aggregationNames() []string {
	names := make([]string, len(agg.Catalog))
	for i := range agg.Catalog {
		names[i] = agg.Catalog[i].Name
	}
	return names
}

func known(name string) bool { return agg.Find(name) != nil }

// setting says which aggregations a setting of a feature belongs to.
type setting struct {
	key   string
	fits  func(*agg.Spec) bool
	whose string // for messages
}

var settings = []setting{
	{"over", func(s *agg.Spec) bool { return s.Windows }, "aggregations over windows"},
	{"exact", func(s *agg.Spec) bool { return s.Windows }, "aggregations over windows"},
	{"value", func(s *agg.Spec) bool { return s.Value != agg.NoValue }, "aggregations of values"},
	{"per", func(s *agg.Spec) bool { return s.Per }, "ratio"},
	{"at", func(s *agg.Spec) bool { return !s.Set }, "other aggregations: this one has due"},
	{"due", func(s *agg.Spec) bool { return s.Set }, "open and open_age"},
	{"until", func(s *agg.Spec) bool { return s.Set }, "open and open_age"},
	{"by", func(s *agg.Spec) bool { return s.Set }, "open and open_age"},
	{"keep", func(s *agg.Spec) bool { return s.Set }, "open and open_age"},
	{"k", uses("k"), "last_k, first_k and lag"},
	{"half_life", uses("half_life"), "decayed aggregations"},
	{"weight", uses("weight"), "decayed_mean"},
	{"cap", uses("cap"), "distinct"},
}

func uses(parameter string) func(*agg.Spec) bool {
	return func(s *agg.Spec) bool { return contains(s.Uses, parameter) }
}

// needs says how to give the parameters without which an aggregation means nothing.
var needs = map[string]string{"k": "say how many, such as k: 3", "half_life": "give half_life: 7d"}
