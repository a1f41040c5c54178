package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/cli/connect"
	"github.com/freshet-ml/freshet/internal/project"
)

// benchProduceFlags are the flags of freshet bench produce.
type benchProduceFlags struct {
	loadFlags
	project string
	brokers []string
}

func (c *cli) benchProduce() *cobra.Command {
	f := &benchProduceFlags{}
	cmd := &cobra.Command{
		Use:   "produce SOURCE FIELD=VALUE[|VALUE...] ...",
		Short: "Write made-up events into the topic of a source at a steady rate",
		Long: "Writes one JSON record for each call, with the time of the call as its event time, and counts a record as answered when\n" +
			"the broker has acknowledged it. A field with several values separated by | takes them in turn, and {} in a value stands\n" +
			"for the numbers 0 to --entities - 1. The events stay in the topic: use a project that is there to be loaded.",
		Example: "  freshet bench produce payments 'user=u{}' 'amount=12.5|80' --entities 10000 --rate 5000",
		Args:    arguments(1, -1, "SOURCE, and FIELD=VALUE for its fields"),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.runBenchProduce(cmd, f, args) },
	}
	f.flags(cmd)
	projectFlag(cmd, &f.project)
	cmd.Flags().StringSliceVar(&f.brokers, "brokers", nil, "host:port of brokers (default: those of the project file)")
	return cmd
}

func (c *cli) runBenchProduce(cmd *cobra.Command, f *benchProduceFlags, args []string) error {
	if err := assignments(args[1:]); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	prog, err := c.compiled(f.project)
	if err != nil {
		return err
	}
	maker, err := newRecordMaker(prog.Project.Input(args[0]), args, f.entities)
	if err != nil {
		return err
	}
	transport, err := connect.Transport(&prog.Project.Kafka, f.brokers)
	if err != nil {
		return err
	}
	for _, address := range transport.Brokers {
		if err := f.near(address); err != nil {
			return err
		}
	}
	if err := c.prepare(cmd.Context(), transport, prog.Project); err != nil {
		return err
	}
	clients := make([]*kgo.Client, min(f.connections, 16))
	for i := range clients {
		if clients[i], err = transport.Client(kgo.RecordDeliveryTimeout(10*time.Second), kgo.ProducerLinger(0)); err != nil {
			return err
		}
		defer clients[i].Close()
	}
	made := &caller{stop: func() {}, call: func(ctx context.Context, n int) error {
		rec, err := maker.record(n, time.Now())
		if err != nil {
			return err
		}
		return clients[n%len(clients)].ProduceSync(ctx, rec).FirstErr()
	}}
	return c.offer(cmd.Context(), &f.loadFlags, benchRun{What: "produce", Rows: 1}, made, nil)
}

// recordMaker makes the records of a source.
type recordMaker struct {
	in   *project.Source
	time *project.Field // nil: an undeclared RFC 3339 time
	list []map[string]json.RawMessage
	keys []string
}

// newRecordMaker reads the values once, by the kinds of their fields.
func newRecordMaker(in *project.Source, args []string, entities int) (*recordMaker, error) {
	if in == nil {
		return nil, usagef("the project has no source %q", args[0])
	}
	if in.Format != "json" || in.Time == "" {
		return nil, usagef("source %s: bench produce writes JSON records with an event time", in.Name)
	}
	m := &recordMaker{in: in, keys: in.Key}
	for i := range in.Fields {
		if in.Fields[i].Name == in.Time {
			m.time = &in.Fields[i]
		}
	}
	if m.time != nil && !slices.Contains([]string{"", "rfc3339", "epoch_s", "epoch_ms", "epoch_us"}, m.time.Format) {
		return nil, usagef("source %s: times of the format %s cannot be made up", in.Name, m.time.Format)
	}
	for _, q := range alternatives(args[1:], entities) {
		rec := map[string]json.RawMessage{}
		for _, a := range q {
			name, text, _ := strings.Cut(a, "=")
			i := slices.IndexFunc(in.Fields, func(x project.Field) bool { return x.Name == name })
			if i < 0 {
				return nil, usagef("source %s has no field %q", in.Name, name)
			}
			value, err := jsonOf(&in.Fields[i], text)
			if err != nil {
				return nil, usagef("source %s: field %s: %w", in.Name, name, err)
			}
			rec[fieldInRecord(&in.Fields[i])] = value
		}
		m.list = append(m.list, rec)
	}
	for i := range in.Fields {
		x := &in.Fields[i]
		if _, ok := m.list[0][fieldInRecord(x)]; !ok && !x.Nullable && x.Name != in.Time {
			return nil, usagef("source %s: field %s is needed: give %s=VALUE", in.Name, x.Name, x.Name)
		}
	}
	return m, nil
}

func fieldInRecord(f *project.Field) string {
	if f.From != "" {
		return f.From
	}
	return f.Name
}

// jsonOf writes a value as a record holds it.
func jsonOf(f *project.Field, text string) (json.RawMessage, error) {
	var err error
	switch f.Kind {
	case features.Int:
		_, err = strconv.ParseInt(text, 10, 64)
	case features.Double:
		_, err = strconv.ParseFloat(text, 64)
	case features.Bool:
		_, err = strconv.ParseBool(text)
	default:
		return json.Marshal(text)
	}
	if err != nil || !json.Valid([]byte(text)) {
		return nil, fmt.Errorf("%q is no %s", text, f.Kind)
	}
	return json.RawMessage(text), nil
}

// record makes the n-th record, at event time t.
func (m *recordMaker) record(n int, t time.Time) (*kgo.Record, error) {
	from := m.list[n%len(m.list)]
	value := make(map[string]json.RawMessage, len(from)+1)
	for k, v := range from {
		value[k] = v
	}
	name, text := m.in.Time, strconv.Quote(t.UTC().Format(time.RFC3339Nano))
	if m.time != nil {
		name = fieldInRecord(m.time)
		switch m.time.Format {
		case "epoch_s":
			text = strconv.FormatInt(t.Unix(), 10)
		case "epoch_ms":
			text = strconv.FormatInt(t.UnixMilli(), 10)
		case "epoch_us":
			text = strconv.FormatInt(t.UnixMicro(), 10)
		}
	}
	value[name] = json.RawMessage(text)
	b, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	rec := &kgo.Record{Topic: m.in.Topic, Value: b, Timestamp: t}
	for _, k := range m.keys {
		for i := range m.in.Fields {
			if m.in.Fields[i].Name == k {
				rec.Key = append(rec.Key, strings.Trim(string(value[fieldInRecord(&m.in.Fields[i])]), `"`)...)
			}
		}
	}
	return rec, nil
}
