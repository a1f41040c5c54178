package metric

import "github.com/freshet-ml/freshet/internal/codec"

// tally is what all metrics of decided classes read: the margins and the diagonal of the confusion
// matrix, and how often two rules that need no features would have been right.
type tally struct {
	hits      []float64 // weight of class c, answered as c
	truth     []float64 // weight of class c
	predicted []float64 // weight answered as c
	noChange  float64   // weight that the label before would have hit; class 0 before the first
	majority  float64   // weight that the majority of the labels before would have hit; class 0 before the first
	last      int
	most      int // class of the greatest truth so far, the lowest on a tie
}

func (t *tally) init(classes int) {
	t.hits, t.truth, t.predicted = make([]float64, classes), make([]float64, classes), make([]float64, classes)
}

func (t *tally) add(y, predicted int, w float64) {
	if y == predicted {
		t.hits[y] += w
	}
	if y == t.last {
		t.noChange += w
	}
	if y == t.most {
		t.majority += w
	}
	t.truth[y] += w
	t.predicted[predicted] += w
	t.last = y
	if t.truth[y] > t.truth[t.most] || t.truth[y] == t.truth[t.most] && y < t.most {
		t.most = y
	}
}

// agreement is the share of correct answers.
func (t *tally) agreement() float64 { return ratio(sum(t.hits), sum(t.truth)) }

func sum(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s
}

func (t *tally) state(c *codec.State) {
	for i := range t.truth {
		c.Float64(&t.hits[i])
		c.Float64(&t.truth[i])
		c.Float64(&t.predicted[i])
	}
	c.Float64(&t.noChange)
	c.Float64(&t.majority)
	c.Int(&t.last)
	c.Int(&t.most)
	if t.last < 0 || t.last >= len(t.truth) || t.most < 0 || t.most >= len(t.truth) {
		c.Fail("class %d or %d of %d", t.last, t.most, len(t.truth))
		t.last, t.most = 0, 0
	}
}
