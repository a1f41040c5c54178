package project

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/freshet-ml/freshet/features/expr"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/models"
)

// SourceSpecs returns the declarations of Inputs, in that order, as the sequencer takes them, with
// compiled expectations. A project that Load returned gives no error.
func (p *Project) SourceSpecs() ([]ingest.SourceSpec, error) {
	var list []ingest.SourceSpec
	for _, s := range p.Inputs() {
		spec, err := p.sourceSpec(s)
		if err != nil {
			return nil, err
		}
		list = append(list, spec)
	}
	return list, nil
}

func (p *Project) sourceSpec(s *Source) (ingest.SourceSpec, error) {
	spec := ingest.SourceSpec{Name: s.Name, Topic: s.Topic, Format: ingest.Format(s.Format), Time: s.Time, OutOfOrder: s.OutOfOrderness,
		MaxLateness: s.MaxLateness, Strict: s.Strict, Table: s.Table, Key: s.Key}
	if p.Clock == "wall" {
		spec.Skew = s.Skew
	}
	if s.Dedupe != nil {
		spec.Dedupe = ingest.Dedupe{By: s.Dedupe.By, Within: s.Dedupe.Within}
	}
	spec.CSV = ingest.CSVSpec{Columns: s.Columns, Null: s.Nulls}
	spec.CSV.Delimiter, _ = utf8.DecodeRuneInString(s.Delimiter)
	names := p.keyFields(s)
	for _, f := range s.Fields {
		g := ingest.FieldSpec{Name: f.Name, Kind: f.Kind, Nullable: f.Nullable, From: f.From, Layout: f.Format, Key: contains(names, f.Name), Bytes: f.Bytes,
			Sensitive: contains(s.Sensitive, f.Name)}
		if f.Zone != "" {
			zone, err := time.LoadLocation(f.Zone)
			if err != nil {
				return spec, fmt.Errorf("source %s: field %s: %w", s.Name, f.Name, err)
			}
			g.Zone = zone
		}
		spec.Fields = append(spec.Fields, g)
	}
	env := expr.FieldsOf(declared(s.Fields))
	for _, text := range s.Expect {
		e, err := expr.Compile(text, env)
		if err != nil {
			return spec, fmt.Errorf("source %s: expect %q: %w", s.Name, text, err)
		}
		spec.Expect = append(spec.Expect, ingest.Expectation{Text: text, Check: e})
	}
	return spec, nil
}

// keyFields returns the fields of s that are part of an entity key, of an id, or name open things.
func (p *Project) keyFields(s *Source) []string {
	names := append([]string(nil), s.Key...)
	for i := range p.Features {
		names = append(names, p.Features[i].Key...)
		for j := range p.Features[i].Features {
			names = append(names, p.Features[i].Features[j].By)
		}
	}
	for i := range p.Models {
		m := &p.Models[i]
		if m.On == s.Name {
			names = append(append(names, m.ID), m.Key...)
		}
		if m.Label != nil && m.Label.From == s.Name {
			names = append(names, m.Label.By)
			if m.Task == models.Forecast {
				names = append(names, m.Key...)
			}
		}
	}
	if s.Dedupe != nil {
		names = append(names, s.Dedupe.By)
	}
	return names
}

var _ ingest.Check = (*expr.Expr)(nil)
