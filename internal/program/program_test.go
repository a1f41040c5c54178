package program_test

import (
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models/catalog"
)

const sameEvent = `
version: 1
project: orders
sources:
  orders: {time: at, fields: {id: string, shop: string, amount: double, returned: int}}
features:
  shop: {key: shop, returns: {mean: orders.returned, over: 1h}}
models:
  returned:
    task: binary
    on: orders
    id: id
    use: [orders.*, shop.*]
    label: {from: orders, by: id, value: returned == 1, wait: 0s}
`

// A label that stands in the trigger itself must not be among the columns that * names, nor the id.
func TestStarLeavesOutTheLabel(t *testing.T) {
	p, err := project.Parse("freshet.yaml", []byte(sameEvent), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	trigger := prog.Triggers[0]
	var names []string
	for _, c := range trigger.Vector.Schema.Columns {
		names = append(names, c.Name)
	}
	if want := []string{"shop.returns", "orders.shop", "orders.amount"}; !slices.Equal(names, want) {
		t.Errorf("the vector has %v, want %v", names, want)
	}
	var models []string
	for _, m := range trigger.Members {
		models = append(models, m.Name)
	}
	if want := []string{"returned", "returned.prior", "returned.no_change", "returned.static"}; !slices.Equal(models, want) {
		t.Errorf("models %v, want %v: the baselines run beside every model", models, want)
	}
}
