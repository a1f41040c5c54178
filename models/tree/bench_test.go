package tree

import (
	"os"
	"syscall"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// cpu is the processor time of this process in nanoseconds.
func cpu() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// benchStream measures predict and learn over a stream from its beginning, again with a new model each time.
func benchStream(b *testing.B, fresh func() models.Learner, examples []models.Example) {
	answer := make([]float64, 0, 16)
	b.ReportAllocs()
	var spent int64
	n := 0
	for b.Loop() {
		m := fresh()
		begin := cpu()
		for i := range examples {
			e := &examples[i]
			answer = m.Predict(answer[:0], e)
			m.Learn(e, answer)
		}
		spent += cpu() - begin
		n += len(examples)
	}
	b.ReportMetric(float64(spent)/float64(n), "cpu-ns/event")
}

// elec2 reads the stream that figures of others are known for; `day` may be a category.
func elec2(t testing.TB, nominal bool) (*features.Schema, []models.Example) {
	f, err := os.Open(os.Getenv("FRESHET_DATA") + "/elec2.csv.gz")
	if err != nil {
		t.Skip("elec2.csv.gz not found: set FRESHET_DATA to the folder that holds it")
	}
	s := schema(8)
	if nominal {
		s.Columns[1].Kind = features.Categorical
	}
	return s, readExamples(t, f, "UP")
}

func BenchmarkElec2(b *testing.B) {
	for _, nominal := range []bool{false, true} {
		s, examples := elec2(b, nominal)
		name := map[bool]string{false: "numeric", true: "day_nominal"}[nominal]
		b.Run("hoeffding_tree/"+name, func(b *testing.B) {
			benchStream(b, func() models.Learner { return binary(s) }, examples)
		})
	}
}
