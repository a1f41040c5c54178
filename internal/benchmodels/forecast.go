package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/trainer/evaluate"
	"github.com/freshet-ml/freshet/trainer/evaluate/forecasts"
)

// seriesRow is a file of series with the ways in which it is forecast.
type seriesRow struct {
	name                     string // of the rows: what is forecast
	data, test, time, target string
	seasons                  []int
	limit                    int64
	warmUp                   int // values before the first origin, where there are several
	ahead                    []ahead
	models                   []seriesModel
	peer                     bool   // whether statsmodels runs beside
	reference                string // what others reach one step ahead, in other runs
}

// ahead is a horizon with the distance of its origins, 0 for the last origin only.
type ahead struct{ horizon, stride int }

// seriesModel is a spec with the name by which the peer knows its like.
type seriesModel struct{ spec, peer string }

var monthly = []seriesModel{{"holt_winters", ""}, {"{holt_winters: {seasonal: multiplicative}}", ""}, {"{holt_winters: {seasonal: multiplicative, fit: 72}}", "holt_winters"}, {"ets", ""},
	{"{ets: {fit: 72}}", "ets"}, {"theta", ""}, {"sarima", "sarima"}, {"unobserved_components", "unobserved_components"}, {"dynamic_linear_model", ""}, {"forecaster_bank", ""}}

var hourly = []seriesModel{{"{holt_winters: {season: 24}}", "holt_winters"}, {"{ets: {season: 24}}", "ets"}, {"{theta: {season: 24}}", ""}, {"sarima", "sarima"}, {"dynamic_linear_model", ""},
	{"forecaster_bank", ""}, {"unobserved_components", "unobserved_components"}}

var (
	airline = seriesRow{data: "airline_passengers", time: "month", target: "passengers", seasons: []int{12}, models: monthly}
	bike    = seriesRow{data: "bike_sharing_hour", time: "instant", target: "cnt", seasons: []int{24, 168}, models: hourly}
)

var seriesRows = []seriesRow{
	{name: "m4_hourly", data: "m4_hourly_train", test: "m4_hourly_test", seasons: []int{24, 168}, ahead: []ahead{{48, 0}}, models: hourly},
	airline.over("airline, second half", 0, 72, true, "", ahead{1, 1}, ahead{24, 1}),
	airline.over("airline, from the 25th", 0, 24, false, "8.93 Holt-Winters, 12.1 SNARIMAX (River)", ahead{1, 1}),
	bike.over("bikes, second half of 1,344", 1344, 672, true, "", ahead{1, 1}, ahead{24, 1}),
	bike.over("bikes, from the 169th", 0, 168, false, "39.6 SNARIMAX (River)", ahead{1, 1}, ahead{24, 24}),
}

// over is the row on a part of its values.
func (r seriesRow) over(name string, limit int64, warmUp int, peer bool, reference string, list ...ahead) seriesRow {
	r.name, r.limit, r.warmUp, r.peer, r.reference, r.ahead = name, limit, warmUp, peer, reference, list
	return r
}

// forecasts prints the tables of forecasters.
func (b *bench) forecasts() error {
	if b.data == "" {
		return nil
	}
	h := b.heading("### Forecasts\n\nOne pass, no refit, defaults unless written. m4_hourly: 48 steps after the training part. Others: rolling origins over the values that are named, those before are warm-up; " +
		"24 steps ahead at every origin (of all bikes: at every 24th). Learn is the processor time of a value as a mean, fits among them, update the time of one in the middle of all (median over eights, single series); forecast that of the horizon with its quantiles. statsmodels with parameters fitted to the warm-up, in this run where it is found: " +
		"the same errors, and the time of `extend` by one value; River's as published, not in this run.\n\n" + "| data | steps ahead | model | mae | smape | mase | owa | msis | coverage 95 % | crps | learn, ns | update, ns | forecast, ns | state, bytes a series | others' mae | extend, µs | extend / update |\n" + strings.Repeat("|---", 17) + "|\n")
	for _, r := range seriesRows {
		path := filepath.Join(b.data, r.data+".csv.gz")
		if _, err := os.Stat(path); err != nil || b.skip(r.name+" "+r.data, "forecast", false) {
			continue
		}
		peers := b.seriesPeers(r, path)
		for _, a := range r.ahead {
			if err := b.series(h, r, a, path, peers); err != nil {
				return err
			}
		}
	}
	h.end()
	return nil
}

// options are those of a row.
func (r *seriesRow) options(a ahead, path string) forecasts.Options {
	o := forecasts.Options{Path: path, Time: r.time, Target: r.target, Horizon: a.horizon, Seasons: r.seasons, WarmUp: r.warmUp, Seed: 1, Limit: r.limit, Workers: 1}
	if r.test != "" {
		o.Test = strings.Replace(path, r.data, r.test, 1)
	}
	if a.stride > 0 {
		o.Origins = forecasts.Origins{All: true, Stride: a.stride}
	}
	return o
}

