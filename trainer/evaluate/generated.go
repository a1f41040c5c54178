package evaluate

import (
	"io"

	"github.com/freshet-ml/freshet/datasets/generator"
)

// generated reads a stream of datasets/generator.
type generated struct {
	stream *generator.Source
	record []string
	at     int
}

func newGenerated(spec string) (*generated, error) {
	s, err := generator.Open(spec)
	if err != nil {
		return nil, err
	}
	return &generated{stream: s}, nil
}

func (g *generated) columns() []column {
	m := g.stream.Meta()
	var out []column
	for _, c := range m.Columns {
		k := numbers
		if c.Values != nil {
			k = category
		}
		out = append(out, column{c.Name, k, c.Values})
	}
	target := column{name: m.Target, kind: numbers}
	if m.Classes != nil {
		target.kind, target.values = category, m.Classes
	}
	return append(out, target)
}

func (g *generated) next(to *row) error {
	record, ok := g.stream.Record(g.record[:0])
	if !ok {
		return io.EOF
	}
	g.at++
	g.record = record
	to.line, to.fields, to.weight = g.at, record, 1
	return nil
}
