package evaluate

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// maxClasses bounds the classes of a target: more distinct texts are an identifier.
const maxClasses = 1000

// table is what the first reading of a file found.
type table struct {
	task    models.Task
	schema  *features.Schema
	from    []int // by column of the schema: the column of the file
	target  int
	time    int // -1: none
	key     int // -1: none
	labels  []string
	class   map[string]float64
	rows    int64
	labeled int64
}

// survey reads the file once: which columns hold numbers only, which labels there are, how many rows.
type survey struct {
	o      *Options
	header []string
	texts  []bool   // the column holds a field that is no number
	odd    []string // the first such field, with its line
	labels map[string]struct{}
	many   bool // more labels than a classification may have
	table
}

func look(s *source, o *Options) (*table, error) {
	r, err := s.rows()
	if err != nil {
		return nil, err
	}
	defer r.close()
	v := &survey{o: o, header: r.header, texts: make([]bool, len(r.header)), odd: make([]string, len(r.header)), labels: map[string]struct{}{}}
	if err := v.columns(r.name); err != nil {
		return nil, err
	}
	for o.Limit == 0 || v.rows < o.Limit {
		record, err := r.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		v.row(r, record)
	}
	if v.rows == 0 {
		return nil, fmt.Errorf("%s: there is no row after the first line, which names the columns", r.name)
	}
	if err := v.decideTask(r.name); err != nil {
		return nil, err
	}
	return v.finish(r.name)
}

// columns finds the columns that the options name.
func (v *survey) columns(name string) error {
	var err error
	if v.o.Target == "" {
		return fmt.Errorf("target: none given: name the column to predict with --target; %s has %s", name, strings.Join(v.header, ", "))
	}
	if v.target, err = v.find(name, "target", v.o.Target); err != nil {
		return err
	}
	v.time, v.key = -1, -1
	if v.o.Time != "" {
		if v.time, err = v.find(name, "time", v.o.Time); err != nil {
			return err
		}
	}
	if v.o.Key != "" {
		if v.key, err = v.find(name, "key", v.o.Key); err != nil {
			return err
		}
	}
	for _, c := range v.o.Drop {
		i, err := v.find(name, "drop", c)
		if err != nil {
			return err
		}
		if i == v.target {
			return fmt.Errorf("drop: %s is the target", c)
		}
	}
	for _, c := range v.o.Categorical {
		if _, err := v.find(name, "categorical", c); err != nil {
			return err
		}
	}
	return nil
}

func (v *survey) find(file, what, column string) (int, error) {
	if i := slices.Index(v.header, column); i >= 0 {
		return i, nil
	}
	mend := nearest(column, v.header)
	if mend == "" {
		mend = "its columns are " + strings.Join(v.header, ", ")
	}
	return 0, fmt.Errorf("%s: no column %q in %s: %s", what, column, file, mend)
}

// nearest says which column a misspelt name may mean, "" if none is near.
func nearest(name string, columns []string) string {
	s := &features.Schema{}
	for _, c := range columns {
		s.Columns = append(s.Columns, features.Column{Name: c})
	}
	_, err := models.SelectColumns(models.Env{Schema: s}, []string{name}, true)
	var all models.SpecErrors
	if errors.As(err, &all) && len(all) > 0 {
		return all[0].Mend
	}
	return ""
}

func (v *survey) row(r *rows, record []string) {
	v.rows++
	for i, f := range record {
		if v.texts[i] || missing(f) {
			continue
		}
		x, ok := number(f)
		if !ok || i == v.target && math.IsInf(x, 0) {
			v.texts[i] = true
			v.odd[i] = fmt.Sprintf("%s:%d: %q", r.name, r.line(), strings.Clone(f))
		}
	}
	y := record[v.target]
	if missing(y) {
		return
	}
	v.labeled++
	if _, ok := v.labels[y]; !ok && !v.many {
		v.labels[strings.Clone(y)] = struct{}{}
		v.many = len(v.labels) > maxClasses
	}
}

