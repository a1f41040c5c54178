package project

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func flights(t *testing.T) *Project {
	t.Helper()
	p, err := Load("testdata/good/flights.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// edited parses the flights project with old replaced by new, in pairs.
func edited(t *testing.T, pairs ...string) *Project {
	t.Helper()
	text := string(mustRead(t, "testdata/good/flights.yaml"))
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the fixture has no %q", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	p, err := Parse("freshet.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlanGolden(t *testing.T) {
	p := flights(t)
	plan := PlanOf(p, PlanOptions{Rates: map[string]float64{"scheduled": 10}, Rate: 5, Generation: "0123456789abcdef"})
	var text, js bytes.Buffer
	if err := plan.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	fresh(t, "testdata/plan/flights.txt", text.Bytes())
	if err := plan.WriteJSON(&js); err != nil {
		t.Fatal(err)
	}
	var back Plan
	if err := json.Unmarshal(js.Bytes(), &back); err != nil || back.BytesPerDay != plan.BytesPerDay {
		t.Errorf("JSON does not hold the plan: %v", err)
	}
}

// TestWaitingExamples: rate × wait × size.
func TestWaitingExamples(t *testing.T) {
	plan := PlanOf(flights(t), PlanOptions{Rate: 2})
	m := plan.Models[0]
	if want := 2 * (36 * time.Hour).Seconds(); m.WaitingExamples != want || m.WaitingBytes != want*float64(exampleHead+8*m.Columns) {
		t.Errorf("%+v", m)
	}
}

func TestGeneration(t *testing.T) {
	base := flights(t).Generation()
	for name, c := range map[string]struct {
		same  bool
		pairs []string
	}{
		"comment":         {true, []string{"version: 1", "# hello\nversion: 1"}},
		"order of keys":   {true, []string{"delayed:    {count: departed, where: dep_delay > 15, over: 1h}", "delayed: {over: 1h, where: dep_delay > 15, count: departed}"}},
		"order of use":    {true, []string{"[origin.*, route.*,", "[route.*, origin.*,"}},
		"default written": {true, []string{"    key: origin\n", "    key: origin\n    buckets: 16\n"}},
		"address":         {true, []string{"version: 1", "version: 1\nserving: {http: \"127.0.0.1:1\"}"}},
		"spelt duration":  {true, []string{"wait: 36h", "wait: 1.5d"}},
		"window":          {false, []string{"over: [1h, 6h]", "over: [1h, 5h]"}},
		"buckets":         {false, []string{"    key: origin\n", "    key: origin\n    buckets: 8\n"}},
		"where":           {false, []string{"dep_delay > 15", "dep_delay > 16"}},
		"label":           {false, []string{"arr_delay > 15", "arr_delay > 14"}},
		"use":             {false, []string{"planes.seats, ", ""}},
		"pipeline":        {false, []string{"one_hot, hoeffding_tree", "hoeffding_tree"}},
		"still a number":  {true, []string{"distance: double", "distance: int"}},
	} {
		if got := edited(t, c.pairs...).Generation(); (got == base) != c.same {
			t.Errorf("%s: same generation %v, want %v", name, got == base, c.same)
		}
	}
}

func TestCompare(t *testing.T) {
	from := flights(t)
	to := edited(t, "over: [1h, 6h]", "over: [1h, 5h]", "expect: [distance > 0]", "expect: [distance > 1]", "version: 1", "version: 1\nserving: {http: \"127.0.0.1:1\"}",
		"    idle:       {since: arrived}\n", "")
	if got := Compare(from, from); len(got) != 0 {
		t.Errorf("no change gives %v", got)
	}
	var b bytes.Buffer
	if err := WriteChanges(&b, Compare(from, to)); err != nil {
		t.Fatal(err)
	}
	fresh(t, "testdata/plan/changes.txt", b.Bytes())
	long := edited(t, "over: [1h, 6h]", "over: [1h, 30d]", "version: 1", "version: 1\nkafka: {retention: 7d}")
	if got := Compare(from, long); !strings.Contains(got[0].Note, "kafka.retention is 7d") {
		t.Errorf("a window beyond retention: %+v", got)
	}
}

// A change of sources says for each field what becomes of it.
func TestChangesOfSources(t *testing.T) {
	from := flights(t)
	for _, c := range []struct {
		old, new, what string
		effect         Effect
	}{
		{"carrier: string, dep_delay: double}", "carrier: string, dep_delay: double, gate: string?}", "source departed field gate", FromNow},
		{"arr_delay: double}", "arr_delay: int}", "source arrived field arr_delay", Refused},
		{"expect: [distance > 0]", "expect: [distance > 1]", "source scheduled", FromNow},
		{"  scheduled:\n", "  landed: {time: at, fields: {id: string}}\n  scheduled:\n", "source landed", FromNow},
	} {
		found := false
		for _, got := range Compare(from, edited(t, c.old, c.new)) {
			found = found || got.What == c.what && got.Effect == c.effect && got.Note != ""
		}
		if !found {
			t.Errorf("%s gives %+v", c.new, Compare(from, edited(t, c.old, c.new)))
		}
	}
	more := edited(t, "arr_delay: double}", "arr_delay: double, belt: int?}")
	if got := Compare(more, from); len(got) != 1 || got[0].What != "source arrived field belt" || got[0].How != "removed" || got[0].Effect != FromNow {
		t.Errorf("a field less gives %+v", got)
	}
	if same := edited(t, "arr_delay: double}", "arr_delay: double, belt: int?}"); same.Generation() != from.Generation() {
		t.Error("a field that nothing uses changes the generation")
	}
}
