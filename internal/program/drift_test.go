package program_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/trainer"
)

// watchedFlights is the trigger of the flights with this in their project file.
func watchedFlights(t *testing.T, model, end string) *trainer.Trigger {
	t.Helper()
	text := strings.Replace(string(flights.Project()), "    task: binary\n", "    task: binary\n"+model, 1)
	p, err := project.Parse("freshet.yaml", []byte(strings.TrimRight(text, "\n")+"\n"+end), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	return prog.Triggers[0]
}

// The detector that the project names watches every model, baselines too, each with a state of its own; the usual one is told by none.
func TestDetectorOfTheProject(t *testing.T) {
	for text, want := range map[string]string{"": "adwin", "\ndrift: {loss: adwin}\n": "adwin", "\ndrift: {loss: {hddm_w: {lambda: 0.1}}}\n": "hddm_w"} {
		members := watchedFlights(t, "", text).Members
		for i := range members {
			m := &members[i]
			if m.DetectorName() != want || (m.Detector == nil) != (want == "adwin") {
				t.Errorf("%s: %s, want %s", m.Name, m.DetectorName(), want)
			}
			if m.Detector != nil && (m.Watched() != "error" || m.Detector.New() == m.Detector.New()) {
				t.Errorf("%s watches %s, or shares its detector", m.Name, m.Watched())
			}
		}
	}
}

// What a model names watches it, its challengers and its baselines; measures lie beside the columns of the vector. Both are named in what tells states apart, where they change them.
func TestWhatWatchesATrigger(t *testing.T) {
	usual := watchedFlights(t, "", "")
	if usual.Watching() != "" || usual.Measures != nil {
		t.Errorf("the usual: %q, %v", usual.Watching(), usual.Measures)
	}
	own := watchedFlights(t, "    drift: {loss: ddm}\n", "drift: {features: jensen_shannon}\n")
	for i := range own.Members {
		if m := &own.Members[i]; m.Of == "late" && m.DetectorName() != "ddm" || m.Of != "late" && m.DetectorName() != "adwin" {
			t.Errorf("%s of %s is watched by %s", m.Name, m.Of, m.DetectorName())
		}
	}
	if w := own.Watching(); !strings.Contains(w, "ddm") || strings.Contains(w, "in order") {
		t.Errorf("%q", w)
	}
	ks := watchedFlights(t, "", "drift: {features: ks, columns: {scheduled.distance: wasserstein}}\n")
	for i, c := range ks.Vector.Schema.Columns {
		want := "ks"
		switch {
		case c.Kind == features.Categorical:
			want = "psi"
		case c.Name == "scheduled.distance":
			want = "wasserstein"
		}
		if ks.Measures[i].Name != want {
			t.Errorf("%s by %s, want %s", c.Name, ks.Measures[i].Name, want)
		}
	}
	if w := ks.Watching(); !strings.Contains(w, "in order: ") || strings.Contains(w, "scheduled.carrier") || w != watchedFlights(t, "", "drift: {features: {wasserstein: {threshold: 0.5}}}\n").Watching() {
		t.Errorf("%q", w)
	}
	if slices.Contains([]string{usual.Watching(), own.Watching()}, ks.Watching()) {
		t.Error("states that differ have one name")
	}
}
