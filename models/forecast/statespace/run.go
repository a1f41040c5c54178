package statespace

import (
	"fmt"
	"math"
)

// Data are the values of a run, and what moves with time.
type Data struct {
	Y [][]float64   // by time, then output; NaN: missing. Values of one series: Column(y)
	Z [][][]float64 // by time: Z where it moves; nil: that of the model
	// Steps are how many steps the ith time lies after the one before it, the first not used: 0 for one more value of the same time, 1 (nil: always) for the
	// next step, more where nothing was observed in between.
	Steps []int64
}

// Column makes values of one output of a series.
func Column(y []float64) [][]float64 {
	out := make([][]float64, len(y))
	for i := range y {
		out[i] = y[i : i+1 : i+1]
	}
	return out
}

// Result is what a run says. Entries by time; nil where the thing is not defined: missing values, diffuse steps.
type Result struct {
	Likelihood
	Innovations   [][]float64   // y − Z a, joint
	InnovationVar [][][]float64 // Z P Z' + H, joint
	Filtered      [][]float64   // mean of the state, given the values up to its time
	FilteredCov   [][][]float64 // its covariance
	FirstProper   int           // the first time, counted from 1, with a finite covariance; 0: none
	Final         *Filter       // after the last value
	Passes        []pass        // what the smoother needs; set if Keep was asked for
	model         *Model
}

// Likelihood is the sum of what the values said.
type Likelihood struct {
	Observed  int     // values, without missing ones
	Unknown   int     // of them: diffuse ones
	LogF      float64 // sum of log F of the others
	LogFInf   float64 // sum of log F∞ of the diffuse ones
	SquareSum float64 // sum of v²/F of the others
}

func (l *Likelihood) add(in Innovation) {
	switch {
	case math.IsNaN(in.Error):
	case in.Diffuse:
		l.Observed++
		l.Unknown++
		l.LogFInf += math.Log(in.Variance)
	case in.Variance > 0:
		l.Observed++
		l.LogF += math.Log(in.Variance)
		l.SquareSum += in.Error / in.Variance * in.Error
	case in.Error != 0: // the model says that this cannot be
		l.Observed++
		l.SquareSum = math.Inf(1)
	}
}

// AllLog2Pi is the diffuse log-likelihood −½(n log 2π + Σ(log F + v²/F) + Σ log F∞) with ½ log 2π for each of the n values: what statsmodels reports.
func (l *Likelihood) AllLog2Pi() float64 {
	return -0.5 * (float64(l.Observed)*log2Pi + l.LogF + l.SquareSum + l.LogFInf)
}

// ProperLog2Pi is the same without ½ log 2π for the diffuse values: Durbin & Koopman 2012, eq. 7.4; what KFAS, STAMP and, up to its approximate start, R's arima report.
func (l *Likelihood) ProperLog2Pi() float64 { return l.AllLog2Pi() + 0.5*float64(l.Unknown)*log2Pi }

// Scale is the variance by which all variances of the model are to be multiplied to make the values most likely, Σ v²/F over their number n (Harvey 1989, §3.4.2).
func (l *Likelihood) Scale() float64 { return l.SquareSum / float64(l.Observed-l.Unknown) }

// Concentrated is ProperLog2Pi at that scale, −½(n log 2πσ² + n + Σ log F + Σ log F∞), with n values that are not diffuse.
func (l *Likelihood) Concentrated() float64 {
	n := float64(l.Observed - l.Unknown)
	return -0.5 * (n*(log2Pi+math.Log(l.Scale())+1) + l.LogF + l.LogFInf)
}

const log2Pi = 1.8378770664093454835606594728112352797

// Run filters the data. With keep it holds what Smooth needs: some states² numbers for each time.
func Run(m *Model, data Data, keep bool) (*Result, error) {
	f, err := NewFilter(m)
	if err != nil {
		return nil, err
	}
	if err := data.check(m); err != nil {
		return nil, err
	}
	r := &Result{Final: f, model: m}
	for t, y := range data.Y {
		steps := int64(1)
		if data.Steps != nil {
			steps = data.Steps[t]
		}
		var jump *Jump
		switch {
		case t == 0 || steps == 0:
		case steps == 1:
			f.Predict()
		default:
			jump = NewJump(m, steps)
			f.PredictSteps(jump)
		}
		z := m.Z
		if data.Z != nil {
			z = data.Z[t]
		}
		r.take(f, y, z, keep, t > 0 && steps > 0, jump)
	}
	return r, nil
}

