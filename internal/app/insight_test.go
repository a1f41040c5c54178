package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/catalog"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

func flightsProgram(t *testing.T, change func(p *project.Project)) *program.Program {
	t.Helper()
	p, err := project.Parse("freshet.yaml", flights.Project(), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(p)
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

// Every node that the flights declare is drawn, has its definition, and is joined to what it is made from.
func TestLineageOfTheFlights(t *testing.T) {
	p := flightsProgram(t, nil)
	g := Lineage(p)
	nodes := map[string]*freshetv1.LineageNode{}
	for _, n := range g.Nodes {
		if nodes[n.Id] != nil {
			t.Errorf("%s is there twice", n.Id)
		}
		nodes[n.Id] = n
		if n.Definition == "" && n.Id != "model:late/frozen" {
			t.Errorf("%s has no definition", n.Id)
		}
	}
	for _, want := range []string{"source:arrived", "table:planes", "entity:origin", "derived:slack", "trigger:scheduled", "model:late", "model:static", "model:late.prior"} {
		if nodes[want] == nil {
			t.Errorf("no node %s", want)
		}
	}
	has := func(from, to, what string) bool {
		return slices.ContainsFunc(g.Edges, func(e *freshetv1.LineageEdge) bool { return e.From == from && e.To == to && e.What == what })
	}
	for _, e := range [][3]string{{"source:departed", "entity:origin", "feeds"}, {"entity:plane", "derived:slack", "feeds"}, {"derived:slack", "trigger:scheduled", "feeds"},
		{"table:weather", "trigger:scheduled", "feeds"}, {"source:scheduled", "trigger:scheduled", "asks"}, {"source:arrived", "trigger:scheduled", "labels"}, {"trigger:scheduled", "model:static", "learns"}} {
		if !has(e[0], e[1], e[2]) {
			t.Errorf("no edge %v", e)
		}
	}
	if has("source:cancelled", "entity:dest", "feeds") {
		t.Error("an edge from a source that the entity does not read")
	}
	if n := nodes["model:static"]; n != nil && (slices.Contains(n.Columns, "origin.overdue") || !slices.Contains(n.Columns, "planes.seats")) {
		t.Errorf("columns of the challenger: %v", n.Columns)
	}
}

func TestRecentLeavesOutWhatIsSensitive(t *testing.T) {
	p := flightsProgram(t, func(p *project.Project) { p.Input("arrived").Sensitive = []string{"tail"} })
	r := newRecent(p)
	source := slices.IndexFunc(p.Sources, func(s features.Source) bool { return s.Name == "arrived" })
	it := features.Item{Kind: features.EventItem, Source: source, Time: 5e6, Fields: make([]features.Value, len(p.Sources[source].Fields))}
	it.Fields[p.Sources[source].FieldIndex("tail")] = features.StringValue("N123")
	it.Fields[p.Sources[source].FieldIndex("origin")] = features.StringValue("JFK")
	for i := range 20 {
		r.now = time.Unix(int64(i+1), 0)
		r.taken(&it)
		r.taken(&it) // within the same frame
	}
	events := (&App{recent: r}).Recent()
	if len(events) != recentKept {
		t.Fatalf("%d events, want %d", len(events), recentKept)
	}
	f := events[0].Fields
	if f["tail"] != nil || f["origin"].GetString_() != "JFK" || f["carrier"] == nil {
		t.Errorf("fields %v", f)
	}
}

func TestDeadLettersAreRead(t *testing.T) {
	s, err := embedded.Start(embedded.Options{NoStore: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tr := stage.Transport{Brokers: s.Brokers, Local: true}
	if err := stage.EnsureTopics(ctx, tr, stage.TopicSpec{Name: "shop.dead", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	a := &App{o: Options{Transport: tr}, Topics: Topics{DeadLetters: "shop.dead"}}
	empty, err := a.DeadLetters(ctx, "", "", 10)
	if err != nil || empty.Total != 0 || len(empty.Letters) != 0 {
		t.Fatalf("empty topic: %v %v", empty, err)
	}
	out, err := stage.OpenProducer(tr)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	const n = lettersRead + 200
	records := make([]*kgo.Record, n)
	for i := range records {
		reason := "expect"
		if i%4 == 0 {
			reason = "wrong_type"
		}
		value := fmt.Sprintf(`{"id": %d}`, i)
		if i == n-1 {
			value = "\xff" + strings.Repeat("x", 3*letterText)
		}
		records[i] = &kgo.Record{Topic: "shop.dead", Value: []byte(value), Headers: []kgo.RecordHeader{{Key: ingest.ErrorHeader + "source", Value: []byte("orders")},
			{Key: ingest.ErrorHeader + "reason", Value: []byte(reason)}, {Key: ingest.ErrorHeader + "offset", Value: fmt.Appendf(nil, "%d", i)}, {Key: "other", Value: []byte("x")}}}
	}
	if err := out.SendAll(ctx, records); err != nil {
		t.Fatal(err)
	}
	a.letters.at = time.Time{} // what was read before is not shown again
	all, err := a.DeadLetters(ctx, "", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	if all.Total != n || all.Read != lettersRead || len(all.Letters) != 10 || all.Letters[0].Offset != n-1 {
		t.Errorf("total %d, read %d, %d letters, the first at %d", all.Total, all.Read, len(all.Letters), all.Letters[0].Offset)
	}
	if l := all.Letters[0]; !l.Cut || !strings.HasPrefix(l.Value, "\uFFFD") || len(l.Value) > letterText+3 {
		t.Errorf("a long value that is no text: cut %t, %d bytes", l.Cut, len(l.Value))
	}
	if len(all.Reasons) != 2 || all.Reasons[0].Reason != "expect" || all.Reasons[0].Letters+all.Reasons[1].Letters != lettersRead {
		t.Errorf("reasons %v", all.Reasons)
	}
	some, err := a.DeadLetters(ctx, "orders", "wrong_type", 100)
	if err != nil || len(some.Letters) != 100 || slices.ContainsFunc(some.Letters, func(l *freshetv1.DeadLetter) bool { return l.Reason != "wrong_type" }) {
		t.Errorf("filtered: %d letters, %v", len(some.Letters), err)
	}
}
