package generator

var ledSpec = Spec{
	Name: "led",
	Doc: "The digit that seven segments of a display show, some of them inverted by noise; 17 more features mean nothing. " +
		"drift_attributes swaps the first segments with meaningless features: two streams of different numbers of them make a drift.",
	Source: "Breiman et al., Classification and Regression Trees, 1984, §2.6.1; rows as MOA's LEDGeneratorDrift (LEDGenerator with drift_attributes=0)",
	Params: []Param{
		rowSeed,
		count("noise", 10, 0, 100, "percent of segments that are inverted"),
		count("drift_attributes", 0, 0, 7, "segments that have changed their place"),
		flag("plain", "1: without the features that mean nothing"),
	},
	New: newLED,
}

const ledNoise = 17 // features that mean nothing

// segments are the lights of the digits, from the top: top, upper left and right, middle, lower left and right, bottom.
var segments = [10][7]float64{
	{1, 1, 1, 0, 1, 1, 1}, {0, 0, 1, 0, 0, 1, 0}, {1, 0, 1, 1, 1, 0, 1}, {1, 0, 1, 1, 0, 1, 1}, {0, 1, 1, 1, 0, 1, 0},
	{1, 1, 0, 1, 0, 1, 1}, {1, 1, 0, 1, 1, 1, 1}, {1, 0, 1, 0, 0, 1, 0}, {1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 0, 1, 1},
}

type led struct {
	meta  *Meta
	rng   *JavaRandom
	noise int
	place []int // column of a segment, then of a meaningless feature
}

func newLED(a Args) (Stream, error) {
	l := &led{meta: &Meta{Target: "class", Classes: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}}, rng: a.rand("seed"), noise: a.int("noise")}
	columns := 7 + ledNoise
	if a.flag("plain") {
		columns = 7
	}
	for i, n := range names("att", columns) {
		l.meta.Columns = append(l.meta.Columns, Column{n, []string{"0", "1"}})
		l.place = append(l.place, i)
	}
	for i := range a.int("drift_attributes") {
		if columns > 7 {
			l.place[i], l.place[7+i] = 7+i, i
		}
	}
	return l, nil
}

func (l *led) Meta() *Meta     { return l.meta }
func (l *led) Drifts() []Drift { return nil }

func (l *led) Next(x []float64) float64 {
	digit := l.rng.Int(10)
	for i, on := range segments[digit] {
		if flips(l.rng, l.noise) {
			on = 1 - on
		}
		x[l.place[i]] = on
	}
	for _, at := range l.place[7:] {
		x[at] = float64(l.rng.Int(2))
	}
	return float64(digit)
}
