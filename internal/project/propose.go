package project

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// Proposal is what a data file suggests for a project. Everything in it is a guess that the reader of
// the written file is asked to check.
type Proposal struct {
	Project   string
	Source    string
	File      string // name of the looked-at file
	Rows      int    // looked at
	Fields    []Field
	Time      string        // event-time field
	Behind    time.Duration // greatest step back in time, rounded up: the out_of_orderness
	Span      time.Duration // between the oldest and the newest event looked at
	ID        string        // field that is different in every row; empty: none
	Key       string        // field that groups rows; empty: none
	Label     string        // field that looks like a label; empty: none
	LabelOf   string        // its expression: a condition for binary
	Task      models.Task   // of that label
	Classes   []string      // of a multiclass label
	Delimiter rune          // of a CSV file; 0: none
	Nulls     []string      // texts of a CSV file that mean null
}

// Propose looks at the first 10,000 rows of a CSV, JSON lines or Parquet file (plain, gz or zst) and
// proposes fields, time, key, id and label. It fails when the file cannot be read or has no column that
// can be an event time, or none that can be a key.
func Propose(path string) (*Proposal, error) {
	s, err := readSample(path)
	if err != nil {
		return nil, fmt.Errorf("data file %s: %w", path, err)
	}
	if s.rows == 0 {
		return nil, fmt.Errorf("data file %s: no rows", path)
	}
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	name = identifier(name)
	if _, taken := reserved[name]; taken {
		name += "_events"
	}
	p := &Proposal{Source: name, Project: strings.ToLower(name), File: filepath.Base(path), Rows: s.rows, Delimiter: s.delimiter, Nulls: s.nulls}
	fields := p.fields(s)
	if err := p.time(s, fields); err != nil {
		return nil, fmt.Errorf("data file %s: %w", path, err)
	}
	p.label(s, fields)
	p.keys(s, fields)
	if p.Key == "" && p.ID == "" {
		return nil, fmt.Errorf("data file %s: no column names anything: features need one that repeats (a user, a device), models one that is different in every row; add a column, or try freshet evaluate, which needs neither", path)
	}
	return p, nil
}

// fields declares every column and returns them by field name.
func (p *Proposal) fields(s *sample) map[string]*column {
	byName := map[string]*column{}
	for _, c := range s.columns {
		name := identifier(c.name)
		for base, i := name, 2; byName[name] != nil; i++ {
			name = fmt.Sprintf("%s_%d", base, i)
		}
		byName[name] = c
		f := Field{Name: name, From: c.name, Kind: c.kind(), Nullable: c.nulls > 0}
		if format := c.timeFormat(); format != "" {
			f.Kind, f.Format = features.Time, format
		} else if f.Kind == features.String && c.isText() && !hinted(c.name, labelHints) && !hinted(c.name, idHints) {
			f.Kind, f.Bytes = features.FreeText, c.textBytes()
		}
		p.Fields = append(p.Fields, f)
	}
	return byName
}

// time chooses the event time: a column that is a time in every row, of those the one that grows, then
// the one that is named like one, then the first.
func (p *Proposal) time(s *sample, columns map[string]*column) error {
	best, bestScore := -1, -1
	for i, f := range p.Fields {
		c := columns[f.Name]
		if f.Kind != features.Time || c.nulls > 0 || c.stamps[f.Format] == nil {
			continue
		}
		score := 0
		if back := c.stamps[f.Format].back; back == 0 {
			score += 4
		} else if back*100 < s.rows {
			score += 2
		}
		if hinted(c.name, timeHints) {
			score++
		}
		if score > bestScore {
			best, bestScore = i, score
		}
	}
	if best < 0 {
		return errors.New("no column is a time in every row; events need one, as RFC 3339, 2006-01-02 15:04:05, or seconds or milliseconds since 1970; freshet evaluate can do without")
	}
	f := p.Fields[best]
	st := columns[f.Name].stamps[f.Format]
	p.Time, p.Behind, p.Span = f.Name, roundUp(time.Duration(st.behind)*time.Microsecond), time.Duration(st.newest-st.oldest)*time.Microsecond
	return nil
}

// roundUp rounds to the next step that reads well.
func roundUp(d time.Duration) time.Duration {
	for _, step := range []time.Duration{0, time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour} {
		if d <= step {
			return step
		}
	}
	day := 24 * time.Hour
	return (d + day - 1) / day * day
}

// label looks for a column that is named like a label, or else a last column with two values.
func (p *Proposal) label(s *sample, columns map[string]*column) {
	for i, f := range p.Fields {
		c := columns[f.Name]
		last := i == len(p.Fields)-1 && len(c.distinct) == 2
		if f.Name == p.Time || f.Kind == features.Time || f.Kind == features.FreeText || len(c.distinct) < 2 || !hinted(c.name, labelHints) && !last {
			continue
		}
		values := make([]string, 0, len(c.distinct))
		for v := range c.distinct {
			values = append(values, v)
		}
		slices.Sort(values)
		switch {
		case f.Kind == features.Bool:
			p.Task, p.LabelOf = models.Binary, f.Name
		case len(values) == 2 && f.Kind != features.String:
			p.Task, p.LabelOf = models.Binary, fmt.Sprintf("%s == %s", f.Name, values[1])
		case len(values) == 2:
			p.Task, p.LabelOf = models.Binary, fmt.Sprintf("%s == %q", f.Name, values[1])
		case f.Kind == features.String && len(values) <= 50:
			p.Task, p.LabelOf, p.Classes = models.Multiclass, f.Name, values
		case f.Kind != features.String:
			p.Task, p.LabelOf = models.Regression, f.Name
		default:
			continue
		}
		p.Label = f.Name
		if hinted(c.name, labelHints) {
			return
		}
	}
}

// keys looks for a column that is different in every row (id) and one that repeats (key).
func (p *Proposal) keys(s *sample, columns map[string]*column) {
	bestID, bestKey := -1, 0
	for _, f := range p.Fields {
		c := columns[f.Name]
		if f.Name == p.Time || f.Name == p.Label || f.Kind != features.String && f.Kind != features.Int {
			continue
		}
		named := hinted(c.name, idHints)
		if c.unique() && (named || f.Kind == features.String) {
			if score := rank(named, c.name == "id"); score > bestID {
				bestID, p.ID = score, f.Name
			}
			continue
		}
		if n := len(c.distinct); n < 2 || n*2 > s.rows || f.Kind == features.Int && !named && !hinted(c.name, keyHints) {
			continue
		}
		if score := 1 + 2*rank(named, hinted(c.name, keyHints)) + rank(f.Kind == features.String, false); score > bestKey {
			bestKey, p.Key = score, f.Name
		}
	}
}

func rank(conditions ...bool) int {
	n := 0
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}
