package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/trainer"
	"github.com/freshet-ml/freshet/trainer/backtest"
)

const helpdesk = `version: 1
project: helpdesk
clock: wall
sources:
  tickets:
    time: at
    fields: {at: time, id: string, customer: string, comment: text?, note: {type: text?, bytes: 12}, urgency: double}
    sensitive: [note]
  routed: {time: at, fields: {at: time, id: string, team: string}}
features:
  customer: {key: customer, tickets: {count: tickets}}
models:
  team:
    task: multiclass
    classes: [billing, outage, sales]
    on: tickets
    id: id
    use: [tickets.comment, tickets.note, tickets.urgency, customer.*]
    label: {from: routed, by: id, value: team, wait: 1h}
    pipeline: [standard_scaler, word_ngrams, {softmax_regression: {optimizer: {sgd: {learning_rate: 0.1}}}}]
    challengers:
      letters:
        use: [tickets.urgency, tickets.comment]
        pipeline: [{union: {of: [{tf_idf: {bits: 8}}, {chain: {of: [standard_scaler, {char_ngrams: {bits: 8}}]}}]}}, softmax_regression]
  angry:
    task: binary
    on: request
    use: [request.*]
    request: {comment: text?, urgency: double}
    label: {from: feedback, wait: 1h}
    pipeline: [word_ngrams, logistic_regression]
`

func compiledHelpdesk(t testing.TB) *program.Program {
	t.Helper()
	return compiledFrom(t, helpdesk)
}

// about are words that tell of a team, and words says something with one of them.
var about = map[string][]string{
	"billing": {"invoice", "refund", "charged", "überweisung"},
	"outage":  {"down", "timeout", "crash", "störung"},
	"sales":   {"upgrade", "quote", "licences", "angebot"},
}

func words(r *rand.Rand, team string) string {
	filler := []string{"hello", "please", "the", "my", "we", "again", "since", "monday", "🙂"}
	text := make([]string, 4+r.IntN(8))
	for i := range text {
		text[i] = filler[r.IntN(len(filler))]
	}
	text[r.IntN(len(text))] = about[team][r.IntN(len(about[team]))]
	return strings.Join(text, " ")
}

// best is the class that an answer of three classes is surest of.
func best(answer []float64) string {
	return []string{"billing", "outage", "sales"}[slices.Index(answer, slices.Max(answer))]
}

// classesOf reads the probabilities of the first answer of a response, in the order of its JSON.
func (s *started) classesOf(row string) (out []float64) {
	s.t.Helper()
	var r struct {
		Predictions []struct {
			Classes struct {
				Classes []struct{ Probability float64 }
			}
		}
	}
	decode(s.t, s.call("POST", "/v1/predict", `{"model":"team","rows":[`+row+`]}`), &r)
	for _, c := range r.Predictions[0].Classes.Classes {
		out = append(out, c.Probability)
	}
	return out
}

// TestTexts: a pipeline learns from the words of a text in an event. Asked by fields, or by a vector with the text beside it, it answers to the bit
// what the log says of such an event, which an audit computes again; folding the items of the log anew gives the same weights.
func TestTexts(t *testing.T) {
	s := start(t, compiledHelpdesk(t))
	const tickets = 240
	wait := func(n int) {
		t.Helper()
		if err := s.App.Wait(s.ctx, func(p *app.Progress) bool {
			j := p.Joiners["tickets"].Stats
			return j.Predicted >= uint64(n) && j.Learned >= tickets && s.App.CaughtUp(p)
		}); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	teams := []string{"billing", "outage", "sales"}
	var records []*kgo.Record
	for i := range tickets {
		team := teams[r.IntN(3)]
		records = append(records, event("tickets", `"id":"t%d","customer":"c%d","comment":%q,"note":"0123456789äöü","urgency":%d`, i, i%5, words(r, team), r.IntN(5)),
			event("routed", `"id":"t%d","team":%q`, i, team))
	}
	s.sendAll(records...)
	wait(tickets)
	long := strings.Repeat("invoice ", 1<<17-128) // 1 MB, less what an event has beside it
	texts := []string{`"my invoice is wrong"`, `"störung since monday 🙂"`, `"quote\nplease"`, `""`, `null`, strconv.Quote(long)}
	for n, text := range texts {
		fields := `"customer":"c1","comment":` + text + `,"note":"abc","urgency":2`
		asked := s.classesOf(`{"fields":{` + fields + `,"id":"x"}}`)
		given := s.classesOf(`{"vector":[` + strconv.Itoa(tickets/5+n) + `,null,null,2],"fields":{"comment":` + text + `,"note":"abc"}}`)
		id := "last" + strconv.Itoa(n)
		s.send("tickets", `"id":"%s",%s`, id, fields)
		wait(tickets + n + 1)
		a, err := s.App.Audit(s.ctx, "team", id)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(asked, a.Answer) || !slices.Equal(given, a.Answer) || a.Logged == nil || !a.Logged.Equal {
			t.Errorf("%.40s: asked %v, with a vector %v, at its event %v (%v)", text, asked, given, a.Answer, a.Logged)
		}
		if want := map[int]string{0: "billing", 1: "outage", 2: "sales", 5: "billing"}[n]; want != "" && best(asked) != want {
			t.Errorf("%.40s: %v, not %s", text, asked, want)
		}
		audited(t, n, a.Vector)
	}
	metrics := s.call("GET", "/metrics", "")
	for _, want := range []string{`freshet_texts_cut_total{project="helpdesk",source="tickets"} ` + strconv.Itoa(tickets+1), `freshet_prediction_texts_cut_total{model="team",project="helpdesk"} 2`} { // notes, and the long ones
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("%s is not among %v", want, regexp.MustCompile(".*texts_cut_total.*").FindAllString(metrics, -1))
		}
	}
	s.sameAsBacktest("tickets")
	s.describedTexts()
}

