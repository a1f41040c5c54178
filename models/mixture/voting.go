package mixture

import (
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Voting is the catalogue entry of the vote.
var Voting = models.Component{
	Name: "voting", Kind: models.ModelKind, Tasks: everyTask, Fold: 1,
	Params: []models.Param{members,
		{Name: "vote", Default: "mean", Choices: []string{"mean", "majority"}, Doc: "mean: of the answers; majority: the share of the members that put a class first, and the median of numbers"}},
	Doc:  "The plain mean, or the majority, of the members' answers. Missing values go to the members as they are.",
	Cost: "that of the members", Memory: memory, Source: "Kittler, Hatef, Duin and Matas 1998, On combining classifiers",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		ms, err := a.Models("models", env)
		if err != nil {
			return nil, err
		}
		return newMixture(env, ms, &vote{task: env.Task, weights: even(len(ms)), hard: a.Text("vote") == "majority"}, false), nil
	},
}

// vote has no state.
type vote struct {
	task    models.Task
	weights []float64
	hard    bool
}

func (v *vote) combine(out, said []float64) {
	if !v.hard {
		weighted(out, said, v.weights)
		return
	}
	if v.task == models.Regression {
		out[0] = median(said, len(v.weights))
		return
	}
	clear(out)
	for _, w := range v.weights {
		var own []float64
		if own, said = next(said); len(out) > 1 {
			out[first(own[:len(out)])] += w
		} else if own[0] > 0.5 {
			out[0] += w
		}
	}
	if len(out) == 1 {
		out[0] = min(1, out[0])
	}
}

// median is the middle answer of n members, or the mean of the two middle ones: the answers with as many below as above.
func median(said []float64, n int) float64 {
	var buf [64]float64
	all := buf[:0]
	for range n {
		var own []float64
		own, said = next(said)
		all = append(all, own[0])
	}
	slices.Sort(all)
	return all[(n-1)/2] + (all[n/2]-all[(n-1)/2])/2
}

// first is the place of the greatest value, the first on a tie.
func first(p []float64) int {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	return best
}

func (v *vote) learn(float64, float64, []float64) {}
func (v *vote) state(*codec.State)                {}
func (v *vote) clone() rule                       { return v }
