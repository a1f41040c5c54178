package generator

var echoSpec = Spec{
	Name: "echo",
	Doc: "Many entities, each with a life of its own: `shift` is the direction of what an entity does now, and the label that of what it did `lag` of its own events ago; " +
		"before there is one, the label is a coin. Without a memory of each entity nobody is right more often than a coin. `size` says nothing. It does not drift.",
	Source: "own; the delayed recall of Hochreiter & Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997, §5, for many sequences at once",
	Params: []Param{rowSeed, count("entities", 100, 1, 100_000, "how many; each is as likely to come next"), count("lag", 3, 0, 1000, "how many events of its own an entity remembers"),
		share("noise", 0.05, "share of labels that are coins"), flag("turned", "1: the label is whether what it did then and does now differ")},
	New: func(a Args) (Stream, error) {
		e := &echo{rng: a.rand("seed"), lag: a.int("lag"), noise: a.float("noise"), turned: a.flag("turned")}
		e.meta = &Meta{Columns: []Column{{"entity", names("e", a.int("entities"))}, {"shift", []string{"down", "up"}}, {"size", nil}},
			Target: "class", Classes: []string{"down", "up"}}
		e.past, e.seen = make([]uint8, a.int("entities")*max(e.lag, 1)), make([]int, a.int("entities"))
		return e, nil
	},
}

// echo keeps the last lag moves of each entity in a ring.
type echo struct {
	meta   *Meta
	rng    *JavaRandom
	lag    int
	noise  float64
	turned bool
	past   []uint8
	seen   []int
}

func (e *echo) Meta() *Meta     { return e.meta }
func (e *echo) Drifts() []Drift { return nil }

func (e *echo) Next(x []float64) float64 {
	k := e.rng.Int(len(e.seen))
	now, coin := uint8(e.rng.Int(2)), uint8(e.rng.Int(2))
	x[0], x[1], x[2] = float64(k), float64(now), e.rng.Normal()
	noisy := e.rng.Float64() < e.noise
	label := now
	if e.lag > 0 {
		at := &e.past[k*e.lag+e.seen[k]%e.lag]
		label, *at = *at, now
	}
	if e.turned {
		label ^= now
	}
	if e.seen[k]++; noisy || e.seen[k] <= e.lag {
		label = coin
	}
	return float64(label)
}
