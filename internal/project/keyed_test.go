package project

import (
	"fmt"
	"slices"
	"testing"
)

// withForecast is a project with that feature.
func withForecast(t *testing.T, feature string) *Project {
	t.Helper()
	p, err := Parse("freshet.yaml", []byte(fmt.Sprintf(`
version: 1
project: shop
sources:
  orders: {time: at, fields: {user: string, amount: double}}
features:
  user: {key: user, next: %s}
`, feature)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestGenerationOfForecasters: every parameter that a forecaster takes is part of the generation, written out or as its default.
func TestGenerationOfForecasters(t *testing.T) {
	seen := map[string]string{}
	for _, f := range []string{
		"{holt_winters: orders.amount}", "{seasonal_naive: orders.amount}", "{holt_winters: orders.amount, step: 1h}",
		"{holt_winters: orders.amount, season: 24}", "{holt_winters: orders.amount, horizon: 2}", "{holt_winters: orders.amount, with: {alpha: .1}}",
		"{holt_winters: orders.amount, where: amount > 3}", "{last: orders.amount}", "{seasonal_naive: orders.amount, season: [24, 168]}",
		"{seasonal_naive: orders.amount, levels: 0.9}", "{seasonal_naive: orders.amount, lateness: 1h}", "{forecaster_bank: orders.amount, step: 1d, calendar: weekday}",
		"{forecaster_bank: orders.amount, step: 1d, holidays: [2024-12-25]}", "{forecaster_bank: orders.amount, regressors: [amount * 2]}",
	} {
		g := withForecast(t, f).Generation()
		if other, ok := seen[g]; ok {
			t.Errorf("%s has the generation of %s", f, other)
		}
		seen[g] = f
	}
	a, b := withForecast(t, "{holt_winters: orders.amount}"), withForecast(t, "{holt_winters: orders.amount, columns: [mean], step: 0s, horizon: 1}")
	if a.Generation() != b.Generation() {
		t.Error("defaults that are written out change the generation")
	}
}

// TestPlanOfForecasters: the state is planned with the sizes that the forecaster has.
func TestPlanOfForecasters(t *testing.T) {
	plan := PlanOf(withForecast(t, "{holt_winters: orders.amount, step: 1h, season: 24, horizon: 3}"), PlanOptions{})
	u := plan.Units[0]
	if u.StateQuiet < 10*8 || u.StateQuiet > 10*8+200 || u.StateBusy < u.StateQuiet+24*8 || u.StateBusy > 2500 || u.Columns != 3 {
		t.Errorf("%d columns, %d to %d bytes", u.Columns, u.StateQuiet, u.StateBusy)
	}
}

// TestUseOfForecasts: the name of a forecaster stands for all its steps.
func TestUseOfForecasts(t *testing.T) {
	p := withForecast(t, "{seasonal_naive: orders.amount, season: 7, horizon: 2}")
	columns, vain := p.Use(&Model{On: "orders"}, []string{"user.next"})
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	if want := []string{"user.next_1", "user.next_2"}; !slices.Equal(names, want) || len(vain) > 0 {
		t.Errorf("%v (in vain %v), want %v", names, vain, want)
	}
}
