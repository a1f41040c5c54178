package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models/catalog"
)

const presses = `version: 1
project: presses
clock: wall
sources:
  steps:     {time: at, fields: {at: time, id: string, press: string, line: int, heat: double}}
  inspected: {time: at, fields: {at: time, id: string, defect: int}}
models:
  defect:
    task: binary
    on: steps
    id: id
    key: [press, line]
    use: [steps.heat]
    label: {from: inspected, by: id, value: defect == 1, wait: 1h}
    pipeline: {gru: {previous_label: true}}
    challengers:
      flat: {pipeline: mlp}
  asked:
    task: binary
    on: request
    key: press
    use: [request.heat]
    request: {press: string?, heat: double}
    label: {from: feedback, wait: 1h}
    pipeline: {rnn: {previous_label: true}}
`

// compiledFrom is the program of a project file.
func compiledFrom(t testing.TB, file string) *program.Program {
	t.Helper()
	p, err := project.Parse("freshet.yaml", []byte(file), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

func compiledPresses(t testing.TB) *program.Program {
	t.Helper()
	return compiledFrom(t, presses)
}

// probability is the first answer of a response.
func probability(t testing.TB, answer string) float64 {
	t.Helper()
	var r struct {
		Predictions []struct{ Probability float64 }
	}
	if err := json.Unmarshal([]byte(answer), &r); err != nil || len(r.Predictions) == 0 {
		t.Fatal(answer, err)
	}
	return r.Predictions[0].Probability
}

// send produces an event of now; value are its other fields.
func (s *started) send(topic, value string, a ...any) {
	s.t.Helper()
	s.sendAll(event(topic, value, a...))
}

// event is the record of an event of now; value are its other fields.
func event(topic, value string, a ...any) *kgo.Record {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	return &kgo.Record{Topic: topic, Value: []byte(`{"at":"` + now + `",` + fmt.Sprintf(value, a...) + `}`)}
}

// sendAll produces records.
func (s *started) sendAll(records ...*kgo.Record) {
	s.t.Helper()
	cl, err := s.Transport.Client()
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(s.ctx, records...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

// refused posts what must be refused, and returns the answer.
func (s *started) refused(path, body string) string {
	s.t.Helper()
	_, address := s.Addresses()
	r, err := http.Post("http://"+address+path, "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusBadRequest {
		s.t.Fatalf("%d %s %v", r.StatusCode, b, err)
	}
	return string(b)
}

// TestEntitiesOfAModel: what a net remembers of an entity is found by the key of the model wherever it answers. Asked by fields, or by a vector
// beside the key, it says to the bit what the log says of an event of that entity that finds the same version; an audit of either computes it again.
func TestEntitiesOfAModel(t *testing.T) {
	s := start(t, compiledPresses(t))
	wait := func(learned, predicted uint64) {
		t.Helper()
		if err := s.App.Wait(s.ctx, func(p *app.Progress) bool {
			j := p.Joiners["steps"].Stats
			return j.Learned >= learned && j.Predicted >= predicted && s.App.CaughtUp(p)
		}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 120 { // a press is good for ten steps, then bad for ten
		s.send("steps", `"id":"s%d","press":"p%d","line":%d,"heat":%d`, i, i%3, i%2, i%7)
		s.send("inspected", `"id":"s%d","defect":%d`, i, (i/60+i)%2)
	}
	wait(120, 120)
	answers := map[float64]bool{}
	for n, of := range []struct {
		press string
		line  int
	}{{"p0", 0}, {"p0", 1}, {"p1", 0}, {"new", 0}} {
		key := fmt.Sprintf(`"press":"%s","line":%d`, of.press, of.line)
		fields := probability(t, s.call("POST", "/v1/predict", `{"model":"defect","rows":[{"fields":{`+key+`,"id":"x","heat":3}}]}`))
		given := probability(t, s.call("POST", "/v1/predict", `{"model":"defect","rows":[{"vector":[3],"fields":{`+key+`}}]}`))
		id := "last" + strconv.Itoa(n)
		s.send("steps", `"id":"%s",%s,"heat":3`, id, key)
		wait(120, 121+uint64(n))
		a, err := s.App.Audit(s.ctx, "defect", id)
		if err != nil {
			t.Fatal(err)
		}
		if fields != a.Answer[0] || given != a.Answer[0] || a.Logged == nil || !a.Logged.Equal {
			t.Errorf("%s: asked %v, with a vector %v, at its event %v (%v)", key, fields, given, a.Answer, a.Logged)
		}
		answers[fields] = true
	}
	if len(answers) != 4 {
		t.Errorf("four entities are answered alike: %v", answers)
	}
	for row, want := range map[string]string{
		`{"vector":[3]}`: "field press is missing: model defect remembers entities",
		`{"vector":[3],"fields":{"press":"p0","line":1,"heat":3}}`:                   "beside a vector give press, line only",
		`{"vector":[3],"fields":{"press":"p0","line":true}}`:                         "declared int",
		`{"fields":{"press":"p0","heat":3}}`:                                         "field line is missing",
		`{"vector":[3,4],"fields":{"press":"p0","line":1}}`:                          "takes 1",
		`{"fields":{"press":"` + strings.Repeat("p", 2000) + `","line":1,"heat":3}}`: "2000 bytes",
	} {
		if got := s.refused("/v1/predict", `{"model":"defect","rows":[`+row+`]}`); !strings.Contains(got, want) {
			t.Errorf("%.80s: %s", row, got)
		}
	}
}

// TestEntitiesOfCalls: a model that learns from the calls that it answers remembers who asked; a call that names nobody has no memory.
func TestEntitiesOfCalls(t *testing.T) {
	s := start(t, compiledPresses(t))
	s.send("steps", `"id":"first","press":"p0","line":0,"heat":1`)
	if err := s.App.Wait(s.ctx, func(p *app.Progress) bool { return p.Sequencer.Items > 0 && s.App.CaughtUp(p) }); err != nil {
		t.Fatal(err)
	}
	last := 0.0
	for i := range 30 {
		id, press := "a"+strconv.Itoa(i), `"p`+strconv.Itoa(i%2)+`"`
		if i == 29 {
			press = "null"
		}
		answer := s.call("POST", "/v1/predict", `{"model":"asked","rows":[{"id":"`+id+`","fields":{"press":`+press+`,"heat":1}}]}`)
		s.call("POST", "/v1/feedback", `{"model":"asked","labels":[{"predictionId":"`+id+`","value":`+strconv.Itoa(i%2)+`}]}`)
		if err := s.App.Wait(s.ctx, func(p *app.Progress) bool { return p.Joiners["asked"].Stats.Learned > uint64(i) && s.App.CaughtUp(p) }); err != nil {
			t.Fatal(err)
		}
		a, err := s.App.Audit(s.ctx, "asked", id)
		if err != nil {
			t.Fatal(err)
		}
		got := probability(t, answer)
		if a.Served == nil || !a.Served.Equal || a.Served.Answer[0] != got {
			t.Fatalf("answer %s is audited as %v", answer, a)
		}
		if i == 28 && !(last-got > 0.1) {
			t.Errorf("p1, whose label was 1, is answered %v, and p0, whose label was 0, %v", last, got)
		}
		last = got
	}
}
