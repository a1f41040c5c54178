package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/cluster"
)

var schema = &features.Schema{Columns: []features.Column{{Name: "x"}, {Name: "y"}}}

// build makes a clusterer through its catalogue entry.
func build(t testing.TB, name string, params map[string]any) *cluster.Transformer {
	t.Helper()
	spec := models.Spec{Stages: []models.Stage{{Name: "cluster_distance", Params: map[string]any{"clusters": map[string]any{name: params}}}}}
	if _, err := models.Registry(cluster.Components).Resolve(spec, models.Anomaly); err != nil {
		t.Fatal(err)
	}
	return made(name, params)
}

func made(name string, params map[string]any) *cluster.Transformer {
	for i := range cluster.Components {
		c := &cluster.Components[i]
		if c.Name != name {
			continue
		}
		inner := *c
		var out models.Transformer
		probe := models.Component{Name: "probe", Kind: models.ModelKind, Fold: 1, Params: []models.Param{{Name: "t", Part: models.TransformerKind, Default: models.Spec{Stages: []models.Stage{{Name: name, Params: params}}}}},
			NewModel: func(a models.Args, env models.Env) (l models.Learner, err error) {
				out, err = a.Transformer("t", env)
				return nil, err
			}}
		p, err := models.Registry{probe, inner}.Resolve(models.Named("probe"), models.Anomaly)
		if err != nil {
			panic(err)
		}
		if _, err := p.Build(models.Env{Task: models.Anomaly, Schema: schema, Seed: 1}); err != nil {
			panic(err)
		}
		return out.(*cluster.Transformer)
	}
	panic("no clusterer " + name)
}

var centres = [][2]float64{{0, 0}, {8, 0}, {0, 8}}

func point(x, y float64) *models.Example {
	return &models.Example{Row: models.Row{Value: []float64{x, y}}, Weight: 1}
}

func labelled(c models.Transformer, x, y float64) (label, distance float64) {
	v := c.Transform(models.Row{}, point(x, y)).Value
	return v[2], v[3]
}

// TestThreeGroups: every clusterer tells three groups apart, gives all of a group one cluster, and stays within its room.
func TestThreeGroups(t *testing.T) {
	for name, params := range map[string]map[string]any{
		"k_means": {"k": 3}, "clustream": {"k": 3, "micro_clusters": 30}, "denstream": {"epsilon": 1.0}, "dbstream": {"radius": 1.0},
	} {
		c := build(t, name, params)
		rng := rand.New(rand.NewPCG(1, 5))
		for range 5000 {
			m := centres[rng.IntN(3)]
			c.Observe(point(m[0]+0.5*rng.NormFloat64(), m[1]+0.5*rng.NormFloat64()))
		}
		seen := map[float64]bool{}
		for _, m := range centres {
			label, distance := labelled(c, m[0], m[1])
			if distance > 1 {
				t.Errorf("%s: %v from the centre of a group to its cluster", name, distance)
			}
			seen[label] = true
			for range 20 {
				if l, _ := labelled(c, m[0]+0.4*rng.NormFloat64(), m[1]+0.4*rng.NormFloat64()); l != label {
					t.Errorf("%s: one group has the clusters %v and %v", name, label, l)
					break
				}
			}
		}
		if len(seen) != 3 {
			t.Errorf("%s: %d clusters for three groups", name, len(seen))
		}
		if n := c.Clusters(); n < 3 || n > 200 {
			t.Errorf("%s: %d micro-clusters", name, n)
		}
	}
}

// TestKMeansIsTheMean: with one cluster and no forgetting, the centre is the mean of all examples (MacQueen 1967).
func TestKMeansIsTheMean(t *testing.T) {
	c := build(t, "k_means", map[string]any{"k": 1, "rate": 0.0})
	for i := range 101 {
		c.Observe(point(float64(i), -float64(i)))
	}
	if _, d := labelled(c, 50, -50); d > 1e-9 {
		t.Errorf("the centre is %v from the mean", d)
	}
}

// TestDensityForgets: groups that end are dropped, and the room is kept to.
func TestDensityForgets(t *testing.T) {
	for _, name := range []string{"denstream", "dbstream"} {
		c := build(t, name, map[string]any{"half_life": 50.0, "max_clusters": 10})
		rng := rand.New(rand.NewPCG(2, 2))
		for range 2000 { // scattered: more micro-clusters than room
			c.Observe(point(100*rng.Float64(), 100*rng.Float64()))
		}
		if c.Clusters() > 10 || models.DroppedBy(c).Total() == 0 {
			t.Errorf("%s: %d micro-clusters in a room of 10, %d dropped", name, c.Clusters(), models.DroppedBy(c).Total())
		}
		for range 3000 {
			c.Observe(point(500+0.1*rng.NormFloat64(), 500))
		}
		if _, d := labelled(c, 50, 50); d < 600 {
			t.Errorf("%s: a cluster %v away from where nothing was for 60 half-lives", name, d)
		}
	}
}

// TestMissing: before there is a cluster both columns are missing, and rows with a missing value are placed, not learned.
func TestMissing(t *testing.T) {
	c := build(t, "k_means", nil)
	if l, d := labelled(c, 1, 1); l == l || d == d {
		t.Errorf("cluster %v at %v before the first example", l, d)
	}
}

func group(name string, params map[string]any) {
	c := made(name, params)
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range 3000 {
		m := centres[i%2]
		c.Observe(point(m[0]+0.2*rng.NormFloat64(), m[1]+0.2*rng.NormFloat64()))
	}
	a, near := labelled(c, 0.1, 0)
	b, _ := labelled(c, 8, 0.1)
	fmt.Println("apart:", a != b, " near:", near < 1)
}

func ExampleTransformer_kMeans() {
	group("k_means", map[string]any{"k": 2})
	// Output: apart: true  near: true
}

func ExampleTransformer_cluStream() {
	group("clustream", map[string]any{"k": 2})
	// Output: apart: true  near: true
}

func ExampleTransformer_denStream() {
	group("denstream", map[string]any{"epsilon": 1.0})
	// Output: apart: true  near: true
}

func ExampleTransformer_dbStream() {
	group("dbstream", map[string]any{"radius": 1.0})
	// Output: apart: true  near: true
}

func ExampleNewDistance() {
	m := cluster.NewDistance(made("k_means", map[string]any{"k": 2}), 0.01, 10000)
	rng := rand.New(rand.NewPCG(4, 4))
	for i := range 3000 {
		c := centres[i%2]
		m.Observe(point(c[0]+rng.NormFloat64(), c[1]+rng.NormFloat64()))
	}
	fmt.Println(m.Predict(nil, point(0, 1))[0] > 0.5, m.Predict(nil, point(4, 20))[0] > 0.5)
	// Output: false true
}
