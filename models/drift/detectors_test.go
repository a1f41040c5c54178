package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// mersenne is CPython's generator (MT19937, seeded by an int below 2³²), for the published change points of detectors that draw.
type mersenne struct {
	state [624]uint32
	at    int
}

func newMersenne(seed uint32) *mersenne {
	m := &mersenne{}
	m.state[0] = 19650218
	for i := 1; i < 624; i++ {
		m.state[i] = 1812433253*(m.state[i-1]^m.state[i-1]>>30) + uint32(i)
	}
	i := 1
	for range 624 { // init_by_array of one key
		m.state[i] = (m.state[i] ^ (m.state[i-1]^m.state[i-1]>>30)*1664525) + seed
		if i++; i == 624 {
			m.state[0], i = m.state[623], 1
		}
	}
	for range 623 {
		m.state[i] = (m.state[i] ^ (m.state[i-1]^m.state[i-1]>>30)*1566083941) - uint32(i)
		if i++; i == 624 {
			m.state[0], i = m.state[623], 1
		}
	}
	m.state[0], m.at = 1<<31, 624
	return m
}

func (m *mersenne) uint32() uint32 {
	if m.at == 624 {
		for i := range 624 {
			y := m.state[i]&(1<<31) | m.state[(i+1)%624]&(1<<31-1)
			m.state[i] = m.state[(i+397)%624] ^ y>>1 ^ y&1*0x9908b0df
		}
		m.at = 0
	}
	y := m.state[m.at]
	m.at++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// below is random.Random._randbelow.
func (m *mersenne) below(n int) int {
	bits := 0
	for n>>bits > 0 {
		bits++
	}
	for {
		if v := int(m.uint32() >> (32 - bits)); v < n {
			return v
		}
	}
}

// choice is one draw of random.Random.choices among n.
func (m *mersenne) choice(n int) int {
	a, b := m.uint32()>>5, m.uint32()>>6
	return int((float64(a)*67108864 + float64(b)) / 9007199254740992 * float64(n))
}

func TestMersenneMakesTheStreams(t *testing.T) {
	m := newMersenne(12345)
	for i, v := range stream(t, "steps") {
		want := float64(0)
		if i < 1000 {
			want = float64(m.choice(2))
		} else {
			want = float64(4 + m.choice(4))
		}
		if v != want {
			t.Fatalf("value %d is %v, CPython gives %v", i, v, want)
		}
	}
}

// TestPublishedSequences: where a warning begins (w) and where a change is (d), over the whole stream, as River reports them.
func TestPublishedSequences(t *testing.T) {
	kswin := NewKSWIN(KSWINConfig{Alpha: 0.0001})
	kswin.draw = newMersenne(42).below
	for _, c := range []struct {
		name, stream string
		d            Detector
		want         string
	}{
		{"ddm", "errors", NewDDM(), "w1084 w1086 w1095 d1334 w1492 w1500 w1504 w1511 w1534 w1644 w1652 w1809"},
		{"eddm", "errors", NewEDDM(EDDMConfig{Warning: 0.8, Drift: 0.75}), "w1059 d1278"},
		{"hddm_a", "errors", NewHDDMA(HDDMAConfig{}), "w451 w1127 w1132 w1134 d1206"},
		{"hddm_a two-sided", "errors", NewHDDMA(HDDMAConfig{TwoSided: true}), "w451 w1127 w1132 w1134 d1206"},
		{"hddm_w", "errors", NewHDDMW(HDDMWConfig{}), "w451 w923 w953 w962 w1059 w1070 w1074 d1077"},
		{"hddm_w two-sided", "errors", NewHDDMW(HDDMWConfig{TwoSided: true}), "w451 w509 w518 w923 w953 w962 w1059 w1070 w1074 d1077"},
		{"adwin", "steps", NewADWIN(0), "d1023"},
		{"page_hinkley", "steps", NewPageHinkley(PageHinkleyConfig{}), "d1006"},
		{"kswin", "steps", kswin, "d1016"},
	} {
		got, warned := "", false
		for i, v := range stream(t, c.stream) {
			if c.d.Update(v) {
				got += fmt.Sprint(" d", i)
			} else if w := c.d.Warning(); w && !warned && c.stream == "errors" { // the warnings of the others are ours
				got += fmt.Sprint(" w", i)
			}
			warned = c.d.Warning()
		}
		if got = got[min(1, len(got)):]; len(got) > len(c.want) && c.name == "ddm" {
			got = got[:len(c.want)]
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// detector makes the detector of a catalogue entry with its defaults.
func detector(t testing.TB, name string, params map[string]any) Detector {
	t.Helper()
	// A detector is a part; it is made through a component that has one.
	holder := models.Component{Name: "holder", Kind: models.ModelKind, Fold: 1, Tasks: []models.Task{models.Binary},
		Params: []models.Param{{Name: "of", Default: models.Named("adwin"), Part: models.DetectorKind}}}
	var d Detector
	holder.NewModel = func(a models.Args, env models.Env) (models.Learner, error) {
		part, err := a.Part("of", env)
		if err == nil {
			d = part.(Detector)
		}
		return nil, err
	}
	p, err := append(models.Registry{holder}, Components...).Resolve(models.Spec{Stages: []models.Stage{{Name: "holder",
		Params: map[string]any{"of": map[string]any{name: params}}}}}, models.Binary)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Build(models.Env{Task: models.Binary, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	return d
}

// bernoulli draws errors at rate p.
func bernoulli(rng *rand.Rand, p float64) float64 {
	if rng.Float64() < p {
		return 1
	}
	return 0
}

// TestEveryDetector: what the contract promises, for each of the catalogue: a rise of the error rate is found, and soon; a stream without a change
// alarms rarely; the direction is told; values that are no numbers change nothing; a state goes on where it was saved; nothing is allocated.
func TestEveryDetector(t *testing.T) {
	// False alarms in 100,000 stationary errors of rate 0.2 at most, and events until a change to 0.5 (kswin, which looks at 30 values: 0.9) is seen, at most.
	limits := map[string][2]int{"adwin": {2, 120}, "page_hinkley": {20, 200}, "cusum": {12, 200}, "ddm": {5, 220}, "eddm": {80, 150}, "rddm": {20, 100},
		"hddm_a": {5, 100}, "hddm_w": {20, 80}, "stepd": {80, 40}, "ewma_chart": {150, 100}, "kswin": {12, 60}}
	for _, c := range Components {
		t.Run(c.Name, func(t *testing.T) {
			rng, d := rand.New(rand.NewPCG(3, 9)), detector(t, c.Name, nil)
			for range 100000 {
				d.Update(bernoulli(rng, 0.2))
			}
			t.Logf("%d false alarms in 100,000", d.Changes())
			if got := int(d.Changes()); got > limits[c.Name][0] {
				t.Errorf("%d false alarms in 100,000, want at most %d", got, limits[c.Name][0])
			}
			delay, found, worse := 0, 0, 0.5
			if c.Name == "kswin" {
				worse = 0.9
			}
			for range 20 {
				d := detector(t, c.Name, nil)
				for range 2000 {
					d.Update(bernoulli(rng, 0.2))
				}
				for i := range 4000 {
					if d.Update(bernoulli(rng, worse)) {
						delay += i
						found++
						if !d.Rose() || d.Warning() {
							t.Errorf("rose %t, warning %t after a rise", d.Rose(), d.Warning())
						}
						break
					}
				}
			}
			t.Logf("a rise found %d times of 20, after %d", found, delay/max(found, 1))
			if found < 20 || delay/20 > limits[c.Name][1] {
				t.Errorf("found %d of 20 rises, after %d, want at most %d", found, delay/max(found, 1), limits[c.Name][1])
			}
		})
	}
}

func TestEveryDetectorIgnoresWhatIsNoNumber(t *testing.T) {
	for _, c := range Components {
		rng, a, b := rand.New(rand.NewPCG(5, 5)), detector(t, c.Name, nil), detector(t, c.Name, nil)
		for i := range 3000 {
			x := bernoulli(rng, 0.3+0.2*float64(i/1000))
			for _, no := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				if b.Update(no) {
					t.Fatalf("%s: %v is a change", c.Name, no)
				}
			}
			if a.Update(x) != b.Update(x) || a.Warning() != b.Warning() {
				t.Fatalf("%s: differs at %d", c.Name, i)
			}
		}
		if codec.Sum(a) != codec.Sum(b) {
			t.Errorf("%s: values that are no numbers changed the state", c.Name)
		}
		for _, huge := range []float64{1e300, -1e300, math.MaxFloat64, 5e-324, 0} {
			for range 200 {
				a.Update(huge)
			}
		}
		if err := codec.Load(detector(t, c.Name, nil), codec.Save(a)); err != nil {
			t.Errorf("%s: after huge values: %v", c.Name, err)
		}
	}
}

func TestEveryDetectorGoesOn(t *testing.T) {
	for _, c := range Components {
		for _, params := range []map[string]any{nil, other[c.Name]} {
			rng, a, b, never := rand.New(rand.NewPCG(6, 6)), detector(t, c.Name, params), detector(t, c.Name, params), detector(t, c.Name, params)
			for i := range 30000 {
				if i%709 == 0 {
					saved := codec.Save(a)
					if err := codec.Load(b, saved); err != nil {
						t.Fatalf("%s at %d: %v", c.Name, i, err)
					}
					if !slices.Equal(codec.Save(b), saved) {
						t.Fatalf("%s at %d: other bytes after loading", c.Name, i)
					}
				}
				x := bernoulli(rng, 0.2+0.3*float64(i/5000%2))
				never.Update(x)
				if a.Update(x) != b.Update(x) || a.Warning() != b.Warning() || a.Rose() != b.Rose() || a.Changes() != b.Changes() {
					t.Fatalf("%s: another answer at %d", c.Name, i)
				}
			}
			if codec.Sum(a) != codec.Sum(b) || codec.Sum(a) != codec.Sum(never) {
				t.Errorf("%s: states differ", c.Name)
			}
			if len(codec.Save(a)) > 6000 {
				t.Errorf("%s: a state of %d bytes", c.Name, len(codec.Save(a)))
			}
		}
		if err := codec.Load(detector(t, c.Name, other[c.Name]), codec.Save(detector(t, c.Name, nil))); err == nil {
			t.Errorf("%s: the state of another configuration was loaded", c.Name)
		}
	}
}

// other has parameters that differ from the defaults.
var other = map[string]map[string]any{
	"adwin": {"delta": 0.01, "warning": 0.1, "direction": "up"}, "page_hinkley": {"threshold": 20, "direction": "down"}, "cusum": {"threshold": 20, "direction": "up"},
	"ddm": {"drift": 2.5}, "eddm": {"drift": 0.8}, "rddm": {"longest": 3000, "stable": 500, "patience": 100}, "hddm_a": {"two_sided": true}, "hddm_w": {"two_sided": true, "lambda": 0.1},
	"stepd": {"window": 64}, "ewma_chart": {"run_length": "10000"}, "kswin": {"window": 80, "recent": 20, "direction": "down"},
}

func TestEveryDetectorAllocatesNothing(t *testing.T) {
	for _, c := range Components {
		rng, d := rand.New(rand.NewPCG(2, 2)), detector(t, c.Name, nil)
		i := 0
		if n := testing.AllocsPerRun(20000, func() { d.Update(bernoulli(rng, 0.2+0.3*float64(i/3000%2))); i++ }); n != 0 {
			t.Errorf("%s: %v allocations", c.Name, n)
		}
	}
}

// TestDirections: a fall is told from a rise by the detectors that see both.
func TestDirections(t *testing.T) {
	for name, params := range map[string]map[string]any{"adwin": nil, "page_hinkley": nil, "cusum": nil, "kswin": {"alpha": 0.0001}, "hddm_a": {"two_sided": true}, "hddm_w": {"two_sided": true, "drift": 0.0001}} {
		for _, direction := range []string{"both", "up", "down"} {
			p := map[string]any{}
			for k, v := range params {
				p[k] = v
			}
			if name[0] != 'h' {
				p["direction"] = direction
			} else if direction != "both" {
				continue
			}
			rng, d := rand.New(rand.NewPCG(8, 8)), detector(t, name, p)
			var rose []bool
			for i := range 4000 {
				x := 0.7
				if i >= 1000 && i < 2500 {
					x = 0.2
				}
				if d.Update(bernoulli(rng, x)) {
					if i < 1000 {
						continue
					}
					if (i >= 2500) != d.Rose() {
						t.Errorf("%s, %s: at %d rose is %t", name, direction, i, d.Rose())
					}
					rose = append(rose, d.Rose())
				}
			}
			if slices.Contains(rose, false) != (direction != "up") || slices.Contains(rose, true) != (direction != "down") {
				t.Errorf("%s, %s: rises %v", name, direction, rose)
			}
		}
	}
}

// TestADWINWarnsEarlier: a slow rise is warned of before it is a change, and never after the change was found at the same test.
func TestADWINWarnsEarlier(t *testing.T) {
	rng, earlier := rand.New(rand.NewPCG(1, 4)), 0
	for range 20 {
		d := NewADWINWarning(0.002, 0.1)
		plain := NewADWIN(0.002)
		warned := -1
		for i := range 6000 {
			x := bernoulli(rng, 0.2+0.3*max(0, float64(i-3000)/3000))
			change := d.Update(x)
			if change != plain.Update(x) {
				t.Fatal("warnings change the changes")
			}
			if i > 3000 && warned < 0 && d.Warning() && d.Rose() {
				warned = i
			}
			if i > 3000 && change {
				if warned > 0 && warned < i {
					earlier++
				}
				break
			}
		}
	}
	if earlier < 12 {
		t.Errorf("warned before %d of 20 changes", earlier)
	}
}

// TestKSDistribution: critical differences against the exact p-values of SciPy for two samples of 30.
func TestKSDistribution(t *testing.T) {
	for alpha, want := range map[float64]int{0.136: 9, 0.07089: 10, 0.0346: 11, 0.0157: 12, 0.0066: 13, 0.005: 14, 0.0001: 17} {
		if got := ksCritical(30, alpha); got != want {
			t.Errorf("alpha %v: %d, want %d", alpha, got, want)
		}
	}
}

// TestKSWINAgainstPlainTest: the difference of the counts by sorting both samples anew.
func TestKSWINAgainstPlainTest(t *testing.T) {
	d, rng := NewKSWIN(KSWINConfig{Alpha: 1e-9, Window: 50, Recent: 20, Seed: 3}), rand.New(rand.NewPCG(4, 4))
	twin := rand.New(rand.NewPCG(3, 0x6b7377696e))
	var all []float64
	for i := range 2000 {
		x := math.Round(rng.NormFloat64()*3) + float64(i/700)
		all = append(all, x)
		d.Update(x)
		if len(all) < 50 {
			continue
		}
		window := all[len(all)-50:]
		older, newer := slices.Clone(window[:30]), window[30:]
		var sample []float64
		for k := range 20 {
			j := twin.IntN(30 - k)
			sample = append(sample, older[j])
			older[j] = older[29-k]
		}
		want := 0
		for _, at := range window {
			n := 0
			for k := range 20 {
				if newer[k] <= at {
					n++
				}
				if sample[k] <= at {
					n--
				}
			}
			want = max(want, n, -n)
		}
		if d.Changes() > 0 {
			t.Fatal("a change at 1e-9") // the twin would be out of step
		}
		if warned := want >= ksCritical(20, 0.05); warned != d.Warning() {
			t.Fatalf("at %d: difference %d, warning %t", i, want, d.Warning())
		}
	}
}

// TestChartKeepsItsRunLength: with a known error rate the chart runs as long as it says; between the rates of the table, within a factor of two.
func TestChartKeepsItsRunLength(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 2))
	for _, length := range []int{400, 1000} {
		for _, p := range []float64{0.05, 0.12, 0.2, 0.25, 0.45, 0.6} {
			total := 0.0
			const runs = 400
			for range runs {
				d := NewEWMAChart(EWMAChartConfig{RunLength: length, WarmUp: 1})
				d.n, d.p, d.z = 1e12, p, p // a rate that is known
				for d.Changes() == 0 {
					d.Update(bernoulli(rng, p))
					total++
				}
			}
			if got := total / runs / float64(length); got < 0.5 || got > 2 {
				t.Errorf("rate %v: %.2f of the run length %d", p, got, length)
			}
		}
	}
}

// plainSTEPD keeps every value.
func TestSTEPDAgainstAllValues(t *testing.T) {
	rng, d := rand.New(rand.NewPCG(7, 7)), NewSTEPD(STEPDConfig{Window: 30})
	var all []float64
	for i := range 20000 {
		x := bernoulli(rng, 0.2+0.2*float64(i/2500%2))
		all = append(all, x)
		want := false
		if n := len(all); n >= 60 {
			var older, newer float64
			for j, v := range all {
				if j < n-30 {
					older += v
				} else {
					newer += v
				}
			}
			p := (older + newer) / float64(n)
			inverse := 1/float64(n-30) + 1.0/30
			z := (math.Abs(older/float64(n-30)-newer/30) - inverse/2) / math.Sqrt(p*(1-p)*inverse)
			want = newer/30 > older/float64(n-30) && math.Erfc(z/math.Sqrt2) < 0.003
		}
		if got := d.Update(x); got != want {
			t.Fatalf("at %d: %t, want %t", i, got, want)
		} else if got {
			all = all[:0]
		}
	}
	if d.Changes() < 4 {
		t.Errorf("%d changes", d.Changes())
	}
}

// TestHDDMAAgainstAllPrefixes: the cut is the newest prefix whose mean plus bound is least.
func TestHDDMAAgainstAllPrefixes(t *testing.T) {
	rng, d := rand.New(rand.NewPCG(1, 7)), NewHDDMA(HDDMAConfig{})
	var all []float64
	for i := range 4000 {
		x := rng.Float64() * (0.5 + 0.3*float64(i/1500%2))
		all = append(all, x)
		best, at, sum := math.Inf(1), average{}, 0.0
		for k, v := range all {
			sum += v
			n := float64(k + 1)
			if edge := sum/n + math.Sqrt(math.Log(1/0.001)/2/n); edge <= best {
				best, at = edge, average{n, sum / n}
			}
		}
		n := float64(len(all))
		want := at.n < n && sum/n-at.mean >= math.Sqrt((1/at.n-1/n)/2*math.Log(2/0.001))
		if got := d.Update(x); got != want {
			t.Fatalf("at %d: %t, want %t", i, got, want)
		} else if got {
			all = all[:0]
		}
	}
	if d.Changes() < 1 {
		t.Error("no change")
	}
}

// TestRDDMStaysSensitive: on a long concept ddm needs many errors to move its mean; rddm has forgotten the oldest (Barros et al. 2017, §1). A warning that lasts
// is a change.
func TestRDDMStaysSensitive(t *testing.T) {
	rng, late, early := rand.New(rand.NewPCG(1, 9)), 0, 0
	for range 5 {
		slow, quick := NewDDMWith(DDMConfig{Warning: 1.773, Drift: 2.258, WarmUp: 129}), NewRDDM(RDDMConfig{Longest: 5000, Stable: 1000})
		for range 100000 {
			x := bernoulli(rng, 0.1)
			slow.Update(x)
			quick.Update(x)
		}
		for _, d := range []struct {
			d   Detector
			sum *int
		}{{slow, &late}, {quick, &early}} {
			for *d.sum++; !d.d.Update(bernoulli(rng, 0.2)); *d.sum++ {
			}
		}
	}
	if early*2 > late {
		t.Errorf("rddm needs %d events for five changes, ddm %d", early, late)
	}
	d := NewRDDM(RDDMConfig{Drift: 1e9, Warning: 3, Patience: 50})
	for i := range 3000 {
		x := float64(i / 1500)
		if i%5 == 0 {
			x = 1
		}
		if d.Update(x) {
			if i < 1500+50 || i > 1500+200 {
				t.Errorf("a warning of 50 values is a change at %d", i)
			}
			return
		}
	}
	t.Error("a warning that lasts was no change")
}

// TestRing: the bits are the last ones.
func TestRing(t *testing.T) {
	r, rng := newRing(70), rand.New(rand.NewPCG(2, 3))
	all := make([]float64, 70)
	for range 500 {
		x := bernoulli(rng, 0.5)
		if got := r.push(x); got != all[len(all)-70] {
			t.Fatal("push returns another value than the oldest")
		}
		all = append(all, x)
		for k := range 70 {
			if r.back(k) != all[len(all)-1-k] {
				t.Fatalf("the bit %d back is wrong", k)
			}
		}
	}
}

// FuzzDetectorState: arbitrary bytes are an error or a state that works.
func FuzzDetectorState(f *testing.F) {
	for i, c := range Components {
		d := detector(f, c.Name, nil)
		for k := range 300 {
			d.Update(float64(k % 3 / 2))
		}
		f.Add(uint8(i), codec.Save(d))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		d := detector(t, Components[int(which)%len(Components)].Name, nil)
		if codec.Load(d, b) == nil {
			for i := range 300 {
				d.Update(float64(i % 2))
			}
		}
	})
}

// TestDamagedDetectorStates: every cut is an error; a flipped byte is an error or another state that works.
func TestDamagedDetectorStates(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for _, c := range Components {
		d := detector(t, c.Name, nil)
		for range 700 {
			d.Update(bernoulli(rng, 0.3))
		}
		saved := codec.Save(d)
		for range 200 {
			if codec.Load(detector(t, c.Name, nil), saved[:rng.IntN(len(saved))]) == nil {
				t.Fatalf("%s: a cut state was loaded", c.Name)
			}
			flipped := slices.Clone(saved)
			flipped[rng.IntN(len(flipped))] ^= byte(1 + rng.IntN(255))
			if d := detector(t, c.Name, nil); codec.Load(d, flipped) == nil {
				for range 300 {
					d.Update(bernoulli(rng, 0.5))
				}
			}
		}
	}
}

func BenchmarkDetectors(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	x := make([]float64, 4096)
	for i := range x {
		x[i] = bernoulli(rng, 0.2)
	}
	for _, c := range Components {
		b.Run(c.Name, func(b *testing.B) {
			d := detector(b, c.Name, nil)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				d.Update(x[i&4095])
			}
		})
	}
}

// A detector of errors tells a warning from a change.
func ExampleNewDDM() {
	d, warned := NewDDM(), false
	for i := range 2000 {
		x := 0.0
		if i%10 == 0 || i >= 1000 && i%2 == 0 {
			x = 1
		}
		if d.Update(x) {
			fmt.Println("changed at", i)
			return
		}
		if d.Warning() && !warned {
			fmt.Println("warned at", i)
			warned = true
		}
	}
	// Output:
	// warned at 1022
	// changed at 1048
}

// Each value is compared with a sample of older ones: here a spread that doubles while the mean stays.
func ExampleNewKSWIN() {
	rng, d := rand.New(rand.NewPCG(1, 1)), NewKSWIN(KSWINConfig{Alpha: 1e-5, Window: 300, Recent: 100, Seed: 1})
	for i := range 2000 {
		x := rng.NormFloat64()
		if i >= 1000 {
			x *= 4
		}
		if d.Update(x) {
			fmt.Println("found", i >= 1000)
			return
		}
	}
	// Output: found true
}
