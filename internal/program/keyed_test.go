package program_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/forecast"
	"github.com/freshet-ml/freshet/trainer"
)

// tills asks, at the end of each hour, for the amount that the shop sells in the next.
const tills = `
version: 1
project: tills
clock: events
sources:
  asked: {time: at, fields: {id: string, shop: string}}
  sales: {time: at, fields: {id: string, shop: string, amount: double?, kind: string}}
features:
  shop:
    key: shop
    forecast: {holt_winters: sales.amount, where: kind != "gift", step: 1h, season: 24, horizon: 3}
    smooth: {holt_winters: sales.amount, step: 1h, with: {alpha: .4, beta: .1, phi: .9, outliers: 0}}
    usual: {seasonal_naive: sales.amount, step: 1h, season: 24}
    count: {count: sales, over: 1d}
models:
  next:
    task: regression
    on: asked
    id: id
    use: [shop.forecast]
    label: {from: sales, by: id, value: amount, wait: 2h}
    pipeline: [standard_scaler, linear_regression]
    challengers:
      blind: {use: [shop.count]}
`

func compiled(t testing.TB, text string) *program.Program {
	t.Helper()
	p, err := project.Parse("freshet.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

var (
	opening = time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	anHour  = time.Hour.Microseconds()
)

// sold is an event of sales, asks one of asked; NaN is a null amount.
func sold(seq uint64, at int64, id, shop string, amount float64, kind string) *features.Item {
	v := features.DoubleValue(amount)
	if math.IsNaN(amount) {
		v = features.Value{}
	}
	return &features.Item{Seq: seq, Kind: features.EventItem, Source: 1, Time: at,
		Fields: []features.Value{features.TimeValue(at), features.StringValue(id), features.StringValue(shop), v, features.StringValue(kind)}}
}

func asks(seq uint64, at int64, id, shop string) *features.Item {
	return &features.Item{Seq: seq, Kind: features.EventItem, Source: 0, Time: at,
		Fields: []features.Value{features.TimeValue(at), features.StringValue(id), features.StringValue(shop)}}
}

// amountOf is what a shop sells in an hour: a day's pattern of its own, a slow trend, and noise.
func amountOf(rng *rand.Rand, shop, hour int) float64 {
	day := 2 * math.Pi * float64(hour+5*shop) / 24
	return 100*float64(1+shop) + 40*math.Sin(day) + 15*math.Cos(2*day) + 0.02*float64(hour) + 4*rng.NormFloat64()
}

// replayTills replays sixty days of three shops.
func replayTills(t testing.TB) *trainer.Replay {
	t.Helper()
	r, err := trainer.NewReplay(compiled(t, tills).Program)
	if err != nil {
		t.Fatal(err)
	}
	rng, seq := rand.New(rand.NewPCG(7, 8)), uint64(0)
	apply := func(it *features.Item) {
		if err := r.Apply(it); err != nil {
			t.Fatal(err)
		}
		seq++
	}
	for hour := range 60 * 24 {
		for shop := range 3 { // the answer to the question of the hour before, then the next question
			apply(sold(seq, opening+int64(hour)*anHour+int64(shop), fmt.Sprintf("%d-%d", shop, hour), fmt.Sprint(shop), amountOf(rng, shop, hour), "sale"))
		}
		for shop := range 3 {
			apply(asks(seq, opening+int64(hour+1)*anHour-anHour/60+int64(shop), fmt.Sprintf("%d-%d", shop, hour+1), fmt.Sprint(shop)))
		}
	}
	return r
}

// A model that uses the forecasts of its entity knows more than the newest label, the mean, and a model without them; and two
// replays answer alike to the bit.
func TestForecastsHaveValue(t *testing.T) {
	r := replayTills(t)
	mae := func(name string) float64 {
		v, ok := r.Fold("asked").Metric(name, "mae")
		if !ok {
			t.Fatalf("%s has no mae", name)
		}
		return v
	}
	t.Logf("mae with forecasts %.2f, no change %.2f, mean %.2f, without forecasts %.2f", mae("next"), mae("next.no_change"), mae("next.mean"), mae("blind"))
	for _, other := range []string{"next.no_change", "next.mean", "blind"} {
		if !(mae("next") < mae(other)/3) {
			t.Errorf("mae with forecasts %.2f, of %s %.2f", mae("next"), other, mae(other))
		}
	}
	if mae("next") < 2.5 {
		t.Errorf("mae %.2f is below that of the noise: a label has leaked into the features", mae("next"))
	}
	if a, b := r.Golden().Sum(), replayTills(t).Golden().Sum(); a != b {
		t.Errorf("two replays give %s and %s", a, b)
	}
}

// plain is Holt's recursion with damped trend and without season, one step after the other.
type plain struct {
	level, trend float64
	step         int64
	started      bool
}

func (p *plain) move(steps int64) (level, trend float64) {
	level, trend = p.level, p.trend
	for range steps {
		trend *= .9
		level += trend
	}
	return level, trend
}

func (p *plain) take(step int64, y float64) {
	if !p.started {
		*p = plain{level: y, step: step, started: true}
		return
	}
	if step < p.step {
		return
	}
	level, trend := p.move(step - p.step)
	e := y - level
	p.level, p.trend, p.step = level+.4*e, trend+.4*.1*e, step
}

func (p *plain) ahead(step int64) float64 {
	if !p.started {
		return math.NaN()
	}
	level, _ := p.move(max(step-p.step, 0) + 1)
	return level
}

// The columns of an entity are those of the plain recursions over the series of that entity alone, however the events of two
// come in, and whenever the states were saved and loaded.
func TestForecastsEqualPlainRecursion(t *testing.T) {
	prog := compiled(t, tills)
	shop := prog.Entities[0]
	usual, err := forecast.NewKeyed(func(env models.ForecastEnv) (models.Forecaster, error) { return forecast.NewNaive(env), nil },
		forecast.KeyedConfig{Step: anHour, Seasons: []int{24}, Horizon: 1, Leads: []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	winters, err := catalog.Resolve(models.Named("holt_winters"), models.Forecast)
	if err != nil {
		t.Fatal(err)
	}
	seasonal, err := forecast.NewKeyed(winters.Forecaster, forecast.KeyedConfig{Step: anHour, Seasons: []int{24}, Horizon: 3, Leads: []int{1, 2, 3}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	schema := features.Schema{Columns: shop.Columns()}
	rng := rand.New(rand.NewPCG(1, 1))
	var states, loaded [2]unit.State
	var smooth [2]plain
	var naive, season [2][]byte
	at := opening
	for i := range 3000 {
		e := rng.IntN(2)
		at += rng.Int64N(anHour)
		when, y, kind := at-rng.Int64N(4)/3*rng.Int64N(3*anHour), amountOf(rng, e, i), []string{"sale", "gift"}[rng.IntN(5)/4]
		if rng.IntN(9) == 0 {
			y = math.NaN()
		}
		it := sold(uint64(i), when, "", fmt.Sprint(e), y, kind)
		shop.Apply(&states[e], it, at)
		loaded[e] = unit.State{Head: bytes.Clone(loaded[e].Head), Tiles: bytes.Clone(loaded[e].Tiles)}
		if err := shop.CheckState(&loaded[e]); err != nil {
			t.Fatal(err)
		}
		if shop.Apply(&loaded[e], it, at); !bytes.Equal(loaded[e].Head, states[e].Head) {
			t.Fatal("the state depends on when it was saved and loaded")
		}
		if !math.IsNaN(y) {
			smooth[e].take(when/anHour, y)
			naive[e], _ = usual.Update(naive[e], when, []float64{y})
			if kind == "sale" {
				season[e], _ = seasonal.Update(season[e], when, []float64{y})
			}
		}
		for e := range states {
			asked := at + rng.Int64N(2)*7*anHour
			got, _ := shop.Read(nil, &states[e], asked)
			want := map[string]float64{"shop.smooth_1": smooth[e].ahead(asked / anHour), "shop.usual_1": usual.Read(nil, naive[e], asked)[0]}
			for k, f := range seasonal.Read(nil, season[e], asked) {
				want[fmt.Sprintf("shop.forecast_%d", k+1)] = f
			}
			for name, x := range want {
				y := got[schema.Index(name)]
				if math.IsNaN(x) != math.IsNaN(y) || math.Abs(x-y) > 1e-9*(1+math.Abs(x)) {
					t.Fatalf("shop %d after %d events: %s is %v, want %v", e, i+1, name, y, x)
				}
			}
		}
	}
	if n := shop.Stats().Late; n == 0 {
		t.Error("no event was counted as late")
	}
}

// Every forecaster of the catalogue folds and reads through an entity without allocating.
func TestForecastersDoNotAllocate(t *testing.T) {
	shop := compiled(t, tills).Entities[0]
	var st unit.State
	it, dst, at := sold(0, opening, "", "1", 1, "sale"), make([]float64, 0, 16), opening
	step := func() {
		at += anHour / 3
		it.Seq++
		it.Time, it.Fields[3] = at, features.DoubleValue(float64(it.Seq%24))
		dst, _ = shop.Read(dst[:0], &st, at)
		shop.Apply(&st, it, at)
	}
	for range 5000 {
		step()
	}
	if n := testing.AllocsPerRun(2000, step); n > 0 {
		t.Errorf("an event allocates %v times", n)
	}
}

func Example_forecast() {
	p, err := project.Parse("freshet.yaml", []byte(tills), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	shop, err := unit.Compile(p.Entities()[0], p.FeatureSources(), p.UnitOptions())
	if err != nil {
		fmt.Println(err)
		return
	}
	var st unit.State
	for hour := range int64(72) { // 10 by night, 30 from 8 to 20
		amount := 10.0
		if h := hour % 24; h >= 8 && h < 20 {
			amount = 30
		}
		shop.Apply(&st, sold(uint64(hour), opening+hour*anHour, "", "1", amount, "sale"), opening)
	}
	values, _ := shop.Read(nil, &st, opening+(3*24+6)*anHour) // at 6 of the fourth day: for 7, 8 and 9
	for i, c := range shop.Columns() {
		if c.Name[:len("shop.f")] == "shop.f" {
			fmt.Printf("%s %.0f\n", c.Name, values[i])
		}
	}
	// Output:
	// shop.forecast_1 10
	// shop.forecast_2 30
	// shop.forecast_3 30
}
