package models_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// lists is a catalogue of one model, which answers with its parameters.
var lists = models.Registry{{Name: "lists", Kind: models.ModelKind, Fold: 1, Tasks: []models.Task{models.Binary},
	Params: []models.Param{
		{Name: "hidden", Default: []int{64, 32}, Range: models.Between(1, 100), Unit: "units"},
		{Name: "quantiles", Default: []float64{0.5}, Range: models.Inside(0, 1)}},
	NewModel: func(a models.Args, _ models.Env) (models.Learner, error) {
		return nil, fmt.Errorf("%v %v", a.Ints("hidden"), a.Floats("quantiles"))
	}}}

// TestListsOfNumbers: a parameter may be a list of integers or of numbers; each element is checked by itself, and one number is a list of one.
func TestListsOfNumbers(t *testing.T) {
	for _, c := range []struct{ spec, want string }{
		{`"lists"`, "[64 32] [0.5]"},
		{`{"lists": {"hidden": [8], "quantiles": [0.1, 0.9]}}`, "[8] [0.1 0.9]"},
		{`{"lists": {"hidden": [], "quantiles": 0.25}}`, "[] [0.25]"},
		{`{"lists": {"hidden": 7}}`, "[7] [0.5]"},
		{`{"lists": {"hidden": [8, 0]}}`, "lists.hidden[1]: out of range: 0"},
		{`{"lists": {"hidden": [8.5]}}`, "lists.hidden[0]: an integer is wanted"},
		{`{"lists": {"hidden": "wide"}}`, "a list of integers is wanted"},
		{`{"lists": {"quantiles": [0.5, 1]}}`, "lists.quantiles[1]: out of range: 1"},
		{`{"lists": {"quantiles": ["half"]}}`, "lists.quantiles[0]: a number is wanted"},
	} {
		var text any
		if err := json.Unmarshal([]byte(c.spec), &text); err != nil {
			t.Fatal(err)
		}
		spec, err := models.ParseSpec(text)
		if err == nil {
			var p *models.Plan
			if p, err = lists.Resolve(spec, models.Binary); err == nil {
				_, err = p.Build(models.Env{Task: models.Binary, Schema: &features.Schema{}})
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, not %s", c.spec, err, c.want)
		}
	}
	p, err := lists.Resolve(models.Named("lists"), models.Binary)
	if err != nil {
		t.Fatal(err)
	}
	if text := p.Canonical(); !strings.Contains(text, "hidden: [64 32], quantiles: [0.5]") {
		t.Errorf("canonical text %s", text)
	}
	if page := models.Markdown(lists); !strings.Contains(page, "| `hidden` | list of integers | `[64, 32]` | [1, 100] |") {
		t.Errorf("the page says\n%s", page)
	}
}
