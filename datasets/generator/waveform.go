package generator

var waveformSpec = Spec{
	Name: "waveform",
	Doc: "Random mixtures of two of three triangular waves, sampled at 21 places with standard normal noise; the class says which two. The best possible " +
		"accuracy is about .86.",
	Source: "Breiman et al., Classification and Regression Trees, 1984, §2.6.2; rows as MOA's WaveformGenerator",
	Params: []Param{rowSeed, flag("noise", "1: 19 more features of noise alone")},
	New: func(a Args) (Stream, error) {
		columns := waves
		if a.flag("noise") {
			columns = 40
		}
		return &waveform{meta: &Meta{Columns: numeric("att", columns), Target: "class", Classes: names("class", 3)}, rng: a.rand("seed")}, nil
	},
}

const waves = 21 // places at which waves are sampled

type waveform struct {
	meta *Meta
	rng  *JavaRandom
}

func (w *waveform) Meta() *Meta     { return w.meta }
func (w *waveform) Drifts() []Drift { return nil }

// wave is a triangle of height 6 at a place.
func wave(peak, i int) float64 { return float64(max(6-max(peak-i, i-peak), 0)) }

// wavePairs are the peaks of the two waves of each class.
var wavePairs = [3][2]int{{6, 14}, {6, 10}, {14, 10}}

func (w *waveform) Next(x []float64) float64 {
	class := w.rng.Int(3)
	peaks := wavePairs[class]
	a := w.rng.Float64()
	for i := range waves {
		x[i] = float64(a*wave(peaks[0], i)) + float64((1-a)*wave(peaks[1], i)) + w.rng.Normal()
	}
	for i := waves; i < len(x); i++ {
		x[i] = w.rng.Normal()
	}
	return float64(class)
}
