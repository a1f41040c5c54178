package program

import (
	"strconv"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
)

// Ingest returns what the sequencer of the project is made of. ends says that all sources are read up to a
// known end (files). Errors name the source that cannot be read so.
func (p *Program) Ingest(ends bool) (ingest.Config, error) {
	cfg := ingest.Config{MaxSkew: p.Project.MaxSkew, Ends: ends}
	if p.Project.Clock == "wall" && !ends {
		cfg.Clock = ingest.ClockWall
	}
	specs, err := p.Project.SourceSpecs()
	if err != nil {
		return cfg, err
	}
	cfg.Sources = specs
	for _, in := range p.Project.Inputs() {
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
		cfg.Parsers = append(cfg.Parsers, plainParser{name: spec.Topic, fields: s.Fields, clock: cfg.Clock})
	}
	return cfg, nil
}

// PlainTopic is the topic of one of Freshet's own plain sources.
func PlainTopic(project, source string) string { return project + "." + source[1:] }

// plainSkew is how far the time of a record of a plain source may be ahead of the record's own timestamp, with
// clock: wall. Both come from the clock of the process that wrote it, or one from the broker's.
const plainSkew = time.Minute

// plainParser reads records of Freshet's own topics: a packed item.
type plainParser struct {
	name   string // of the topic
	fields []features.Field
	clock  ingest.ClockMode
}

func (p plainParser) Decode(dst []features.Value, rec *ingest.Record) ([]features.Value, int64, *ingest.Refusal) {
	it := features.Item{Fields: dst}
	rest, err := features.DecodeItem(rec.Value, &it)
	bad := err != nil || len(rest) > 0 || it.Kind != features.EventItem || len(it.Fields) != len(p.fields)
	for i := 0; i < len(p.fields) && !bad; i++ {
		f, v := p.fields[i], it.Fields[i]
		bad = v.Kind() != f.Kind && !(v.IsNull() && f.Nullable)
	}
	switch {
	case len(rec.Value) > ingest.DefaultMaxItem: // the item has about as many bytes: it must fit a frame
		return dst, features.NoTime, p.refuse(ingest.StageDecode, ingest.ReasonTooLarge, "a record of "+strconv.Itoa(len(rec.Value))+
			" bytes is above the limit of "+strconv.Itoa(ingest.DefaultMaxItem))
	case bad:
		return dst, features.NoTime, p.refuse(ingest.StageDecode, "bad_record", "the record was not written by Freshet")
	case p.clock == ingest.ClockWall && it.Time > rec.Timestamp*1000+plainSkew.Microseconds():
		return dst, features.NoTime, p.refuse(ingest.StageTime, ingest.ReasonFuture, "the time "+features.TimeValue(it.Time).String()+
			" is ahead of its record of "+features.TimeValue(rec.Timestamp*1000).String()+" by more than "+plainSkew.String())
	}
	return it.Fields, it.Time, nil
}

func (p plainParser) refuse(stage ingest.Stage, reason, found string) *ingest.Refusal {
	return &ingest.Refusal{Stage: stage, Class: ingest.Poison, Reason: reason,
		Message: found + "; write to " + p.name + " through the API or the freshet command only"}
}

// PlainRecord returns the value of a record of a plain source.
func PlainRecord(t int64, fields ...features.Value) []byte {
	return features.AppendItem(nil, &features.Item{Kind: features.EventItem, Time: t, Fields: fields})
}
