package generator

// Catalog lists the generators; the wrappers come last.
func Catalog() []Spec {
	return []Spec{
		agrawalSpec, categoricalSpec, echoSpec, friedmanSpec, hyperplaneSpec, ledSpec, mixedSpec, randomTreeSpec, rbfSpec, seaSpec, sineSpec, staggerSpec, waveformSpec,
		abruptSpec, gradualSpec, recurringSpec,
	}
}

// Names lists the names of the catalogue in its order.
func Names() []string {
	var out []string
	for _, s := range Catalog() {
		out = append(out, s.Name)
	}
	return out
}

func find(name string) (*Spec, bool) {
	for _, s := range Catalog() {
		if s.Name == name {
			return &s, true
		}
	}
	return nil, false
}