// series runs every model that this build has, one by one, so that none is in the caches of another.
func (b *bench) series(h *heading, r seriesRow, a ahead, path string, peers map[string]float64) error {
	first, reference := true, ""
	if a.horizon == 1 {
		reference = r.reference
	}
	for _, m := range r.models {
		o := r.options(a, path)
		if b.quick {
			if o.Limit == 0 {
				o.Limit = 2000
			}
			if r.test != "" {
				o.Limit = 20
			}
		}
		spec, err := evaluate.ParseModel(m.spec)
		if err == nil {
			_, err = catalog.Resolve(spec, models.Forecast)
		}
		if err != nil {
			h.row("| %s | %d | `%s` | not in this build%s", r.name, a.horizon, m.spec, strings.Repeat(" |", 14))
			continue
		}
		o.Model, o.Spec = m.spec, spec
		report, err := forecasts.Run(b.ctx, o, nil)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", r.data, m.spec, err)
		}
		if first {
			first = false
			for _, base := range report.Baselines {
				h.row("| %s | %d | `%s` %s | | | | | %s | | |", r.name, a.horizon, base.Model, seriesCells(base.Metrics), reference)
				reference = ""
			}
		}
		peer := m.peer
		update, err := r.update(o)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", r.data, m.spec, err)
		}
		mae, extend := math.NaN(), math.NaN()
		if peer != "" {
			mae, extend = found(peers, fmt.Sprintf("statsmodels %s %s %d", r.data, peer, a.horizon)), found(peers, fmt.Sprintf("statsmodels %s %s extend", r.data, peer))
		}
		h.row("| %s | %d | `%s` %s | %.0f | %s | %.0f | %d | %s | %s | %s |", r.name, a.horizon, m.spec, seriesCells(report.Metrics), report.LearnNS, short(math.Round(update)), report.PredictNS,
			report.StateBytes/max(report.Series, 1), short(mae), short(extend/1e3), short(math.Round(extend/update)))
	}
	return nil
}

// update is the time of one value, in ns: the median over stretches of eight after the warm-up, of three runs. It leaves out fits, which a mean holds. NaN for many series.
func (r *seriesRow) update(o forecasts.Options) (float64, error) {
	if r.test != "" {
		return math.NaN(), nil
	}
	values, err := column(o.Path, r.target, o.Limit)
	if err != nil {
		return 0, err
	}
	plan, err := catalog.Resolve(o.Spec, models.Forecast)
	if err != nil {
		return 0, err
	}
	f, err := plan.Forecaster(models.ForecastEnv{Seasons: o.Seasons, Horizon: o.Horizon, Seed: o.Seed})
	if err != nil {
		return 0, err
	}
	const stretch = 8
	var times []float64
	for range 3 {
		s := f.Start()
		for i := 0; i < len(values); {
			n := 1
			if i >= r.warmUp {
				n = min(stretch, len(values)-i)
			}
			begin := time.Now()
			for _, y := range values[i : i+n] {
				s.Advance(1)
				s.Observe(y, nil)
			}
			if took := time.Since(begin); n == stretch {
				times = append(times, float64(took)/stretch)
			}
			i += n
		}
	}
	if len(times) == 0 {
		return math.NaN(), nil
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// column reads the numbers of one column.
func column(path, name string, limit int64) ([]float64, error) {
	rows, err := evaluate.OpenRows(path, nil, "", false)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	at := slices.Index(rows.Columns, name)
	if at < 0 {
		return nil, fmt.Errorf("%s: no column %s", path, name)
	}
	var out []float64
	for limit == 0 || int64(len(out)) < limit {
		err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		x, ok := evaluate.Number(rows.Fields[at])
		if !ok {
			return nil, fmt.Errorf("%s:%d: no number", path, rows.Line)
		}
		out = append(out, x)
	}
	return out, nil
}

func seriesCells(m evaluate.Metrics) string {
	var out strings.Builder
	for _, name := range []string{"mae", "smape", "mase", "owa", "msis", "coverage_95", "crps"} {
		text := short(m.Value(name))
		if name == "mae" || name == "mase" {
			text = "**" + text + "**"
		}
		out.WriteString("| " + text + " ")
	}
	return strings.TrimSpace(out.String())
}

// found is the figure of that name, NaN without.
func found(peers map[string]float64, name string) float64 {
	if x, ok := peers[name]; ok {
		return x
	}
	return math.NaN()
}

// seriesPeers runs statsmodels on a single series, where it is found.
func (b *bench) seriesPeers(r seriesRow, path string) map[string]float64 {
	out := map[string]float64{}
	python := os.Getenv("FRESHET_PYTHON")
	if python == "" || !r.peer || b.quick {
		return out
	}
	b.peer(out, python, filepath.Join("internal", "benchmodels", "peers", "statsmodels_forecasts.py"), path, r.data, r.target, strconv.FormatInt(r.limit, 10), strconv.Itoa(r.warmUp), strconv.Itoa(r.seasons[0]))
	return out
}
