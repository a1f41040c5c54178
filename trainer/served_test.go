package trainer

import (
	"math"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/expr"
	"github.com/freshet-ml/freshet/features/vector"
	"github.com/freshet-ml/freshet/models/fold"
)

const (
	servedSource   = 1
	feedbackSource = 2
)

func plainSources() []features.Source {
	asked := features.Source{Name: "asked", Fields: []features.Field{{Name: "id", Kind: features.String}, {Name: "x", Kind: features.Double}}}
	return append([]features.Source{asked}, features.PlainSources()...)
}

// feedbackFor is the label that Feedback calls to a model give.
func feedbackFor(t *testing.T, model string) Label {
	t.Helper()
	x, err := expr.Compile("value", expr.FieldsOf(plainSources()[feedbackSource].Fields))
	if err != nil {
		t.Fatal(err)
	}
	return Label{Source: feedbackSource, ID: features.FeedbackID, Value: x, Text: "value", Model: features.FeedbackModel, Of: model, Wait: 1000}
}

func plainTrigger(t *testing.T, request bool, label Label) *Trigger {
	t.Helper()
	sources := plainSources()
	v, err := vector.New(vector.Layout{Trigger: &sources[0], Fields: []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	if request {
		return &Trigger{Name: "fraud", Source: servedSource, ID: features.ServedID, Packed: features.ServedVector, Model: features.ServedModel,
			Request: true, Vector: v, Labels: []Label{label}}
	}
	return &Trigger{Name: "asked", Source: 0, ID: 0, Vector: v, Labels: []Label{label}}
}

func servedItem(id string, schema uint64, vec ...float64) features.Item {
	return features.Item{Kind: features.EventItem, Source: servedSource, Time: 10, Fields: []features.Value{features.StringValue("fraud"), features.StringValue(id),
		features.StringValue(string(PackVector(nil, vec))), features.StringValue(string(PackVector(nil, []float64{0.5}))), features.IntValue(3), features.IntValue(int64(schema))}}
}

func feedbackItem(model, id string) features.Item {
	return features.Item{Kind: features.EventItem, Source: feedbackSource, Time: 20,
		Fields: []features.Value{features.StringValue(model), features.StringValue(id), features.DoubleValue(1), {}}}
}

func joinPlain(t *Trigger, items ...features.Item) ([]fold.Entry, JoinStats) {
	var got []fold.Entry
	j := NewJoiner(t, plainSources(), func(e *fold.Entry) { got = append(got, copied(e)) })
	for i := range items {
		items[i].Seq = uint64(i)
		feedJoiner(j, &items[i])
	}
	return got, j.Stats()
}

func TestServedVectorsOfAnotherSchemaAreRefused(t *testing.T) {
	tr := plainTrigger(t, true, feedbackFor(t, "fraud"))
	own := tr.Vector.Schema.ID()
	got, stats := joinPlain(tr, servedItem("a", own, 7), servedItem("b", own+1, 7), servedItem("c", own, 7, 8), feedbackItem("fraud", "a"), feedbackItem("fraud", "b"))
	if stats.Predicted != 1 || stats.Foreign != 2 || stats.Learned != 1 {
		t.Errorf("%+v, want one example and two of another schema", stats)
	}
	if len(got) != 2 || got[0].ID != "a" || got[1].Vector[0] != 7 || math.IsNaN(got[1].Y) {
		t.Errorf("entries %+v", got)
	}
}

func TestFeedbackIsForAModelNotForItsTrigger(t *testing.T) {
	tr := plainTrigger(t, false, feedbackFor(t, "late"))
	example := features.Item{Kind: features.EventItem, Time: 10, Fields: []features.Value{features.StringValue("a"), features.DoubleValue(1)}}
	_, stats := joinPlain(tr, example, feedbackItem("asked", "a"), feedbackItem("late", "a"))
	if stats.Learned != 1 || stats.Orphans != 0 {
		t.Errorf("%+v: the feedback for the model late must be joined, the other one is another model's", stats)
	}
}
