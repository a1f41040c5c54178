package mixture

import (
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// OneVsRest is the catalogue entry of one binary model per class.
var OneVsRest = models.Component{
	Name: "one_vs_rest", Kind: models.ModelKind, Tasks: []models.Task{models.Multiclass}, Fold: 1,
	Params: []models.Param{{Name: "model", Default: models.Named("hoeffding_tree"), Part: models.ModelKind, Task: models.Binary, Doc: "the model of each class, which tells it from the others; its task is binary"}},
	Doc:    "One binary model per class; the answers are divided by their sum. Missing values go to the models as they are.",
	Cost:   "that of the model, times the classes", Memory: memory, Source: "Rifkin and Klautau 2004, In defense of one-vs-all classification",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		ms := make([]models.Learner, env.Classes)
		for i := range ms {
			own := env
			own.Task, own.Classes, own.Seed = models.Binary, 2, env.Seed+uint64(i)
			m, err := a.Model("model", own)
			if err != nil {
				return nil, err
			}
			ms[i] = m
		}
		return newMixture(env, ms, rest{}, true), nil
	},
}

// rest has no state.
type rest struct{}

func (rest) combine(out, said []float64) {
	for i := range out {
		var own []float64
		own, said = next(said)
		out[i] = max(0, own[0])
	}
	normalise(out)
}

func (rest) learn(float64, float64, []float64) {}
func (rest) state(*codec.State)                {}
func (r rest) clone() rule                     { return r }
