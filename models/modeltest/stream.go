package modeltest

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// Source is a file of comma-separated values and how it is read as a stream of examples.
type Source struct {
	File   string // its name without .csv.gz
	Folder string // where it lies; "": in the folder that FRESHET_DATA names
	Target string // the column of the label
	// Classes are the texts of the label, class 0 first; two of them make a binary stream. Without classes labels are numbers.
	Classes []string
	Nominal []string // columns of categories
	Drop    []string // columns that are left out
}

// References are the streams that figures of other libraries are known for. Their files are not part of the repository: some state no licence.
var References = map[string]Source{
	"elec2":            {File: "elec2", Target: "class", Classes: []string{"DOWN", "UP"}, Nominal: []string{"day"}},
	"elec2num":         {File: "elec2", Target: "class", Classes: []string{"DOWN", "UP"}},
	"electricity_tiny": {File: "electricity_tiny", Target: "class", Classes: []string{"0", "1"}},
	"phishing":         {File: "phishing", Target: "is_phishing", Classes: []string{"0", "1"}},
	"bananas":          {File: "bananas", Target: "label", Classes: []string{"0", "1"}},
	"sea_stream":       {File: "sea_stream", Target: "class", Classes: []string{"0", "1"}},
	"segment":          {File: "segment", Target: "category", Classes: []string{"brickface", "sky", "foliage", "cement", "window", "path", "grass"}},
	"fried":            {File: "fried", Target: "target"},
	"bike":             {File: "bike_sharing_hour", Target: "cnt", Drop: []string{"instant", "dteday", "casual", "registered"}},
	"trump_approval":   {File: "trump_approval", Target: "five_thirty_eight"},
}

// Stream is a stream in memory. Its environment has schema, task, classes and seed 1; examples have weight 1 and the time of their place in
// seconds.
type Stream struct {
	Env      models.Env
	Examples []models.Example
}

// ReadReference reads one of References, or skips the test when its file is not there.
func ReadReference(t testing.TB, name string) Stream {
	t.Helper()
	s, ok := References[name]
	if !ok {
		t.Fatalf("%s is no reference stream", name)
	}
	return ReadStream(t, s)
}

// ReadStream reads a stream, or skips the test when the file is not there. A file that is not as the source says fails the test.
func ReadStream(t testing.TB, s Source) Stream {
	t.Helper()
	out, err := s.parse(open(t, s.Folder, s.File+".csv"))
	if err != nil {
		t.Fatalf("%s.csv.gz: %v", s.File, err)
	}
	return out
}

// OpenReference opens <name>.gz in the folder that FRESHET_DATA names and unpacks it, until the test ends. It skips the test when the file
// is not there.
func OpenReference(t testing.TB, name string) io.Reader {
	t.Helper()
	return open(t, "", name)
}

func open(t testing.TB, folder, name string) io.Reader {
	t.Helper()
	if folder == "" {
		folder = os.Getenv("FRESHET_DATA")
	}
	f, err := os.Open(filepath.Join(folder, name+".gz"))
	if err != nil {
		t.Skipf("%s.gz is not here: FRESHET_DATA does not name the folder that holds it (%v)", name, err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%s.gz: %v", name, err)
	}
	return z
}

// parse reads a stream. Empty cells are missing; of others that are no numbers the error tells line and column.
func (s Source) parse(r io.Reader) (Stream, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return Stream{}, err
	}
	if len(rows) == 0 || !slices.Contains(rows[0], s.Target) {
		return Stream{}, fmt.Errorf("no column %s", s.Target)
	}
	head := rows[0]
	out := Stream{Env: models.Env{Schema: &features.Schema{}, Task: s.task(), Classes: len(s.Classes), Seed: 1}}
	for _, name := range head {
		if name == s.Target || slices.Contains(s.Drop, name) {
			continue
		}
		c := features.Column{Name: name}
		if slices.Contains(s.Nominal, name) {
			c.Kind = features.Categorical
		}
		out.Env.Schema.Columns = append(out.Env.Schema.Columns, c)
	}
	for i, row := range rows[1:] {
		e := models.Example{Weight: 1, Time: int64(i) * 1e6}
		for k, text := range row {
			switch name := head[k]; {
			case name == s.Target:
				e.Y, err = s.label(text)
			case !slices.Contains(s.Drop, name):
				var x float64
				x, err = s.value(name, text)
				e.Value = append(e.Value, x)
			}
			if err != nil {
				return Stream{}, fmt.Errorf("line %d, column %s: %w", i+2, head[k], err)
			}
		}
		out.Examples = append(out.Examples, e)
	}
	return out, nil
}

