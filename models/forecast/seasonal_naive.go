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

var seasonalNaiveSpec = Spec{
	Name: "seasonal_naive",
	Doc: "Forecasts of the next `horizon` steps, as columns _1, _2 …: the newest value of the same place in the season, without a season the " +
		"last value. The baseline of forecasters. Missing where nothing was seen.",
	Uses: []string{"step", "season", "horizon"}, Version: seasonalNaiveVersion,
	Cost: "constant to update, linear in the horizon to read", Memory: "10 + 8·season bytes", Source: "definition",
	New: func(c HoltWintersConfig) (features.Keyed, error) {
		s, err := NewSeasonalNaive(c.Grid)
		if err != nil {
			return nil, err
		}
		return s, nil
	},
}

const seasonalNaiveVersion = 1

// NewSeasonalNaive returns the baseline on a grid, or an error that says what is out of range.
func NewSeasonalNaive(g Grid) (*SeasonalNaive, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	return &SeasonalNaive{grid: g}, nil
}

// Shape returns the horizon as width; every state has one size.
func (s *SeasonalNaive) Shape() features.KeyedShape {
	return features.KeyedShape{Width: s.grid.Horizon, MaxBytes: stateHead + 8*s.grid.Season, Step: s.grid.Period, Version: seasonalNaiveVersion}
}

// Check returns an error if the bytes are no state of a baseline with this season.
func (s *SeasonalNaive) Check(state []byte) error {
	if len(state) == 0 {
		return nil
	}
	if stateKind(state) != kindNaive || doubles(state) != s.grid.Season {
		return errState
	}
	if err := s.grid.checkSlot(state); err != nil {
		return err
	}
	for i := range doubles(state) {
		if v := double(state, i); math.IsInf(v, 0) {
			return errState
		}
	}
	return nil
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