// decideTask finds the task, and the classes in their order.
func (v *survey) decideTask(name string) error {
	numeric := !v.texts[v.target]
	v.task = v.o.Task
	v.table.labels, v.class = classes(v.labels, numeric)
	n := len(v.table.labels)
	if v.task == 0 {
		switch {
		case n == 2:
			v.task = models.Binary
		case numeric:
			v.task = models.Regression
		default:
			v.task = models.Multiclass
		}
	}
	target := v.header[v.target]
	switch {
	case n == 0:
		return fmt.Errorf("target %s: no row of %s has a value there", target, name)
	case n == 1:
		return fmt.Errorf("target %s: every row of %s has the value %s: there is nothing to learn", target, name, v.table.labels[0])
	}
	switch v.task {
	case models.Regression:
		if !numeric {
			return fmt.Errorf("target %s: %s is no finite number: mend it, or choose --task binary or multiclass", target, v.odd[v.target])
		}
		v.table.labels = nil
	case models.Binary, models.Anomaly:
		if n != 2 {
			return fmt.Errorf("target %s: %s values, and the task %s wants two: choose --task multiclass or regression", target, v.howMany(), v.task)
		}
	case models.Multiclass:
		if v.many {
			return fmt.Errorf("target %s: %s distinct values: this looks like a name or an identifier, not a class: choose another --target, or --task regression", target, v.howMany())
		}
	default:
		return fmt.Errorf("task %s: evaluate takes binary, multiclass, regression and anomaly", v.task)
	}
	return nil
}

func (v *survey) howMany() string {
	if v.many {
		return fmt.Sprintf("more than %d", maxClasses)
	}
	return fmt.Sprint(len(v.table.labels))
}

// classes orders labels by number if all are numbers, else by text, and gives each its class. Texts of one number, such as 1 and 1.0, are one
// class, named by the first of them as texts are ordered.
func classes(set map[string]struct{}, numeric bool) (labels []string, class map[string]float64) {
	texts := slices.Sorted(maps.Keys(set))
	value := func(s string) float64 {
		x, _ := number(s)
		return x
	}
	if numeric {
		slices.SortStableFunc(texts, func(a, b string) int { return cmp.Compare(value(a), value(b)) })
	}
	class = make(map[string]float64, len(texts))
	for i, t := range texts {
		if i == 0 || !numeric || value(t) > value(texts[i-1]) {
			labels = append(labels, t)
		}
		class[t] = float64(len(labels) - 1)
	}
	return labels, class
}

// finish makes the schema: every column but the target, the time, the key and those dropped; numeric if all of its values are.
func (v *survey) finish(name string) (*table, error) {
	t := &v.table
	t.schema = &features.Schema{}
	for i, c := range v.header {
		if i == t.target || i == t.time || i == t.key || slices.Contains(v.o.Drop, c) {
			continue
		}
		kind := features.Numeric
		if v.texts[i] || slices.Contains(v.o.Categorical, c) {
			kind = features.Categorical
		}
		t.schema.Columns = append(t.schema.Columns, features.Column{Name: c, Kind: kind})
		t.from = append(t.from, i)
	}
	if len(t.from) == 0 {
		return nil, fmt.Errorf("%s: no column is left for the model to see", name)
	}
	return t, nil
}

// fill writes the features of a row; a field that is missing or infinite is NaN.
func (t *table) fill(dst []float64, record []string) {
	for i, c := range t.schema.Columns {
		f := record[t.from[i]]
		dst[i] = math.NaN()
		switch {
		case missing(f):
		case c.Kind == features.Categorical:
			dst[i] = features.Category(f)
		default:
			if x, ok := number(f); ok && !math.IsInf(x, 0) {
				dst[i] = x
			}
		}
	}
}

// label is the number that stands for the target of a row, NaN if it is missing.
func (t *table) label(record []string) float64 {
	f := record[t.target]
	if missing(f) {
		return math.NaN()
	}
	if t.task == models.Regression {
		y, _ := number(f)
		return y
	}
	return t.class[f]
}
