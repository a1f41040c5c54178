package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving/client"
)

// predictFlags are the flags of freshet predict.
type predictFlags struct {
	target
	vector     string
	id         string
	asOf       string
	allowStale bool
}

func (c *cli) predict() *cobra.Command {
	f := &predictFlags{}
	cmd := &cobra.Command{
		Use:   "predict MODEL FIELD=VALUE ... | MODEL --vector X,Y,...",
		Short: "Ask a model",
		Long: "Asks a model of the running service for one answer. The fields are those of its trigger; its key fields\n" +
			"find the entities whose features are read. freshet models MODEL lists them.",
		Example: "  freshet predict late id=x origin=JFK carrier=B6 tail=N503JB distance=1069\n  freshet predict late --vector 3.5,NaN,1069",
		Args:    arguments(1, -1, "the name of a model, and FIELD=VALUE or --vector"),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.runPredict(cmd, f, args[0], args[1:]) },
	}
	f.target.flags(cmd)
	cmd.Flags().StringVar(&f.vector, "vector", "", "instead of fields: the values of the model's columns in their order; NaN is missing, or a text, which is given as a field")
	cmd.Flags().StringVar(&f.id, "id", "", "names the answer, for feedback and audit (default: the service makes one)")
	cmd.Flags().StringVar(&f.asOf, "as-of", "", "read features as they were at this time")
	cmd.Flags().BoolVar(&f.allowStale, "allow-stale", false, "answer also while features are being rebuilt")
	return cmd
}

func (c *cli) runPredict(cmd *cobra.Command, f *predictFlags, model string, args []string) error {
	if err := assignments(args); err != nil {
		return err
	}
	req := &freshetv1.PredictRequest{Model: model, AllowStale: f.allowStale}
	row := &freshetv1.Row{Id: f.id}
	req.Rows = []*freshetv1.Row{row}
	var err error
	if req.AsOf, err = asOf(f.asOf); err != nil {
		return err
	}
	if row.Vector, err = parseVector(f.vector); err != nil {
		return err
	}
	cl, err := c.dial(cmd, &f.target)
	if err != nil {
		return err
	}
	defer cl.Close()
	if f.vector == "" || len(args) > 0 {
		about, err := cl.GetModel(cmd.Context(), &freshetv1.GetModelRequest{Name: model})
		if err != nil {
			return err
		}
		if row.Fields, err = client.ParseFields(about.GetFields(), args); err != nil {
			return usagef("model %s: %w", model, err)
		}
	}
	answer, err := cl.Predict(cmd.Context(), req)
	if err != nil {
		return err
	}
	if c.json() {
		return c.writeProto(answer)
	}
	return c.writePrediction(answer)
}

// asOf reads a time; nil for none.
func asOf(text string) (*timestamppb.Timestamp, error) {
	us, err := parseTime("--as-of", text)
	if err != nil || text == "" {
		return nil, err
	}
	return &timestamppb.Timestamp{Seconds: us / 1e6, Nanos: int32(us%1e6) * 1000}, nil
}

func parseVector(text string) ([]float64, error) {
	if text == "" {
		return nil, nil
	}
	var out []float64
	for i, word := range strings.Split(text, ",") {
		word = strings.TrimSpace(word)
		x, err := strconv.ParseFloat(word, 64)
		if word == "null" || word == "" {
			x, err = math.NaN(), nil
		}
		if err != nil {
			return nil, usagef("--vector: value %d, %q, is no number", i+1, word)
		}
		out = append(out, x)
	}
	return out, nil
}

func (c *cli) writePrediction(r *freshetv1.PredictResponse) error {
	t := c.table()
	for _, p := range r.GetPredictions() {
		for _, line := range answerLines(p) {
			t.row(line...)
		}
		t.row("prediction id", p.GetPredictionId())
		t.row("model", fmt.Sprintf("%s, version %s", r.GetModel(), version(r.GetVersion())))
		t.row("trained until", trainedUntil(r))
		t.row("features as of", when(r.GetAsOf()))
		t.row("newest event", fmt.Sprintf("%s; oldest entity %s", when(p.GetNewestEvent()), when(p.GetOldestEntity())))
		t.row("staleness", lasting(r.GetStaleness())+marks(r))
		if p.GetMissing() > 0 {
			t.row("missing", plural(int(p.GetMissing()), "column"))
		}
		if len(p.GetNotFound()) > 0 {
			t.row("not found", strings.Join(p.GetNotFound(), ", "))
		}
	}
	return t.flush()
}

func marks(r *freshetv1.PredictResponse) string {
	text := ""
	if r.GetStale() {
		text += "; STALE"
	}
	if r.GetHeld() {
		text += "; HELD: the newest version was refused"
	}
	return text
}

func version(v *freshetv1.Version) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%s@%d", v.GetLog(), v.GetSeq())
}

// answerLines writes an answer as rows of a name and a value.
func answerLines(p *freshetv1.Prediction) [][]string {
	switch a := p.GetAnswer().(type) {
	case *freshetv1.Prediction_Probability:
		return [][]string{{"probability", decimals(a.Probability)}}
	case *freshetv1.Prediction_Number:
		return [][]string{{"number", decimals(a.Number)}}
	case *freshetv1.Prediction_Score:
		return [][]string{{"score", decimals(a.Score)}}
	case *freshetv1.Prediction_Series:
		list := a.Series.GetValues()
		if len(list) == 0 {
			return [][]string{{"mean", "none: the series is not known yet"}}
		}
		var quantiles []string
		for _, x := range list[1:] {
			quantiles = append(quantiles, decimals(x))
		}
		return [][]string{{"mean", decimals(list[0])}, {"quantiles", strings.Join(quantiles, ", ")}}
	case *freshetv1.Prediction_Classes:
		out := [][]string{{"class", a.Classes.GetBest()}}
		for _, k := range a.Classes.GetClasses() {
			out = append(out, []string{"  " + k.GetName(), decimals(k.GetProbability())})
		}
		return out
	}
	return [][]string{{"answer", "none"}}
}

// decimals writes a number with six significant digits, and a dash for none.
func decimals(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return strconv.FormatFloat(x, 'g', 6, 64)
}

func trainedUntil(r *freshetv1.PredictResponse) string {
	if r.GetTrainedUntil() == nil {
		return "-; it has learned nothing yet"
	}
	return fmt.Sprintf("%s, %s before", when(r.GetTrainedUntil()), lasting(r.GetModelAge()))
}
