package evaluate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

func candidate(t *testing.T, text string) Candidate {
	t.Helper()
	s, err := ParseModel(text)
	if err != nil {
		t.Fatal(err)
	}
	return Candidate{text, s}
}

// Models side by side are what they are alone, and the differences are those of their metrics.
func TestModelsSideBySide(t *testing.T) {
	data := market(3000)
	o := Options{Drop: []string{"at"}, Delay: Delay{Events: 5}}
	alone := evaluate(t, data, o)
	o.Model = "majority_class"
	other := evaluate(t, data, o)
	o.Model, o.Others = "", []Candidate{candidate(t, "majority_class"), candidate(t, "hoeffding_tree")}
	both := evaluate(t, data, o)
	if both.StateSHA256 != alone.StateSHA256 || both.Others[0].StateSHA256 != other.StateSHA256 || both.Others[1].StateSHA256 != alone.StateSHA256 {
		t.Error("models change each other")
	}
	for _, d := range both.Others[0].Differences {
		want := other.Metrics.Value(d.Metric) - alone.Metrics.Value(d.Metric)
		if math.Abs(d.Mean-want) > 1e-9 || !(d.Low < d.Mean && d.Mean < d.High) || d.Low < 0 && d.High > 0 {
			t.Errorf("%+v, want %g", d, want)
		}
	}
	for _, d := range both.Others[1].Differences {
		if d.Mean != 0 || d.Low != 0 || d.High != 0 {
			t.Errorf("a model differs from itself: %+v", d)
		}
	}
	var text bytes.Buffer
	if err := both.Table(&text); err != nil || !strings.Contains(text.String(), "accuracy, model 2 less model") {
		t.Error(text.String())
	}
}

// The sums of pairs keep the mean when there are too many rows.
func TestPairsAreBounded(t *testing.T) {
	p := newPaired(models.Regression)
	total, n := 0.0, 3*maxPairs+5
	for i := range n {
		a, b := float64(i%7), float64(i%5)
		p.add(0, []float64{a}, []float64{b})
		total += a - b
	}
	if len(p.sums[0]) > maxPairs {
		t.Errorf("%d sums", len(p.sums[0]))
	}
	if d := p.bands(&Options{})[0]; math.Abs(d.Mean-total/float64(n)) > 1e-4 {
		t.Errorf("mean %g, want %g", d.Mean, total/float64(n))
	}
}

func TestCurve(t *testing.T) {
	data := market(1000)
	r := evaluate(t, data, Options{Drop: []string{"at"}, Every: 300})
	if len(r.Curve) != 3 || r.Curve[2].Labels != 900 {
		t.Fatalf("%d points", len(r.Curve))
	}
	// After 900 labels: all of the first 900, and the last 300 of them.
	head := evaluate(t, data, Options{Drop: []string{"at"}, Limit: 900})
	at := r.Curve[2].Models[0]
	if at.All.Value("accuracy") != head.Metrics.Value("accuracy") {
		t.Error("metrics of the curve are not those of its labels")
	}
	sum := 0.0
	for _, p := range r.Curve {
		sum += p.Models[0].Recent.Value("accuracy")
	}
	if math.Abs(sum/3-head.Metrics.Value("accuracy")) > 1e-12 {
		t.Error("recent metrics do not add up")
	}
	recent := evaluate(t, data, Options{Drop: []string{"at"}, Every: 300, Recent: Recent{Events: 300}})
	span := evaluate(t, data, Options{Time: "at", Every: 300, Recent: Recent{Duration: 299 * time.Minute}})
	for i, p := range r.Curve {
		for _, other := range []*Report{recent, span} {
			if a, b := p.Models[0].Recent.Value("log_loss"), other.Curve[i].Models[0].Recent.Value("log_loss"); math.Abs(a-b) > 1e-9 {
				t.Errorf("point %d: %g and %g", i, a, b)
			}
		}
	}
	if b, err := json.Marshal(r); err != nil || !bytes.Contains(b, []byte(`"curve":[{"labels":300,"models":[{"model":"hoeffding_tree","metrics":{"accuracy"`)) {
		t.Errorf("%s", b)
	}
}

func TestPlots(t *testing.T) {
	r := evaluate(t, market(600), Options{Drop: []string{"at"}, Every: 50, Others: []Candidate{candidate(t, "majority_class")}})
	dir := t.TempDir()
	read := func(name string) []byte {
		path := filepath.Join(dir, name)
		if err := r.Plot(path); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	svg := string(read("a.svg"))
	if strings.Count(svg, "<polyline") < 8 || !strings.Contains(svg, "majority_class") || !strings.HasSuffix(svg, "</svg>\n") {
		t.Error(svg)
	}
	if page := string(read("a.html")); !strings.Contains(page, "<svg") || !strings.Contains(page, "<th>600</th>") {
		t.Error(page)
	}
	img, err := png.Decode(bytes.NewReader(read("a.PNG")))
	if err != nil {
		t.Fatal(err)
	}
	blue := 0
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if a, b, c, _ := img.At(x, y).RGBA(); a>>8 == 0 && b>>8 == 114 && c>>8 == 178 {
				blue++
			}
		}
	}
	if blue < 500 {
		t.Errorf("%d pixels of the first model", blue)
	}
	if err := r.Plot(filepath.Join(dir, "a.gif")); err == nil || !strings.Contains(err.Error(), ".svg, .png or .html") {
		t.Error(err)
	}
}

