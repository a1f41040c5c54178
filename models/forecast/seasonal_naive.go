package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/features"
)

// SeasonalNaive forecasts the newest value of the same place in the season: the baseline that every forecaster must beat. With
// a season of 1 it is the last value. A second value in one step replaces the first; older ones and ones that are not finite are left
// out. State per entity: 10 + 8·season bytes.
type SeasonalNaive struct {
	grid Grid
}

var _ features.Keyed = (*SeasonalNaive)(nil)

// NewSeasonalNaive returns the baseline on a grid, or an error that says what is out of range.
func NewSeasonalNaive(g Grid) (*SeasonalNaive, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	return &SeasonalNaive{grid: g}, nil
}

// Update keeps x[0] as the value of its place in the season. It allocates only for a new entity.
func (s *SeasonalNaive) Update(state []byte, t int64, x []float64) []byte {
	started := stateKind(state) == kindNaive && doubles(state) == s.grid.Season
	if !started {
		state = newState(state, kindNaive, 0, s.grid.Season)
		for i := range s.grid.Season {
			setDouble(state, i, math.NaN())
		}
	}
	last := lastSlot(state)
	slot := s.grid.slot(t, last, started)
	if started && slot < last {
		return state
	}
	setSlot(state, slot)
	if len(x) > 0 && finite(x[0]) {
		setDouble(state, s.grid.phase(slot), x[0])
	}
	return state
}

// Read appends the forecasts of the Horizon steps after that of t (or after the newest value, if t is older). x is not used.
func (s *SeasonalNaive) Read(dst []float64, state []byte, t int64, _ []float64) []float64 {
	if stateKind(state) != kindNaive || doubles(state) != s.grid.Season {
		return s.grid.missing(dst)
	}
	last := lastSlot(state)
	from := s.grid.ahead(t, last)
	for k := range int64(s.grid.Horizon) {
		dst = append(dst, double(state, s.grid.phase(last+from+k+1)))
	}
	return dst
}
