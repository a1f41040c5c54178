package generator

var hyperplaneSpec = Spec{
	Name: "hyperplane",
	Doc: "Class class2 above a hyperplane through the middle of the unit cube. With change the first drifting weights grow or fall by it in every row and turn " +
		"round now and then: a drift that never stops.",
	Source: "Hulten, Spencer & Domingos, Mining Time-Changing Data Streams, KDD 2001, §5; rows as MOA's HyperplaneGenerator",
	Params: []Param{
		rowSeed,
		count("columns", 10, 1, 10000, "number of features"),
		count("drifting", 2, 0, 10000, "features whose weight changes"),
		{Name: "change", Max: 1, Doc: "change of a weight in a row"},
		count("noise", 5, 0, 100, "percent of labels that are turned round"),
		count("turn", 10, 0, 100, "percent of rows after which a weight changes its direction"),
	},
	New: func(a Args) (Stream, error) {
		columns := a.int("columns")
		h := &hyperplane{meta: &Meta{Columns: numeric("att", columns), Target: "class", Classes: names("class", 2)}, rng: a.rand("seed"),
			change: a.float("change"), noise: a.int("noise"), turn: a.int("turn"), weights: make([]float64, columns)}
		for i := range h.weights {
			h.weights[i] = h.rng.Float64()
		}
		for range min(a.int("drifting"), columns) {
			h.directions = append(h.directions, 1)
		}
		return h, nil
	},
}

type hyperplane struct {
	meta        *Meta
	rng         *JavaRandom
	weights     []float64
	directions  []float64 // of the weights that change: 1 or −1
	change      float64
	noise, turn int
}

func (h *hyperplane) Meta() *Meta { return h.meta }

func (h *hyperplane) Drifts() []Drift {
	if h.change == 0 || len(h.directions) == 0 {
		return nil
	}
	return []Drift{{Width: -1}}
}

func (h *hyperplane) Next(x []float64) float64 {
	sum, weights := 0.0, 0.0
	for i := range x {
		x[i] = h.rng.Float64()
		sum += float64(h.weights[i] * x[i])
		weights += h.weights[i]
	}
	class := boolClass(sum >= weights*0.5)
	if flips(h.rng, h.noise) {
		class = 1 - class
	}
	for i, d := range h.directions {
		h.weights[i] += float64(d * h.change)
		if flips(h.rng, h.turn) {
			h.directions[i] = -d
		}
	}
	return float64(class)
}
