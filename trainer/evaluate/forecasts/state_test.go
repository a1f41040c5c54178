package forecasts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// halves is a series in two files, with dates, and the whole; one key begins in the second, one ends in the first.
func halves() (whole, first, second string) {
	whole = "k,t,v\n"
	first, second = whole, whole
	for i := range 24 {
		for _, k := range []string{"a", "gone", "new"} {
			if k == "gone" && i >= 12 || k == "new" && i < 12 {
				continue
			}
			row := fmt.Sprintf("%s,2024-01-%02d,%d\n", k, i+1, i*i%11)
			whole += row
			if i < 12 {
				first += row
			} else {
				second += row
			}
		}
	}
	return whole, first, second
}

// TestGoOn: to learn one half, save, load and go on with the other ends in the same states as to learn all.
func TestGoOn(t *testing.T) {
	whole, first, second := halves()
	dir := t.TempDir()
	half, all, joined := filepath.Join(dir, "half"), filepath.Join(dir, "all"), filepath.Join(dir, "joined")
	o := Options{Time: "t", Key: "k", Target: "v", Seasons: []int{5}, Horizon: 3}
	with := func(save, load string) Options { p := o; p.Save, p.Load = save, load; return p }
	mustText(t, whole, with(all, ""))
	mustText(t, first, with(half, ""))
	r := mustText(t, second, with(joined, half))
	if !strings.Contains(strings.Join(r.Notes, "\n"), "baselines and scales begin with this file") {
		t.Errorf("notes: %v", r.Notes)
	}
	a, err := readStates(all)
	if err != nil {
		t.Fatal(err)
	}
	b, err := readStates(joined)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.series) != 3 || len(b.series) != 3 {
		t.Fatalf("%d and %d series", len(a.series), len(b.series))
	}
	for key, s := range a.series {
		other := b.series[key]
		if s.base != other.base || s.at != other.at || !bytes.Equal(s.state, other.state) {
			t.Errorf("%s: %+v, %+v", key, s, other)
		}
	}
	sameAnswers(t, whole, second, o, half)
	for name, c := range map[string]struct {
		text string
		o    Options
		want string
	}{
		"not after":      {whole, with("", half), "is not after 2024-01-12, the newest of the state"},
		"other seasons":  {second, func() Options { p := with("", half); p.Seasons = []int{4}; return p }(), "it was saved with seasons [5]"},
		"other step":     {second, func() Options { p := with("", half); p.Step = "1h"; return p }(), "its steps are 1d, and those of the data 1h"},
		"other model":    {second, func() Options { p := with("", half); p.Spec = models.Named("holt_winters"); return p }(), ""},
		"not a state":    {second, with("", write(t, whole)), "was not written by --save of forecasts"},
		"no such file":   {second, with("", filepath.Join(dir, "none")), "load: open"},
		"cannot be made": {second, with(filepath.Join(dir, "no", "where"), ""), "save: "},
	} {
		if _, err := evaluateText(t, c.text, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	if name, err := SavedModel(half); name != "seasonal_naive" || err != nil {
		t.Errorf("model %q, %v", name, err)
	}
}

// sameAnswers wants the forecasts after a loaded state, its end among the origins, to be those of a run through the whole.
func sameAnswers(t *testing.T, whole, second string, o Options, half string) {
	t.Helper()
	o.Origins.All = true
	answers := func(text, load string) []string {
		o.Load, o.Predictions = load, filepath.Join(t.TempDir(), "answers")
		mustText(t, text, o)
		b, err := os.ReadFile(o.Predictions)
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(strings.Split(string(b), "\n"), func(line string) bool { return !strings.HasPrefix(line, "a,2024-01-1") || line < "a,2024-01-12" })
	}
	all, later := answers(whole, ""), answers(second, half)
	if len(all) == 0 || !strings.HasPrefix(later[0], "a,2024-01-12,1,2024-01-13,") || !slices.Equal(all, later) {
		t.Errorf("%v\n%v", all, later)
	}
}

// TestDamagedStates: no damaged byte and no cut is taken for a state.
func TestDamagedStates(t *testing.T) {
	_, first, _ := halves()
	path := filepath.Join(t.TempDir(), "s")
	mustText(t, first, Options{Time: "t", Key: "k", Target: "v", Horizon: 3, Save: path})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if _, err := parseStates(bytes.NewReader(bad)); !errors.Is(err, codec.ErrDamaged) && !errors.Is(err, ErrNewerStates) {
			t.Fatalf("byte %d: %v", i, err)
		}
		if _, err := parseStates(bytes.NewReader(b[:i])); !errors.Is(err, codec.ErrDamaged) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	if _, err := parseStates(bytes.NewReader(append(b, 0))); !errors.Is(err, codec.ErrDamaged) {
		t.Errorf("a longer file: %v", err)
	}
}

// TestFileOfStates: the bytes are those of the page of formats.
func TestFileOfStates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	mustText(t, "k,t,v\nab,3,5\nab,4,6\nab,6,7\n", Options{Time: "t", Key: "k", Target: "v", Step: "1", Horizon: 2, Seed: 9, Save: path})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := parseStates(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	head := `{"model":"seasonal_naive","fingerprint":"` + l.header.Identity + `","seasons":[],"horizon":2,"regressors":[],"seed":9,"time":1,"step":1000000,"snap":false,"zone":""}`
	want := "FRSS\x01\x00\x00\x00" + string([]byte{byte(len(head)), 0, 0, 0}) + head + "\x02\x00\x00\x00ab" +
		"\xc0\xc6\x2d\x00\x00\x00\x00\x00" + "\x03\x00\x00\x00\x00\x00\x00\x00" + string([]byte{byte(len(l.series["ab"].state)), 0, 0, 0}) + string(l.series["ab"].state) + "\xff\xff\xff\xff"
	sum := sha256.Sum256([]byte(want))
	if string(b) != want+string(sum[:]) {
		t.Errorf("%q\n%q", b, want)
	}
}

func FuzzStates(f *testing.F) {
	f.Add([]byte("FRSS"))
	head := []byte(`{"step":1,"horizon":1}`)
	f.Add(append(append([]byte("FRSS\x01\x00\x00\x00"), byte(len(head)), 0, 0, 0), head...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := parseStates(bytes.NewReader(b)); err == nil && len(l.order) != len(l.series) {
			t.Error("keys and series differ")
		}
	})
}

// TestStopped: a run that is ended leaves no state behind, and what was there stays.
func TestStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := Options{Reader: strings.NewReader(manySeries(100, 20)), Time: "t", Key: "k", Target: "v", Horizon: 2, Spec: naiveModel(t), Save: path}
	if _, err := Run(ctx, o, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	list, err := os.ReadDir(filepath.Dir(path))
	b, _ := os.ReadFile(path)
	if err != nil || len(list) != 1 || string(b) != "before" {
		t.Errorf("%v, %q, %v", list, b, err)
	}
}

// recorder is a forecaster that notes what it is given.
type recorder struct{ log *[]string }

func (r recorder) Advance(n int64)                { *r.log = append(*r.log, fmt.Sprintf("+%d", n)) }
func (r recorder) Observe(y float64, x []float64) { *r.log = append(*r.log, fmt.Sprint(y, x)) }
func (r recorder) State(*codec.State)             {}
func (r recorder) Forecast(o *models.Outlook, x [][]float64) {
	*r.log = append(*r.log, fmt.Sprintf("?%d %v", len(o.Mean), x))
}

// TestCalls: a series hears its steps, values and regressors in order, and is asked with those of the steps ahead.
func TestCalls(t *testing.T) {
	d := &data{o: &Options{}, index: map[string]*series{}, regressors: []string{"x"}}
	s := &series{points: []point{{t: 0, y: 5}, {t: 1, y: 6}, {t: 4, y: 7}, {t: 5, y: nan()}, {t: 6, y: 9}}, x: []float64{.1, .2, .3, .4, .5}}
	d.series = append(d.series, s)
	var log []string
	l := &lane{recorder{&log}, -1}
	a := &asking{width: 1, future: make([][]float64, 4)}
	l.learn(s, 1, 0, 3)
	a.ask(l, models.NewOutlook(2, nil), s, origin{2, 2})
	l.learn(s, 1, 3, 5)
	if got, want := strings.Join(log, " "), "+1 5 [0.1] +1 6 [0.2] +3 7 [0.3] ?2 [[0.4] [0.5]] +1 +1 9 [0.5]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func nan() float64 { zero := 0.0; return zero / zero }