// audited checks how an audit shows the columns of the n-th text.
func audited(t *testing.T, n int, columns []*freshetv1.AuditColumn) {
	t.Helper()
	if len(columns) != 4 || columns[1].Name != "tickets.comment" || columns[2].Name != "tickets.note" || columns[3].Value != 2 {
		t.Fatalf("columns %v", columns)
	}
	c := columns[1]
	switch n {
	case 1:
		if c.Text != "störung since monday 🙂" || c.Value != 26 {
			t.Errorf("audited text %v", c)
		}
	case 3:
		if c.Text != "" || c.Value != 0 || c.Missing {
			t.Errorf("audited empty text %v", c)
		}
	case 4:
		if !c.Missing {
			t.Errorf("audited null %v", c)
		}
	case 5:
		if len(c.Text) != 384 || c.Value != 384 {
			t.Errorf("audited long text %v", c)
		}
	}
	if columns[2].Text != "" || columns[2].Value != 3 {
		t.Errorf("a sensitive text is shown: %v", columns[2])
	}
}

// sameAsBacktest folds the items of the log in a backtest, and compares its example log and its models with those that the log of the service gives.
func (s *started) sameAsBacktest(name string) {
	s.t.Helper()
	prog := s.App.Program()
	p, _ := s.App.Progress()
	at := slices.IndexFunc(prog.Triggers, func(t *trainer.Trigger) bool { return t.Name == name })
	live, err := fold.New(prog.Triggers[at].Vector.Schema, prog.Triggers[at].Members)
	if err != nil {
		s.t.Fatal(err)
	}
	entries := trainer.NewEntryHash()
	err = s.App.EachEntry(s.ctx, name, p.Joiners[name].Entries, func(e *fold.Entry) error {
		entries.Add(e)
		return live.Apply(e)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	report, err := backtest.Run(s.ctx, backtest.Options{Candidates: []backtest.Candidate{{Name: "live", Program: prog.Program, Items: func(ctx context.Context, visit backtest.Visit) error {
		return s.App.EachItem(ctx, p.Sequencer.Items, func(it *features.Item) error { return visit(it, it.Time) })
	}}}})
	if err != nil {
		s.t.Fatal(err)
	}
	again := report.Candidates[0].Golden
	if entries.Sum() != again.Logs[name] {
		s.t.Errorf("the example log of %s is another one in a backtest", name)
	}
	for _, m := range live.Names() {
		if sums, _ := live.Hashes(m); sums.Weights != again.Weights[m] || sums.Scores != again.Scores[m] {
			s.t.Errorf("%s: live %v, in a backtest %s and %s", m, sums, again.Weights[m], again.Scores[m])
		}
	}
}

// decode reads JSON.
func decode(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(text, err)
	}
}

// describedTexts checks what people are told of texts.
func (s *started) describedTexts() {
	s.t.Helper()
	var m struct {
		Columns []struct{ Name, Kind string }
		Fields  []struct{ Name, Kind string }
	}
	decode(s.t, s.call("GET", "/v1/models/team", ""), &m)
	if fmt.Sprint(m.Columns) != "[{customer.tickets numeric} {tickets.comment text} {tickets.note text} {tickets.urgency numeric}]" {
		s.t.Errorf("columns %v", m.Columns)
	}
	if !strings.Contains(fmt.Sprint(m.Fields), "{comment text}") {
		s.t.Errorf("fields %v", m.Fields)
	}
	for _, path := range []string{"/v1/lineage", "/v1/recent", "/v1/drift"} {
		if got := s.call("GET", path, ""); strings.Contains(got, "#2") || strings.Contains(got, strings.Repeat("invoice ", 49)) || strings.Contains(got, "0123456789") {
			s.t.Errorf("%s: %.2000s", path, got)
		}
	}
	for row, want := range map[string]string{
		`{"vector":[1,null,null,2]}`: "",
		`{"vector":[1,2,null,2]}`:    "send NaN (null in JSON) there, and the text in fields",
		`{"vector":[1,null,2]}`:      "takes 4",
		`{"vector":[1,null,null,2],"fields":{"comment":"a","urgency":2}}`:                    "beside a vector give comment, note only",
		`{"fields":{"customer":"c1","comment":7,"urgency":2}}`:                               "field comment is declared text, got int",
		`{"fields":{"customer":"c1","comment":"a","note":true,"urgency":2}}`:                 "field note is declared text, got bool",
		`{"fields":{"customer":"c1","comment":"a","urgency":2,"tickets.comment":"a"}}`:       "takes no field",
		`{"fields":{"customer":"c1","comment":{"string":"a"},"urgency":2,"note":["a","b"]}}`: "is a list",
	} {
		body := `{"model":"team","rows":[` + row + `]}`
		if want == "" {
			s.call("POST", "/v1/predict", body)
		} else if got := s.refused("/v1/predict", body); !strings.Contains(got, want) {
			s.t.Errorf("%.80s: %s", row, got)
		}
	}
}

// TestTextsOfCalls: a model that learns from calls learns from their texts; an audit answers again what was served.
func TestTextsOfCalls(t *testing.T) {
	s := start(t, compiledHelpdesk(t))
	s.send("tickets", `"id":"first","customer":"c","urgency":1`)
	if err := s.App.Wait(s.ctx, func(p *app.Progress) bool { return p.Sequencer.Items > 0 && s.App.CaughtUp(p) }); err != nil {
		t.Fatal(err)
	}
	said := []string{`"thank you so much"`, `"this is a scandal"`}
	var answers [2]float64
	for i := range 30 {
		id := "a" + strconv.Itoa(i)
		answer := s.call("POST", "/v1/predict", `{"model":"angry","rows":[{"id":"`+id+`","fields":{"comment":`+said[i%2]+`,"urgency":1}}]}`)
		s.call("POST", "/v1/feedback", `{"model":"angry","labels":[{"predictionId":"`+id+`","value":`+strconv.Itoa(i%2)+`}]}`)
		if err := s.App.Wait(s.ctx, func(p *app.Progress) bool { return p.Joiners["angry"].Stats.Learned > uint64(i) && s.App.CaughtUp(p) }); err != nil {
			t.Fatal(err)
		}
		a, err := s.App.Audit(s.ctx, "angry", id)
		if err != nil {
			t.Fatal(err)
		}
		answers[i%2] = probability(t, answer)
		if a.Served == nil || !a.Served.Equal || a.Served.Answer[0] != answers[i%2] || strconv.Quote(a.Vector[0].Text) != said[i%2] {
			t.Fatalf("answer %s is audited as %v", answer, a)
		}
	}
	if !(answers[1]-answers[0] > 0.2) {
		t.Errorf("thanks are answered %v, scandals %v", answers[0], answers[1])
	}
}

// TestBadTexts: what cannot be a text is refused with its reason, and what comes after it is taken.
func TestBadTexts(t *testing.T) {
	s := start(t, compiledHelpdesk(t))
	s.send("tickets", `"id":"a","customer":"c","comment":7,"urgency":1`)
	s.send("tickets", `"id":"b","customer":"c","comment":["x"],"urgency":1`)
	s.send("tickets", "\"id\":\"c\",\"customer\":\"c\",\"comment\":\"\xff\",\"urgency\":1")
	s.send("tickets", `"id":"e","customer":"c","comment":"fine","urgency":1`)
	if err := s.App.Wait(s.ctx, func(p *app.Progress) bool { return p.Joiners["tickets"].Stats.Predicted >= 1 && s.App.CaughtUp(p) }); err != nil {
		t.Fatal(err)
	}
	var reasons []string
	p, _ := s.App.Progress()
	err := s.App.EachItem(s.ctx, p.Sequencer.Items, func(it *features.Item) error {
		if it.Kind == features.RefusalItem {
			reasons = append(reasons, it.Reason)
		}
		return nil
	})
	if want := "[wrong_type wrong_type not_utf8]"; err != nil || fmt.Sprint(reasons) != want {
		t.Errorf("refused for %v, not %s (%v)", reasons, want, err)
	}
}