func (d *Data) check(m *Model) error {
	if d.Z != nil && len(d.Z) != len(d.Y) || d.Steps != nil && len(d.Steps) != len(d.Y) {
		return fmt.Errorf("data of %d times with %d matrices Z and %d steps: give one for each time", len(d.Y), len(d.Z), len(d.Steps))
	}
	for t, y := range d.Y {
		if len(y) != m.Outputs() {
			return fmt.Errorf("time %d has %d values, not %d", t, len(y), m.Outputs())
		}
		for _, v := range y {
			if math.IsInf(v, 0) {
				return fmt.Errorf("time %d holds a value that is not finite: give NaN for missing ones", t)
			}
		}
		if d.Z != nil {
			if err := checkMatrix(fmt.Sprintf("Z of time %d", t), d.Z[t], m.Outputs(), m.States()); err != nil {
				return err
			}
		}
		if d.Steps != nil && d.Steps[t] < 0 {
			return fmt.Errorf("time %d lies before the one before it", t)
		}
	}
	return nil
}

// take takes in the values of one time.
func (r *Result) take(f *Filter, y []float64, z [][]float64, keep, stepped bool, jump *Jump) {
	p := pass{stepped: stepped, jump: jump}
	if keep {
		p.a, p.cov, p.inf = append([]float64(nil), f.a...), zeros(len(f.a), len(f.a)), zeros(len(f.a), len(f.a))
		f.Covariance(p.cov)
		f.diffuse(p.inf)
	}
	e, cov := f.joint(y, z)
	known := true
	f.ObserveAll(y, z, func(z []float64, h float64, in Innovation) {
		r.add(in)
		known = known && !in.Diffuse
		if keep {
			p.values = append(p.values, value{z: append([]float64(nil), z...), h: h, in: in})
		}
	})
	if keep {
		r.Passes = append(r.Passes, p)
	}
	if !known {
		e, cov = nil, nil
	}
	r.Innovations, r.InnovationVar = append(r.Innovations, e), append(r.InnovationVar, cov)
	if f.left > 0 {
		r.Filtered, r.FilteredCov = append(r.Filtered, nil), append(r.FilteredCov, nil)
		return
	}
	if r.FirstProper == 0 {
		r.FirstProper = len(r.Innovations)
	}
	dense := zeros(len(f.a), len(f.a))
	f.Covariance(dense)
	r.Filtered, r.FilteredCov = append(r.Filtered, append([]float64(nil), f.a...)), append(r.FilteredCov, dense)
}

// joint is the error of the forecast of the values of this time and its variance, nil if one is missing.
func (f *Filter) joint(y []float64, z [][]float64) (e []float64, variance [][]float64) {
	e = make([]float64, len(y))
	for i, v := range y {
		if e[i] = v - dot(z[i], f.a); math.IsNaN(e[i]) {
			return nil, nil
		}
	}
	return e, f.outputs(z)
}

// outputs is Z P Z' + H.
func (f *Filter) outputs(z [][]float64) [][]float64 {
	n := len(f.a)
	out, pz, s := zeros(len(z), len(z)), make([]float64, n), make([]float64, n)
	for i := range z {
		f.p.times(pz, z[i], s)
		for j := range i + 1 {
			out[i][j] = dot(z[j], pz) + f.model.H[i][j]
			out[j][i] = out[i][j]
		}
		out[i][i] = f.p.variance(z[i]) + f.model.H[i][i]
	}
	return out
}

// Forecast returns mean and covariance of the outputs of the next steps, with Z by step where it moves (nil: that of the model). What is still
// diffuse is left out of the covariances.
func (r *Result) Forecast(steps int, z [][][]float64) (mean [][]float64, cov [][][]float64) {
	f := r.Final.Clone()
	if f.steady {
		f.unsettle()
	}
	for h := range steps {
		f.Predict()
		now := r.model.Z
		if z != nil {
			now = z[h]
		}
		mean, cov = append(mean, mulVec(now, f.a)), append(cov, f.outputs(now))
	}
	return mean, cov
}
