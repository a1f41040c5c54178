// Package neighbors holds the models that keep examples and answer from those that are nearest to the question. In
// the flow they are models: models/catalog lists Components, models/fold hands them the examples. Their memory is
// bounded by their windows; what leaves a window is forgotten, and counted.
package neighbors

import (
	"math"

	"github.com/freshet-ml/freshet/models"
)

// Components lists the models of this package for the catalogue.
var Components = []models.Component{
	KNNComponent,
	SAMComponent,
}

// limit is the greatest magnitude of a column or a label that is computed with, so that squares stay finite.
const limit = 1e100

func bounded(x float64) float64 { return max(-limit, min(limit, x)) }

// usable reports whether an example can be learned: it has weight, and a label of the task.
func usable(e *models.Example, task models.Task, classes int) bool {
	if !(e.Weight > 0 && e.Weight <= limit) || e.Y != e.Y {
		return false
	}
	return task == models.Regression || e.Y >= 0 && e.Y < float64(classes)
}

// found collects the nearest rows: distances (squared) in rising order, and the slots that they belong to.
type found struct {
	distance []float64
	slot     []int32
	n        int
}

func (f *found) reset(k int) {
	if cap(f.distance) < k || cap(f.slot) < k {
		f.distance, f.slot = make([]float64, k), make([]int32, k)
	}
	f.distance, f.slot, f.n = f.distance[:k], f.slot[:k], 0
	for i := range f.distance {
		f.distance[i] = math.Inf(1)
	}
}

// worst is the distance from which a row is not wanted any more.
func (f *found) worst() float64 { return f.distance[len(f.distance)-1] }

// add takes a row in whose distance is below worst. Among equals the one that came first stands first.
func (f *found) add(d float64, slot int32) {
	i := len(f.distance) - 1
	for i > 0 && f.distance[i-1] > d {
		f.distance[i], f.slot[i] = f.distance[i-1], f.slot[i-1]
		i--
	}
	f.distance[i], f.slot[i] = d, slot
	f.n = min(f.n+1, len(f.distance))
}
