package program

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/expr"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/project"
)

// Ingest returns what the sequencer of the project is made of. ends says that all sources are read up to a
// known end (files). Errors name the source that cannot be read so.
func (p *Program) Ingest(ends bool) (ingest.Config, error) {
	cfg := ingest.Config{MaxSkew: p.Project.MaxSkew, Ends: ends}
	if p.Project.Clock == "wall" && !ends {
		cfg.Clock = ingest.ClockWall
	}
	for _, in := range p.Project.Inputs() {
		spec, err := p.Source(in)
		if err != nil {
			return cfg, fmt.Errorf("source %s: %w", in.Name, err)
		}
		cfg.Sources = append(cfg.Sources, spec)
		cfg.Partitions = append(cfg.Partitions, int32(in.Partitions))
		cfg.Parsers = append(cfg.Parsers, nil)
		if !in.Table {
			cfg.IdleAfter = max(cfg.IdleAfter, in.IdleAfter)
		}
	}
	for _, s := range features.PlainSources() {
		spec := ingest.SourceSpec{Name: s.Name, Plain: true, Topic: PlainTopic(p.Project.Name, s.Name)}
		for _, f := range s.Fields {
			spec.Fields = append(spec.Fields, ingest.FieldSpec{Name: f.Name, Kind: f.Kind, Nullable: f.Nullable})
		}
		cfg.Sources = append(cfg.Sources, spec)
		cfg.Partitions = append(cfg.Partitions, 1)
		cfg.Parsers = append(cfg.Parsers, plainParser{fields: s.Fields})
	}
	return cfg, nil
}

// Source returns the declaration of a source or table as the decoder takes it.
func (p *Program) Source(in *project.Source) (ingest.SourceSpec, error) {
	s := ingest.SourceSpec{Name: in.Name, Topic: in.Topic, Format: ingest.Format(in.Format), Time: in.Time, OutOfOrder: in.OutOfOrderness,
		MaxLateness: in.MaxLateness, Skew: in.Skew, Strict: in.Strict, Table: in.Table, Key: in.Key}
	for _, f := range in.Fields {
		zone := time.UTC
		if f.Zone != "" {
			var err error
			if zone, err = time.LoadLocation(f.Zone); err != nil {
				return s, err
			}
		}
		s.Fields = append(s.Fields, ingest.FieldSpec{Name: f.Name, Kind: f.Kind, Nullable: f.Nullable, From: f.From, Layout: f.Format, Zone: zone,
			Key: p.isKey(in.Name, f.Name), Sensitive: slices.Contains(in.Sensitive, f.Name)})
	}
	for _, text := range in.Expect {
		x, err := expr.Compile(text, expr.FieldsOf(fieldsOf(in.Fields)))
		if err != nil {
			return s, fmt.Errorf("expect %q: %w", text, err)
		}
		s.Expect = append(s.Expect, ingest.Expectation{Text: text, Check: x})
	}
	if in.Dedupe != nil {
		s.Dedupe = ingest.Dedupe{By: in.Dedupe.By, Within: in.Dedupe.Within}
	}
	if in.Delimiter != "" {
		s.CSV.Delimiter, _ = utf8.DecodeRuneInString(in.Delimiter)
	}
	s.CSV.Columns = in.Columns
	return s, nil
}

// isKey reports whether a field of a source names an entity or an example.
func (p *Program) isKey(source, field string) bool {
	for _, e := range p.Project.Entities() {
		if slices.Contains(e.Key, field) {
			return true
		}
	}
	for i := range p.Project.Models {
		m := &p.Project.Models[i]
		if m.On == source && m.ID == field || m.Label != nil && m.Label.From == source && m.Label.By == field {
			return true
		}
	}
	return false
}

// PlainTopic is the topic of one of Freshet's own plain sources.
func PlainTopic(project, source string) string { return project + "." + source[1:] }

// plainParser reads records of Freshet's own topics: a packed item.
type plainParser struct{ fields []features.Field }

func (p plainParser) Decode(dst []features.Value, rec *ingest.Record) ([]features.Value, int64, *ingest.Refusal) {
	it := features.Item{Fields: dst}
	rest, err := features.DecodeItem(rec.Value, &it)
	bad := err != nil || len(rest) > 0 || it.Kind != features.EventItem || len(it.Fields) != len(p.fields)
	for i := 0; i < len(p.fields) && !bad; i++ {
		f, v := p.fields[i], it.Fields[i]
		bad = v.Kind() != f.Kind && !(v.IsNull() && f.Nullable)
	}
	if bad {
		return dst, features.NoTime, &ingest.Refusal{Stage: ingest.StageDecode, Reason: "bad_record",
			Message: "the record was not written by Freshet; write to this topic through the API or the freshet command only"}
	}
	return it.Fields, it.Time, nil
}

// PlainRecord returns the value of a record of a plain source.
func PlainRecord(t int64, fields ...features.Value) []byte {
	return features.AppendItem(nil, &features.Item{Kind: features.EventItem, Time: t, Fields: fields})
}
