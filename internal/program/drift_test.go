package program_test

import (
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models/catalog"
)

// The detector that the project names watches every model, baselines too, each with a state of its own; the usual one is told by none.
func TestDetectorOfTheProject(t *testing.T) {
	for text, want := range map[string]string{"": "adwin", "\ndrift: {loss: adwin}\n": "adwin", "\ndrift: {loss: {hddm_w: {lambda: 0.1}}}\n": "hddm_w"} {
		p, err := project.Parse("freshet.yaml", []byte(strings.TrimRight(string(flights.Project()), "\n")+"\n"+text), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		prog, err := program.Compile(p, catalog.All)
		if err != nil {
			t.Fatal(err)
		}
		members := prog.Triggers[0].Members
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
