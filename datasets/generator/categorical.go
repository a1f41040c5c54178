package generator

import (
	"math"
	"sort"
	"strconv"

	"github.com/freshet-ml/freshet/features"
)

// Truth is a stream that knows the probability behind each label. The mean entropy of it is the log-loss of the best
// possible model, the Bayes log-loss.
type Truth interface {
	Stream
	// Probability is that of class 1 for the row that Next gave last, in (0, 1).
	Probability() float64
}

var categoricalSpec = Spec{
	Name: "categorical",
	Doc: "Ten categories of 100 to 100,000 values, few of which are frequent, and two classes. Each value has an effect of its own, eight pairs of columns " +
		"act together by products of latent vectors, and a twentieth of the labels are coins. It does not drift. docs/adr/0012-categorical-generator.md has the " +
		"log-loss of the best possible model.",
	Source: "own; the interactions are those of Rendle, Factorization Machines, ICDM 2010, §III, with a vector for each pair as in Juan et al., RecSys 2016",
	Params: []Param{rowSeed, seed("rule_seed", "seed of effects and vectors; the seed of the rows unless given")},
	New:    newCategorical,
}

// What docs/adr/0012-categorical-generator.md fixes. None of it may change: the figures there are of these.
var (
	categoricalSizes = [...]int{100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000}
	categoricalPairs = [...][2]int{{0, 1}, {0, 4}, {1, 6}, {2, 3}, {2, 7}, {3, 8}, {4, 5}, {5, 9}}
)

const (
	categoricalZipf  = 1.1  // a value of rank r is drawn with a chance proportional to r^-1.1
	categoricalMain  = 0.4  // standard deviation of the effect of a value
	categoricalPair  = 0.5  // standard deviation of what a pair adds
	categoricalRank  = 3    // length of a latent vector
	categoricalNoise = 0.05 // share of labels that are coins
)

// categorical draws rows; effects and vectors are functions of the rule's seed, so no table of them is kept.
type categorical struct {
	meta *Meta
	rng  *JavaRandom
	rule uint64
	upTo [][]float64 // by column: chance of a value of this rank or a smaller one
	p    float64
}

func newCategorical(a Args) (Stream, error) {
	c := &categorical{rng: a.rand("seed"), rule: features.Mix(uint64(a.int("rule_seed"))),
		meta: &Meta{Target: "class", Classes: []string{"0", "1"}}}
	for i, size := range categoricalSizes {
		values, upTo, sum := make([]string, size), make([]float64, size), 0.0
		for r := range values {
			values[r] = strconv.Itoa(r + 1)
			sum += math.Pow(float64(r+1), -categoricalZipf)
			upTo[r] = sum
		}
		for r := range upTo {
			upTo[r] /= sum
		}
		c.meta.Columns = append(c.meta.Columns, Column{"c" + strconv.Itoa(i+1), values})
		c.upTo = append(c.upTo, upTo)
	}
	return c, nil
}

func (c *categorical) Meta() *Meta          { return c.meta }
func (c *categorical) Drifts() []Drift      { return nil }
func (c *categorical) Probability() float64 { return c.p }

func (c *categorical) Next(x []float64) float64 {
	for i, upTo := range c.upTo {
		x[i] = float64(sort.SearchFloat64s(upTo[:len(upTo)-1], c.rng.Float64()))
	}
	c.p = categoricalNoise/2 + float64((1-categoricalNoise)/(1+math.Exp(-c.score(x))))
	return float64(boolClass(c.rng.Float64() < c.p))
}

// score is the log-odds before the noise.
func (c *categorical) score(x []float64) float64 {
	z := 0.0
	for i := range categoricalSizes {
		z += float64(categoricalMain * c.normal(uint64(i), x[i]))
	}
	for k, pair := range categoricalPairs {
		dot := 0.0
		for f := range categoricalRank {
			at := uint64(100 + 10*k + f)
			dot += float64(c.normal(2*at, x[pair[0]]) * c.normal(2*at+1, x[pair[1]]))
		}
		z += float64(categoricalPair / math.Sqrt(categoricalRank) * dot)
	}
	return z
}

// normal is a number of mean 0 and variance 1 that belongs to a value: the sum of four uniform ones, scaled.
func (c *categorical) normal(what uint64, value float64) float64 {
	h := features.Mix(features.Mix(c.rule+what*0x9e3779b97f4a7c15) + uint64(value)*0xd1342543de82ef95)
	sum := float64(h&0xffff) + float64(h>>16&0xffff) + float64(h>>32&0xffff) + float64(h>>48)
	return ((sum+2)/(1<<16) - 2) * math.Sqrt(3)
}