func (s Source) task() models.Task {
	switch len(s.Classes) {
	case 0:
		return models.Regression
	case 2:
		return models.Binary
	}
	return models.Multiclass
}

func (s Source) value(column, text string) (float64, error) {
	switch {
	case text == "":
		return math.NaN(), nil
	case slices.Contains(s.Nominal, column):
		return features.Category(text), nil
	}
	return strconv.ParseFloat(text, 64)
}

func (s Source) label(text string) (float64, error) {
	if s.Classes == nil {
		return strconv.ParseFloat(text, 64)
	}
	k := slices.Index(s.Classes, text)
	if k < 0 {
		return 0, fmt.Errorf("%q is none of the classes %q", text, s.Classes)
	}
	return float64(k), nil
}

// Score is what Progressive finds. What does not fit the task is 0.
type Score struct {
	Accuracy float64 // share of the examples in [0, 1]; a probability of ½ is class 0, and so is the first of equal ones
	KappaT   float64 // accuracy against that of answering with the label before; at most 1
	LogLoss  float64 // nats; probabilities below 1e-15 count as that
	MAE      float64 // in the label's unit, as RMSE
	RMSE     float64
}

// Progressive predicts, observes and scores each example of a stream, and lets the model learn it, with the answer of then, when delay others
// have been predicted since: with 0 at once. The last ones are learned at the end. The scores are plain means over the stream, apart from
// the code of models/metric.
func Progressive(m models.Learner, s Stream, delay int) Score {
	var sum Score
	pasts := make([][]float64, delay+1)
	answer := models.AnswerLen(s.Env.Task, s.Env.Classes)
	same, last, n := 0.0, math.NaN(), len(s.Examples)
	var e models.Example
	for i := range n + delay {
		if i < n {
			e = s.Examples[i]
			e.Y = math.NaN() // not known yet
			past := &pasts[i%(delay+1)]
			*past = m.Predict((*past)[:0], &e)
			m.Observe(&e)
			y := s.Examples[i].Y
			sum.add((*past)[:answer], y, s.Env.Task)
			if y == last {
				same++
			}
			last = y
		}
		if k := i - delay; k >= 0 {
			m.Learn(&s.Examples[k], pasts[k%(delay+1)])
		}
	}
	return sum.means(float64(n), same, s.Env.Task)
}

// add adds up what one answer is worth.
func (s *Score) add(answer []float64, y float64, task models.Task) {
	switch task {
	case models.Binary:
		p := answer[0]
		if (p > 0.5) == (y == 1) {
			s.Accuracy++
		}
		if y == 0 {
			p = 1 - p
		}
		s.LogLoss -= math.Log(max(p, 1e-15))
	case models.Multiclass:
		best := 0
		for k, p := range answer {
			if p > answer[best] {
				best = k
			}
		}
		if best == int(y) {
			s.Accuracy++
		}
		s.LogLoss -= math.Log(max(answer[int(y)], 1e-15))
	default:
		d := answer[0] - y
		s.MAE += math.Abs(d)
		s.RMSE += d * d
	}
}

// means turns sums over n examples, of which same had the label of the one before, into scores.
func (s Score) means(n, same float64, task models.Task) Score {
	out := Score{Accuracy: s.Accuracy / n, LogLoss: s.LogLoss / n, MAE: s.MAE / n, RMSE: math.Sqrt(s.RMSE / n)}
	if task != models.Regression && same < n {
		out.KappaT = (out.Accuracy - same/n) / (1 - same/n)
	}
	return out
}
