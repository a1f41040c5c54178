package generator

var staggerSpec = Spec{
	Name: "stagger",
	Doc: "Things of three sizes, colours and shapes; true are the small red ones (concept 1), the green or round ones (2), those that are not small (3). " +
		"No noise.",
	Source: "Schlimmer & Granger, Incremental Learning from Noisy Data, Machine Learning 1, 1986; rows as MOA's STAGGERGenerator",
	Params: []Param{rowSeed, count("concept", 1, 1, 3, "which rule"), balanceParam},
	New: func(a Args) (Stream, error) {
		m := &Meta{Target: "class", Classes: []string{"false", "true"}, Columns: []Column{
			{"size", []string{"small", "medium", "large"}}, {"color", []string{"red", "blue", "green"}}, {"shape", []string{"circle", "square", "triangle"}},
		}}
		return &stagger{meta: m, rng: a.rand("seed"), concept: a.int("concept"), balance: newBalanced(a)}, nil
	},
}

type stagger struct {
	meta    *Meta
	rng     *JavaRandom
	concept int
	balance balanced
}

func (s *stagger) Meta() *Meta     { return s.meta }
func (s *stagger) Drifts() []Drift { return nil }

func (s *stagger) Next(x []float64) float64 {
	for {
		size, color, shape := s.rng.Int(3), s.rng.Int(3), s.rng.Int(3)
		var is bool
		switch s.concept {
		case 1:
			is = size == 0 && color == 0
		case 2:
			is = color == 2 || shape == 0
		default:
			is = size > 0
		}
		class := boolClass(is)
		if s.balance.takes(class) {
			x[0], x[1], x[2] = float64(size), float64(color), float64(shape)
			return float64(class)
		}
	}
}
