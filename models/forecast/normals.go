package forecast

import (
	"gonum.org/v1/gonum/mathext"

	"github.com/freshet-ml/freshet/models"
)

// normals are the standard normal quantiles of the levels of an outlook, computed once for all its steps.
type normals struct {
	z [64]float64
	n int
}

func newNormals(o *models.Outlook) (q normals) {
	if len(o.Levels) <= len(q.z) {
		q.n = len(o.Levels)
		for i, level := range o.Levels {
			q.z[i] = mathext.NormalQuantile(level)
		}
	}
	return q
}

// maxDeviation bounds deviations, so that quantiles stay finite.
const maxDeviation = 1e150

// set writes the quantiles of step i from its mean and a standard deviation.
func (q *normals) set(o *models.Outlook, i int, deviation float64) {
	n, deviation := len(o.Levels), min(deviation, maxDeviation)
	if n != q.n {
		setNormal(o, i, deviation)
		return
	}
	for j, z := range q.z[:n] {
		o.Quantiles[i*n+j] = o.Mean[i] + float64(deviation*z)
	}
}
