package generator

import "math"

var rbfSpec = Spec{
	Name: "rbf",
	Doc: "Points around random centres, each of a class and a spread of its own. With speed the first moving centres travel in " +
		"straight lines and turn at the walls of the unit cube: a drift that never stops.",
	Source: "Bifet et al., MOA, JMLR 11, 2010; rows as MOA's RandomRBFGeneratorDrift (RandomRBFGenerator with speed=0)",
	Params: []Param{
		rowSeed, seed("model_seed", "seed of the centres; the seed of the rows unless given"),
		count("classes", 2, 2, 1000, "number of classes"),
		count("columns", 10, 1, 10000, "number of features"),
		count("centres", 50, 1, 10000, "number of centres"),
		{Name: "speed", Min: 0, Max: 1, Doc: "distance that a centre travels in a row"},
		count("moving", 50, 0, 10000, "centres that travel"),
	},
	New: newRBF,
}

type rbf struct {
	meta    *Meta
	rng     *JavaRandom
	centres []centre
	weights float64 // their sum
	speed   float64
	moving  int
}

type centre struct {
	at, direction  []float64
	class          int
	spread, weight float64
}

func newRBF(a Args) (Stream, error) {
	columns := a.int("columns")
	g := &rbf{meta: &Meta{Columns: numeric("att", columns), Target: "class", Classes: names("class", a.int("classes"))}, rng: a.rand("seed"), speed: a.float("speed")}
	model := a.rand("model_seed")
	for range a.int("centres") {
		c := centre{at: make([]float64, columns)}
		for j := range c.at {
			c.at[j] = model.Float64()
		}
		c.class, c.spread, c.weight = model.Int(a.int("classes")), model.Float64(), model.Float64()
		g.centres = append(g.centres, c)
		g.weights += c.weight
	}
	g.moving = min(a.int("moving"), len(g.centres))
	if g.speed == 0 {
		g.moving = 0
	}
	model = a.rand("model_seed")
	for i := range g.moving {
		g.centres[i].direction = direction(model, columns)
	}
	return g, nil
}

// direction is a random vector of length 1 in the positive orthant.
func direction(r *JavaRandom, n int) []float64 {
	d, squares := make([]float64, n), 0.0
	for j := range d {
		d[j] = r.Float64()
		squares += float64(d[j] * d[j])
	}
	length := math.Sqrt(squares)
	for j := range d {
		d[j] /= length
	}
	return d
}

func (g *rbf) Meta() *Meta { return g.meta }

func (g *rbf) Drifts() []Drift {
	if g.moving == 0 {
		return nil
	}
	return []Drift{{Width: -1}}
}

func (g *rbf) Next(x []float64) float64 {
	g.travel()
	c := g.choose()
	squares := 0.0
	for i := range x {
		x[i] = g.rng.Float64()*2 - 1
	}
	for _, v := range x {
		squares += float64(v * v)
	}
	scale := g.rng.Normal() * c.spread / math.Sqrt(squares)
	for i := range x {
		x[i] = c.at[i] + float64(x[i]*scale)
	}
	return float64(c.class)
}

func (g *rbf) travel() {
	for i := range g.moving {
		c := &g.centres[i]
		for j, d := range c.direction {
			c.at[j] += float64(d * g.speed)
			if c.at[j] > 1 {
				c.at[j], c.direction[j] = 1, -d
			}
			if c.at[j] < 0 {
				c.at[j], c.direction[j] = 0, -c.direction[j]
			}
		}
	}
}

// choose draws a centre by weight.
func (g *rbf) choose() *centre {
	v, sum, i := g.rng.Float64()*g.weights, 0.0, 0
	for sum <= v && i < len(g.centres) {
		sum += g.centres[i].weight
		i++
	}
	return &g.centres[max(i-1, 0)]
}
