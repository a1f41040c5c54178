package project

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// checks that the written project validates and returns it.
func proposed(t *testing.T, p *Proposal) *Project {
	t.Helper()
	text := Template(p)
	project, err := Parse("freshet.yaml", text, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return project
}

func csvText(rows int) []byte {
	var b bytes.Buffer
	b.WriteString("\ufefftrans id;Card-No;when;amount;1st visit;country;is_fraud\r\n")
	at := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range rows {
		country := []string{"CH", "DE", "NA"}[i%3]
		step := time.Duration(i) * 20 * time.Minute
		if i == 7 {
			step -= 90 * time.Minute
		}
		fmt.Fprintf(&b, "t%d;%d;%s;%d.5;%v;%s;%d\r\n", i, 1000+i%9, at.Add(step).Format("2006-01-02 15:04:05"), i%40, i%2 == 0, country, i%10/9)
	}
	return b.Bytes()
}

func TestProposeCSV(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(csvText(600))
	_ = w.Close()
	p, err := Propose(write(t, "card payments.csv.gz", z.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if p.Source != "card_payments" || p.Time != "when" || p.ID != "trans_id" || p.Key != "Card_No" || p.Label != "is_fraud" || p.Task != models.Binary {
		t.Errorf("%+v", p)
	}
	if p.Behind != 2*time.Hour {
		t.Errorf("out of orderness %v for a step back of 70 minutes", p.Behind)
	}
	project := proposed(t, p)
	s := &project.Sources[0]
	want := map[string]features.Kind{"trans_id": features.String, "Card_No": features.Int, "when": features.Time, "amount": features.Double,
		"_1st_visit": features.Bool, "country": features.String, "is_fraud": features.Int}
	for name, kind := range want {
		if f := s.Field(name); f == nil || f.Kind != kind {
			t.Errorf("field %s: %+v, not %v", name, f, kind)
		}
	}
	if f := s.Field("country"); !f.Nullable || len(s.Nulls) != 1 || s.Nulls[0] != "NA" {
		t.Errorf("NA is not null: %+v %v", f, s.Nulls)
	}
	fresh(t, "testdata/proposed/card_payments.yaml", Template(p))
}

func TestProposeJSON(t *testing.T) {
	var b bytes.Buffer
	for i := range 200 {
		fmt.Fprintf(&b, `{"ts":%d,"device":"d%d","temperature":%d.25,"zip":"%05d","nested":{"a":1},"state":%q`, 1700000000000+int64(i)*1000, i%5, 15+i%9, i%7, []string{"ok", "warm", "broken"}[i%3])
		if i%4 == 0 {
			b.WriteString(`,"note":"x"`)
		}
		b.WriteString("}\n")
	}
	p, err := Propose(write(t, "sensors.jsonl", b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if p.Time != "ts" || p.Key != "device" || p.ID != "" {
		t.Errorf("%+v", p)
	}
	project := proposed(t, p)
	s := &project.Sources[0]
	if f := s.Field("ts"); f.Format != "epoch_ms" {
		t.Errorf("ts: %+v", f)
	}
	if f := s.Field("zip"); f.Kind != features.String {
		t.Errorf("zip in quotes: %+v", f)
	}
	if f := s.Field("note"); f == nil || !f.Nullable {
		t.Errorf("note: %+v", f)
	}
	if s.Field("nested") != nil || len(project.Models) != 0 {
		t.Error("a nested value was declared, or a model without an id")
	}
}

// TestProposeTexts: sentences are texts, with room for most of them, and are read by their words; names, codes and a few phrases that repeat are strings.
func TestProposeTexts(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("at,id,customer,status,comment,story,urgency,late\n")
	filler := strings.Repeat("and then it happened again ", 30)
	for i := range 300 {
		fmt.Fprintf(&b, "2026-01-02T15:%02d:%02dZ,t%d,c%d,%s,\"the %d. parcel, again, has not come\",%s,%d,%v\n", i/60, i%60, i, i%20,
			[]string{"waiting for an answer of the customer", "closed"}[i%2], i, filler[:500+i], i%5, i%3 == 0)
	}
	p, err := Propose(write(t, "tickets.csv", b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	project := proposed(t, p)
	s := &project.Sources[0]
	for name, want := range map[string]Field{"status": {Kind: features.String}, "comment": {Kind: features.FreeText}, "story": {Kind: features.FreeText, Bytes: 1302}} {
		if f := s.Field(name); f.Kind != want.Kind || f.Bytes != want.Bytes {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if p.ID != "id" || p.Key != "customer" || p.Label != "late" || fmt.Sprint(project.Models[0].Pipeline) != "[standard_scaler one_hot word_ngrams logistic_regression]" {
		t.Errorf("%+v, %v", p, project.Models[0].Pipeline)
	}
}

func TestProposeParquet(t *testing.T) {
	type row struct {
		ID    string    `parquet:"id"`
		At    time.Time `parquet:"at,timestamp(microsecond)"`
		User  int64     `parquet:"user"`
		Price *float64  `parquet:"price,optional"`
		Won   bool      `parquet:"won"`
	}
	var rows []row
	for i := range 300 {
		r := row{ID: fmt.Sprint("b", i), At: time.UnixMicro(1_700_000_000_000_000 + int64(i)*60_000_000), User: int64(i % 11), Won: i%5 == 0}
		if i%3 > 0 {
			x := float64(i) / 4
			r.Price = &x
		}
		rows = append(rows, r)
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, rows); err != nil {
		t.Fatal(err)
	}
	p, err := Propose(write(t, "bids.parquet", b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if p.Time != "at" || p.ID != "id" || p.Key != "user" || p.Label != "won" || p.LabelOf != "won" {
		t.Errorf("%+v", p)
	}
	project := proposed(t, p)
	if f := project.Sources[0].Field("price"); f.Kind != features.Double || !f.Nullable {
		t.Errorf("price: %+v", f)
	}
	if f := project.Sources[0].Field("at"); f.Format != "epoch_us" {
		t.Errorf("at: %+v", f)
	}
}

func TestProposeRefuses(t *testing.T) {
	for name, c := range map[string]struct{ file, data, want string }{
		"no time":     {"a.csv", "id,x\n1,2\n2,3\n", "no column is a time"},
		"no key":      {"a.csv", "at,x\n2025-01-01,2.5\n2025-01-02,3.5\n2025-01-02,3.5\n", "no column names anything"},
		"empty":       {"a.csv", "", "the file is empty"},
		"header only": {"a.csv", "id,x\n", "no rows"},
		"ragged":      {"a.csv", "id,x\n1,2\n1\n", "line 3"},
		"array":       {"a.json", "[1]", "one JSON object a line"},
		"cut":         {"a.jsonl", "{\"a\":1}\n{\"a\"", "record 2"},
		"kind":        {"a.xlsx", "x", "unknown kind of file"},
		"parquet":     {"a.parquet", "xxxx", "data file"},
		"gzip":        {"a.csv.gz", "xxxx", "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Propose(write(t, c.file, []byte(c.data)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestTemplate(t *testing.T) {
	p := proposed(t, nil)
	if p.Name != "shop" || len(p.Models) != 1 {
		t.Errorf("%+v", p)
	}
}
