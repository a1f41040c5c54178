package forecasts

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/internal/spelling"
	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// columns are the places of what the options name in a file.
type columns struct {
	layout     string
	time, key  int // -1: none
	target     int
	regressors []int
	series     []int // of files with a column for each series
}

// columns finds layout and columns of a file.
func (d *data) columns(r *evaluate.Rows) (*columns, error) {
	layout := d.o.Layout
	if layout == "" {
		var err error
		if layout, err = d.detect(r); err != nil {
			return nil, err
		}
	}
	c := &columns{layout: layout, time: -1, key: -1, target: -1}
	if layout != "long" && len(d.o.Regressors) > 0 {
		return nil, fmt.Errorf("regressors: %s has a series in each of its %s, and no place for regressors: write a row for each key and time", r.Name(), strings.TrimSuffix(layout, "s")+"s")
	}
	switch layout {
	case "rows":
		c.key = max(slices.Index(r.Columns, d.o.Key), 0)
		if len(r.Columns) < 2 {
			return nil, fmt.Errorf("%s: a row of a series is an id and its values, and there is one column only", r.Name())
		}
		return c, nil
	case "columns":
		return c, d.wide(r, c)
	}
	return c, d.long(r, c)
}

// detect tells the layout by the names of columns: a file that has none of those that are named holds a row for each series; one with a time and no target a column for each.
func (d *data) detect(r *evaluate.Rows) (string, error) {
	has := func(name string) bool { return name != "" && slices.Contains(r.Columns, name) }
	o := d.o
	switch {
	case has(o.Target):
		return "long", nil
	case o.Target == "" && has(o.Time):
		return "columns", nil
	case o.Target == "" && o.Time == "" && has(o.Key):
		return "rows", nil
	case has(o.Time) || has(o.Key) && o.Target != "" || len(o.Regressors) > 0:
		return "long", nil // and the column that is not there is named
	}
	layout, why, err := sniff(r)
	if err != nil || layout != "" && (layout == "rows" || o.Time+o.Key+o.Target == "") {
		return layout, err
	}
	for _, name := range []string{o.Target, o.Time, o.Key} {
		if name != "" {
			_, err := find(r, "target, time or key", name)
			return "", err
		}
	}
	return "", fmt.Errorf("%s: its first row %s: say with --target, --key and --time which columns hold values, keys and times, or with --layout that each row or column is a series", r.Name(), why)
}

// sniff looks at the first row: an id and numbers only is a row of a series, a time and numbers only one of many.
func sniff(r *evaluate.Rows) (layout, why string, err error) {
	if err := r.Next(); err != nil {
		if err == io.EOF {
			err = fmt.Errorf("%s: there is no row after the first line, which names the columns", r.Name())
		}
		return "", "", err
	}
	fields := slices.Clone(r.Fields)
	for i := range fields {
		fields[i] = strings.Clone(fields[i])
	}
	if err := r.Rewind(true); err != nil {
		return "", "", err
	}
	for i, f := range fields[min(1, len(fields)):] {
		if _, ok := evaluate.Number(f); !ok && !evaluate.Missing(f) {
			return "", fmt.Sprintf("has the text %q in column %s", f, r.Columns[i+1]), nil
		}
	}
	if len(fields) < 2 {
		return "", "has one field only", nil
	}
	if _, ok := evaluate.Number(fields[0]); ok {
		return "", "begins with a number, which may be a key or a time", nil
	}
	if _, _, ok := new(clockReader).parse(fields[0]); ok {
		return "columns", "", nil
	}
	return "rows", "", nil
}

func find(r *evaluate.Rows, what, name string) (int, error) {
	if i := slices.Index(r.Columns, name); i >= 0 {
		return i, nil
	}
	mend := spelling.DidYouMean(name, r.Columns)
	if mend == "" {
		const most = 40
		mend = "its columns are " + strings.Join(r.Columns[:min(most, len(r.Columns))], ", ")
		if len(r.Columns) > most {
			mend += fmt.Sprintf(" and %d more", len(r.Columns)-most)
		}
	}
	return -1, fmt.Errorf("%s: no column %q in %s: %s", what, name, r.Name(), mend)
}

func (d *data) long(r *evaluate.Rows, c *columns) error {
	if d.o.Target == "" {
		return fmt.Errorf("target: none given: name the column of values with --target; %s has %s", r.Name(), strings.Join(r.Columns, ", "))
	}
	var err error
	if c.target, err = find(r, "target", d.o.Target); err != nil {
		return err
	}
	if d.o.Time != "" {
		if c.time, err = find(r, "time", d.o.Time); err != nil {
			return err
		}
	}
	if d.o.Key != "" {
		if c.key, err = find(r, "key", d.o.Key); err != nil {
			return err
		}
	}
	for _, name := range d.o.Regressors {
		i, err := find(r, "regressors", name)
		if err != nil {
			return err
		}
		if i == c.target || i == c.time || i == c.key || slices.Contains(c.regressors, i) {
			return fmt.Errorf("regressors: %s is target, time or key, or there twice", name)
		}
		c.regressors = append(c.regressors, i)
	}
	return nil
}

// wide finds the columns of series: all but the time and those that are dropped.
func (d *data) wide(r *evaluate.Rows, c *columns) error {
	switch {
	case d.o.Time != "":
		i, err := find(r, "time", d.o.Time)
		if err != nil {
			return err
		}
		c.time = i
	case d.o.Layout == "":
		c.time = 0
	}
	for _, name := range d.o.Drop {
		if _, err := find(r, "drop", name); err != nil {
			return err
		}
	}
	for i, name := range r.Columns {
		if i != c.time && !slices.Contains(d.o.Drop, name) {
			c.series = append(c.series, i)
		}
	}
	if len(c.series) == 0 {
		return fmt.Errorf("%s: no column of a series is left", r.Name())
	}
	return nil
}
