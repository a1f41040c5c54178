package generator

import "math"

var agrawalSpec = Spec{
	Name: "agrawal",
	Doc: "People who ask for a loan, six numbers and three categories; ten functions of a few of them decide into two groups. Numbers are perturbed after " +
		"the decision. (As in MOA, the perturbed value of a house is at most 135,000, whatever it was.)",
	Source: "Agrawal, Imieliński & Swami, Database Mining: A Performance Perspective, IEEE TKDE 5(6), 1993, appendix; rows as MOA's AgrawalGenerator",
	Params: []Param{rowSeed, count("concept", 1, 1, 10, "which function"), share("perturb", 0.05, "perturbation of numbers, as a share of their range"), balanceParam},
	New: func(a Args) (Stream, error) {
		m := &Meta{Target: "class", Classes: []string{"groupA", "groupB"}}
		levels := make([]string, 5)
		for i := range levels {
			levels[i] = "level" + string(rune('0'+i))
		}
		m.Columns = []Column{{"salary", nil}, {"commission", nil}, {"age", nil}, {"elevel", levels}, {"car", names("car", 20)}, {"zipcode", names("zipcode", 9)},
			{"hvalue", nil}, {"hyears", nil}, {"loan", nil}}
		return &agrawal{meta: m, rng: a.rand("seed"), decide: agrawalConcepts[a.int("concept")-1], perturb: a.float("perturb"), balance: newBalanced(a)}, nil
	},
}

type agrawal struct {
	meta    *Meta
	rng     *JavaRandom
	decide  func(*applicant) bool // group A
	perturb float64
	balance balanced
	row     applicant // the one that is made
}

// applicant is a row before it is perturbed.
type applicant struct {
	salary, commission, age, level, car, zip, house, years, loan float64
}

func (g *agrawal) Meta() *Meta     { return g.meta }
func (g *agrawal) Drifts() []Drift { return nil }

func (g *agrawal) Next(x []float64) float64 {
	for {
		p := &g.row
		g.draw(p)
		class := boolClass(!g.decide(p))
		if !g.balance.takes(class) {
			continue
		}
		g.disturb(p)
		x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8] = p.salary, p.commission, p.age, p.level, p.car, p.zip, p.house, p.years, p.loan
		return float64(class)
	}
}

func (g *agrawal) draw(p *applicant) {
	*p = applicant{}
	p.salary = 20000 + float64(130000*g.rng.Float64())
	if p.salary < 75000 {
		p.commission = 10000 + float64(65000*g.rng.Float64())
	}
	p.age = float64(20 + g.rng.Int(61))
	p.level = float64(g.rng.Int(5))
	p.car = float64(g.rng.Int(20))
	p.zip = float64(g.rng.Int(9))
	p.house = (9 - p.zip) * 100000 * (0.5 + g.rng.Float64())
	p.years = float64(1 + g.rng.Int(30))
	p.loan = g.rng.Float64() * 500000
}

func (g *agrawal) disturb(p *applicant) {
	if g.perturb == 0 {
		return
	}
	p.salary = g.move(p.salary, 130000, 20000, 150000)
	if p.commission > 0 {
		p.commission = g.move(p.commission, 65000, 10000, 75000)
	}
	p.age = math.Floor(g.move(p.age, 60, 20, 80) + 0.5)
	p.house = g.move(p.house, (9-p.zip)*100000, 0, 135000)
	p.years = math.Floor(g.move(p.years, 29, 1, 30) + 0.5)
	p.loan = g.move(p.loan, 500000, 0, 500000)
}

func (g *agrawal) move(v, width, low, high float64) float64 {
	v += float64(width * (2 * (g.rng.Float64() - 0.5)) * g.perturb)
	return min(max(v, low), high)
}

func within(x, low, high float64) bool { return low <= x && x <= high }

// byAge picks the value of the age group: below 40, below 60, and the rest.
func byAge[T any](p *applicant, young, middle, old T) T {
	switch {
	case p.age < 40:
		return young
	case p.age < 60:
		return middle
	}
	return old
}

// band is a range of money, in thousands.
type band [2]float64

func (b band) holds(x float64) bool { return within(x, b[0]*1000, b[1]*1000) }

// agrawalConcepts are the ten functions, true for group A.
var agrawalConcepts = [10]func(*applicant) bool{
	func(p *applicant) bool { return byAge(p, true, false, true) },
	func(p *applicant) bool { return byAge(p, band{50, 100}, band{75, 125}, band{25, 75}).holds(p.salary) },
	func(p *applicant) bool { return schooled(p) },
	func(p *applicant) bool {
		if schooled(p) {
			return byAge(p, band{25, 75}, band{50, 100}, band{50, 100}).holds(p.salary)
		}
		return byAge(p, band{50, 100}, band{75, 125}, band{25, 75}).holds(p.salary)
	},
	func(p *applicant) bool {
		if byAge(p, band{50, 100}, band{75, 125}, band{25, 75}).holds(p.salary) {
			return byAge(p, band{100, 300}, band{200, 400}, band{300, 500}).holds(p.loan)
		}
		return byAge(p, band{200, 400}, band{300, 500}, band{100, 300}).holds(p.loan)
	},
	func(p *applicant) bool {
		return byAge(p, band{50, 100}, band{75, 125}, band{25, 75}).holds(p.salary + p.commission)
	},
	func(p *applicant) bool { return income(p)-p.loan/5-20000 > 0 },
	func(p *applicant) bool { return income(p)-5000*p.level-20000 > 0 },
	func(p *applicant) bool { return income(p)-5000*p.level-p.loan/5-10000 > 0 },
	func(p *applicant) bool {
		equity := 0.0
		if p.years >= 20 {
			equity = p.house * (p.years - 20) / 10
		}
		return income(p)-5000*p.level+equity/5-10000 > 0
	},
}

func income(p *applicant) float64 { return 2 * (p.salary + p.commission) / 3 }

// schooled reports whether the level of education is in the range of the age group.
func schooled(p *applicant) bool {
	r := byAge(p, [2]float64{0, 1}, [2]float64{1, 3}, [2]float64{2, 4})
	return within(p.level, r[0], r[1])
}
