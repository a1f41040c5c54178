package agg

var openAgeSpec = Spec{
	Name: "open_age", Doc: "Sum over the open things of the seconds since they were due; see open. 0 without events.",
	Set: true, Always: true, Version: 1,
	Cost: "linear in the open things of the entity", Memory: "shared with open", Source: "definition",
	OfSet: func(s *Set, t int64) float64 { return s.AgeSeconds(t) },
}