// To save after a part and go on from there is never to have stopped.
func TestSaveAndLoad(t *testing.T) {
	whole := market(2000)
	lines := strings.SplitAfter(whole, "\n")
	first, second := strings.Join(lines[:1001], ""), lines[0]+strings.Join(lines[1001:], "")
	state := filepath.Join(t.TempDir(), "state")
	o := Options{Drop: []string{"at"}}
	want := evaluate(t, whole, o)
	o.Save = state
	evaluate(t, first, o)
	o.Save, o.Load = state+"2", state
	got := evaluate(t, second, o)
	if got.StateSHA256 != want.StateSHA256 {
		t.Error("another state")
	}
	if name, err := SavedModel(state + "2"); err != nil || name != "hoeffding_tree" {
		t.Error(name, err)
	}
	// One class only, and columns in another order, are no obstacle.
	if r := evaluate(t, "y,side,x\nUP,left,.9\n", Options{Load: state}); r.Events != 1 || len(r.Classes) != 2 {
		t.Errorf("%+v", r)
	}
	for _, c := range []struct {
		name, data, want string
		o                Options
	}{
		{"another model", first, "give the same --model", Options{Model: "majority_class", Drop: []string{"at"}}},
		{"missing column", "x,y\n1,UP\n2,DOWN\n", "another schema: data has no column side", Options{}},
		{"further column", "x,side,z,y\n1,left,1,UP\n2,left,2,DOWN\n", "column z of data is not in the state: --drop it", Options{}},
		{"another kind", "x,side,y\nhigh,left,UP\n2,left,DOWN\n", `column x of data holds a text (data:2: "high")`, Options{}},
		{"another class", "x,side,y\n1,left,UP\n2,left,SAME\n", `"SAME" is none of the loaded state's classes DOWN, UP`, Options{}},
		{"another task", "x,side,y\n1,left,UP\n2,left,DOWN\n", "the loaded state is of the task binary", Options{Task: models.Regression, Model: "no_change"}},
	} {
		c.o.Load = state
		if _, err := attempt(c.data, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %s", c.name, err, c.want)
		}
	}
}

func TestDamagedStates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	evaluate(t, market(200), Options{Drop: []string{"at"}, Save: path})
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.Clone(good)
	binary.LittleEndian.PutUint32(newer[4:], 9)
	if _, err := openState(newer); !errors.Is(err, ErrNewerState) || !strings.Contains(err.Error(), "9, this build reads up to 1") {
		t.Error(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		if bad[i] ^= 4; i >= 4 && i < 8 {
			continue // the version
		}
		if _, err := openState(bad); !errors.Is(err, codec.ErrDamaged) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	for n := range len(good) {
		if _, err := openState(good[:n]); !errors.Is(err, codec.ErrDamaged) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	if _, err := attempt(market(10), Options{Load: path + "none"}); err == nil {
		t.Error("a missing file was loaded")
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"model":"no_change","task":"binary","classes":["a","b"],"columns":[{"name":"x"}]}`), []byte("FRSM"))
	f.Fuzz(func(t *testing.T, head, rest []byte) {
		b := binary.LittleEndian.AppendUint32(bytes.Clone(stateMagic), stateVersion)
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(head))), head...)
		b = append(b, rest...)
		sum := sha256.Sum256(b)
		if _, err := openState(append(b, sum[:]...)); err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(path, append(b, sum[:]...), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = attempt("x,y\n1,a\n2,b\n", Options{Load: path, Model: "no_change"})
	})
}

// The stored layout, byte for byte.
func TestStateFileIsGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	evaluate(t, "x,k,y\n1,a,0\n2,b,1\n", Options{Model: "no_change", Save: path})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head := `{"model":"no_change","task":"binary","classes":["0","1"],"columns":[{"name":"x"},{"name":"k","categorical":true}],"learned":2}`
	want := "FRSV\x01\x00\x00\x00" + string([]byte{byte(len(head)), 0, 0, 0}) + head + "FRSM"
	if !bytes.HasPrefix(b, []byte(want)) {
		t.Errorf("%q", b)
	}
}

// TestPointsComeAtOnce: each point is told when it is there, not at the end, and is the one of the report; an error ends the run.
func TestPointsComeAtOnce(t *testing.T) {
	spec, err := ParseModel("majority_class")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Model: "majority_class", Spec: spec, Reader: strings.NewReader(market(8000)), Target: "y", Every: 500}
	var got []CurvePoint
	rows := int64(0)
	o.OnPoint = func(p *CurvePoint) error {
		if p.Labels > rows+1024 || p.Labels < rows {
			t.Errorf("the point of %d labels came after %d rows", p.Labels, rows)
		}
		got = append(got, *p)
		return nil
	}
	r, err := Run(t.Context(), o, func(s *Standing) {
		if !s.Reading {
			rows = s.Rows
		}
	})
	if err != nil || len(got) != 16 {
		t.Fatalf("%d points, %v", len(got), err)
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(r.Curve)
	if string(a) != string(b) {
		t.Errorf("told %s\nreported %s", a, b)
	}
	full := errors.New("the disk is full")
	o.Reader, o.OnPoint = strings.NewReader(market(8000)), func(*CurvePoint) error { return full }
	if _, err := Run(t.Context(), o, nil); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

// With slow models batches become short, so that a run tells of itself several times a second.
func TestBatchesFollowTheirTime(t *testing.T) {
	r := run{size: 1024, most: 1024}
	for range 10 {
		r.fit(time.Second)
	}
	if r.size != leastBatch {
		t.Errorf("%d rows after slow batches", r.size)
	}
	for range 10 {
		r.fit(time.Millisecond)
	}
	if r.size != 1024 {
		t.Errorf("%d rows after quick batches", r.size)
	}
}
