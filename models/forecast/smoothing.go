package forecast

import (
	"fmt"
	"math"
)

// SmoothingForm is a form of exponential smoothing: how error, trend and season enter (Hyndman, Koehler, Ord & Snyder 2008, table 2.1).
type SmoothingForm struct {
	RelativeError bool       // the spread of the error grows with the forecast (M), else it is constant (A)
	Trend, Damped bool       // a trend (A), damped (Ad), or none (N)
	Season        SeasonForm // N, A or M
}

// SeasonForm says how a season enters.
type SeasonForm uint8

// How a season enters.
const (
	NoSeason             SeasonForm = 0
	AdditiveSeason       SeasonForm = 1 // it is added to the level
	MultiplicativeSeason SeasonForm = 2 // the level is multiplied by it
)

// String is the form's name, such as "MAdM".
func (f SmoothingForm) String() string {
	s := "A"
	if f.RelativeError {
		s = "M"
	}
	switch {
	case f.Damped:
		s += "Ad"
	case f.Trend:
		s += "A"
	default:
		s += "N"
	}
	return s + [...]string{"N", "A", "M"}[f.Season]
}

// positive reports whether the form is for series without negative values.
func (f SmoothingForm) positive() bool { return f.RelativeError || f.Season == MultiplicativeSeason }

// linear reports whether forecasts are normal with a variance in closed form.
func (f SmoothingForm) linear() bool { return !f.positive() }

// ParseSmoothingForm reads a name such as "AAN" or "MAdM": error A or M, trend N, A or Ad, season N, A or M.
func ParseSmoothingForm(name string) (SmoothingForm, error) {
	for _, f := range smoothingForms {
		if f.String() == name {
			return f, nil
		}
	}
	return SmoothingForm{}, fmt.Errorf("form %q: give error (A or M), trend (N, A or Ad) and season (N, A or M), such as AAdA", name)
}

// smoothingForms are all of them, simpler ones first.
var smoothingForms = func() (all []SmoothingForm) {
	for _, season := range []SeasonForm{NoSeason, AdditiveSeason, MultiplicativeSeason} {
		for _, relative := range []bool{false, true} {
			all = append(all, SmoothingForm{relative, false, false, season}, SmoothingForm{relative, true, true, season}, SmoothingForm{relative, true, false, season})
		}
	}
	return all
}()

// smoothParams are a form and its parameters in innovations form: one error e moves every part of the state.
type smoothParams struct {
	SmoothingForm
	alpha, beta, gamma, phi float64 // beta and gamma already hold the factors α and 1−α; phi 1: no damping
	winters                 bool    // a multiplicative season follows the new level, not the one before, with the rate gamma/(1−alpha)
}

// smoothState is level, trend and season of one series.
type smoothState struct {
	level, trend float64
	season       []float64 // by place; one number without season
	at           int       // place of the present step
}

// maxState bounds levels and trends: beyond it a series begins anew.
const maxState = 1e120

// leastFactor bounds a multiplicative season from below, so that it can grow again.
const leastFactor = 1e-6

// advance goes on by one or more steps without values.
func (p *smoothParams) advance(s *smoothState, steps int64) {
	if p.Season != NoSeason {
		s.at = wrap(s.at, steps, len(s.season))
	}
	if !p.Trend {
		return
	}
	if steps == 1 {
		s.trend *= p.phi
		s.level += s.trend
		return
	}
	s.level += float64(s.trend * geometric(p.phi, float64(steps)))
	s.trend *= math.Pow(p.phi, float64(steps))
}

// predict is the forecast of the present step.
func (p *smoothParams) predict(s *smoothState) float64 {
	switch p.Season {
	case AdditiveSeason:
		return s.level + s.season[s.at]
	case MultiplicativeSeason:
		return s.level * s.season[s.at]
	}
	return s.level
}

// correct takes in the error e of the present step.
func (p *smoothParams) correct(s *smoothState, e float64) {
	switch p.Season {
	case AdditiveSeason:
		s.season[s.at] += float64(p.gamma * e)
	case MultiplicativeSeason:
		p.correctFactor(s, e)
		return
	}
	s.level += float64(p.alpha * e)
	s.trend += float64(p.beta * e)
}

// correctFactor is correct for a multiplicative season. A level that is not positive leaves the season as it is.
func (p *smoothParams) correctFactor(s *smoothState, e float64) {
	factor, level := s.season[s.at], s.level
	share := e / max(factor, leastFactor)
	s.level += float64(p.alpha * share)
	s.trend += float64(p.beta * share)
	switch {
	case p.winters && s.level > 0 && p.alpha < 1:
		y := float64(level*factor) + e
		factor += float64(p.gamma / (1 - p.alpha) * (y/s.level - factor))
	case !p.winters && level > 0:
		factor += float64(p.gamma * e / level)
	}
	s.season[s.at] = min(max(factor, leastFactor), 1/leastFactor)
}

// geometric is r + r² + … + rⁿ, for r in [0, 1].
func geometric(r, n float64) float64 {
	if 1-r < 1e-9 {
		return n
	}
	return -r * math.Expm1(n*math.Log(r)) / (1 - r)
}

// effect is c_j = α + β(φ + … + φʲ) + γ·1{j mod m = 0}: what an error does to the forecast j steps later.
func (p *smoothParams) effect(j int64, m int) float64 {
	c := p.alpha
	if p.Trend {
		c += float64(p.beta * geometric(p.phi, float64(j)))
	}
	if p.Season != NoSeason && j%int64(m) == 0 {
		c += p.gamma
	}
	return c
}

// growth is 1 + c_1² + … + c_{h−1}²: the variance of the hth forecast as a multiple of that of the first, for the linear forms
// (Hyndman et al. 2008, table 6.2), in closed form.
func (p *smoothParams) growth(h int64, m int) float64 {
	if h <= 1 {
		return 1
	}
	n := float64(h - 1)
	sum := n * p.alpha * p.alpha
	var seasons, levels float64 // how many seasons end before h, and what their level terms sum to
	if p.Season != NoSeason {
		seasons = float64((h - 1) / int64(m))
		levels = seasons * p.alpha
	}
	switch {
	case !p.Trend || p.beta == 0:
	case 1-p.phi < 1e-9:
		sum += p.alpha*p.beta*n*(n+1) + p.beta*p.beta*n*(n+1)*(2*n+1)/6
		levels += p.beta * float64(m) * seasons * (seasons + 1) / 2
	case p.phi == 0:
	default:
		w := p.beta * p.phi / (1 - p.phi)
		u := p.alpha + w
		sum = max(0, n*u*u-2*u*w*geometric(p.phi, n)+w*w*geometric(p.phi*p.phi, n))
		if seasons > 0 {
			levels = seasons*u - w*geometric(math.Pow(p.phi, float64(m)), seasons)
		}
	}
	return 1 + sum + p.gamma*(2*levels+seasons*p.gamma)
}
