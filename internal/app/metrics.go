package app

import (
	"context"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/metrics"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/trainer"
	"github.com/freshet-ml/freshet/trainer/run"
)

// skewSpan is how many examples the share of skewed ones is about over.
const skewSpan = 1000

// topFeatures is how many features of a trigger have drift metrics: those that drifted most.
const topFeatures = 20

// watch sets the metrics of the stages of a process, and keeps what Status tells of sources and labels. On
// the way of an event it only counts; what can be computed when somebody looks is computed then.
type watch struct {
	m        *metrics.Metrics
	program  *program.Program
	parts    int             // partitions
	clock    *features.Clock // of the sequencer
	counts   []sourceCount   // by source; the sequencer's goroutine alone
	labels   []bool          // by source: it carries labels
	triggers []bool          // by source: its events are examples
	delays   map[string]*delays
	learned  map[string]*modelProbe
	feature  featureProbe
	probed   bool // the first item, and the first label, of this frame was told to the probes
	labelled bool

	mu      sync.Mutex
	sources []sourceCount     // as of the last frame
	raised  map[string]uint64 // totals that counters were raised to
}

// sourceCount is what the sequencer of this process saw of a source.
type sourceCount struct {
	accepted, refused, late uint64
	newest                  int64
	skewed                  float64 // share of the newest examples
	lag                     int64
}

func newWatch(m *metrics.Metrics, p *program.Program, parts int) *watch {
	if m == nil {
		m = metrics.New()
	}
	n := len(p.Sources)
	w := &watch{m: m, program: p, parts: parts, clock: features.NewClock(p.Sources), counts: make([]sourceCount, n), labels: make([]bool, n), triggers: make([]bool, n),
		delays: map[string]*delays{}, learned: map[string]*modelProbe{}, sources: make([]sourceCount, n), raised: map[string]uint64{}}
	for i := range w.counts {
		w.counts[i].newest, w.sources[i].newest = features.NoTime, features.NoTime
	}
	for _, t := range p.Triggers {
		w.triggers[t.Source] = true
		for l := range t.Labels {
			w.labels[t.Labels[l].Source] = true
		}
		w.delays[t.Name] = &delays{}
		w.learned[t.Name] = &modelProbe{}
	}
	return w
}

// taken counts an item; the sequencer's goroutine calls it.
func (w *watch) taken(it *features.Item) {
	switch c := &w.counts[it.Source]; it.Kind {
	case features.EventItem:
		c.accepted++
		c.newest = max(c.newest, it.Time)
		if it.Time < w.clock.Watermark && !w.program.Sources[it.Source].Plain {
			c.late++
		}
		if w.triggers[it.Source] {
			skewed := 0.0
			if it.Flags&features.NotLearned != 0 {
				skewed = 1
			}
			c.skewed += (skewed - c.skewed) / float64(min(c.accepted, skewSpan))
		}
		if !w.probed {
			w.probed = true
			w.feature.begin(it.Seq)
		}
		if w.labels[it.Source] && !w.labelled {
			w.labelled = true
			for _, p := range w.learned {
				p.begin(it.Seq)
			}
		}
	case features.RefusalItem:
		c.refused++
		name := w.program.Sources[it.Source].Name
		w.m.Refused.WithLabelValues(name, it.Reason).Inc()
		w.m.DeadLetters.WithLabelValues(name).Inc()
	}
	w.clock.Observe(it)
}

// sequenced takes in the progress of the sequencer, in its goroutine, after each frame.
func (w *watch) sequenced(p *worker.SequencerProgress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.probed, w.labelled = false, false
	copy(w.sources, w.counts)
	for i := range w.sources {
		if i < len(p.Lags) {
			w.sources[i].lag = p.Lags[i]
		}
	}
}

// committed takes in a commit of feature units, from any goroutine.
func (w *watch) committed(u worker.UnitsProgress) {
	part := strconv.Itoa(int(u.Partition))
	if u.Entities > 0 {
		w.m.Commit.WithLabelValues(part).Observe(u.Took.Seconds())
		w.m.CommitSize.WithLabelValues(part).Observe(float64(u.Entities))
	}
	w.m.Cached.WithLabelValues(part).Set(float64(u.Cached))
}

// folded sees each entry of an example log that a learner folds, in its goroutine.
func (w *watch) folded(t *trainer.Trigger, e *fold.Entry) {
	if e.Kind != fold.Learn {
		return
	}
	w.learned[t.Name].folded(e.Event)
	if e.Flags&(fold.Assumed|fold.Correction) == 0 && w.delays[t.Name].add(e.Seq, e.Time-e.Taken) {
		w.m.LabelDelay.WithLabelValues(t.Name).Observe(float64(e.Time-e.Taken) / 1e6)
	}
}

// published is told after versions were published.
func (w *watch) published(t *trainer.Trigger) {
	if took, ok := w.learned[t.Name].end(); ok {
		for i := range t.Members {
			w.m.ModelFreshness.WithLabelValues(t.Members[i].Name).Observe(took.Seconds())
		}
	}
}

// saved returns what is told of checkpoints.
func (w *watch) saved(stageName, trigger string) run.Saved {
	return func(took time.Duration, err error) {
		if err != nil {
			w.m.CheckpointFails.WithLabelValues(stageName, trigger).Inc()
			return
		}
		w.m.Checkpoint.WithLabelValues(stageName, trigger).Observe(took.Seconds())
		w.m.CheckpointAge.WithLabelValues(stageName, trigger).SetToCurrentTime()
	}
}

// session runs one session of a stage and tells that it runs.
func (w *watch) session(ctx context.Context, name, of string, f func() error) error {
	running := w.m.Running.WithLabelValues(name, of)
	running.Set(1)
	defer running.Set(0)
	err := f()
	if ctx.Err() == nil {
		class := "retriable"
		switch {
		case err == nil:
			class = "none"
		case stage.Final(err):
			class = "final"
		}
		w.m.Restarts.WithLabelValues(name, of, class).Inc()
	}
	return err
}

// raise raises a counter to a total that may begin anew; w.mu is held.
func (w *watch) raise(c *prometheus.CounterVec, total uint64, name string, labels ...string) {
	for _, l := range labels {
		name += "\x00" + l
	}
	if last := w.raised[name]; total >= last {
		c.WithLabelValues(labels...).Add(float64(total - last))
		w.raised[name] = total
	}
}

// scrape sets what is computed when somebody looks: from the progress of the stages, and from the board.
func (w *watch) scrape(p Progress, roles Roles, board *serving.Board) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if roles.Features {
		w.scrapeSources(&p.Sequencer)
		w.scrapeUnits(&p)
	}
	for name, j := range p.Joiners {
		w.scrapeJoiner(name, &j)
		w.m.Lag.WithLabelValues("joiner", name).Set(float64(p.Sequencer.Items - min(p.Sequencer.Items, j.Items)))
		w.m.Lag.WithLabelValues("learner", name).Set(float64(j.Entries - min(j.Entries, p.Learners[name])))
	}
	if board != nil {
		for _, t := range w.program.Triggers {
			w.scrapeModels(t, board)
		}
	}
}

func (w *watch) scrapeSources(p *worker.SequencerProgress) {
	for i := range w.sources {
		s, name := &w.sources[i], w.program.Sources[i].Name
		w.raise(w.m.Events, s.accepted, "events", name)
		w.raise(w.m.Late, s.late, "late", name)
		w.m.SourceLag.WithLabelValues(name).Set(float64(s.lag))
		if w.triggers[i] {
			w.m.Skewed.WithLabelValues(name).Set(s.skewed)
		}
	}
	setTime(w.m.Head, p.Head)
	setTime(w.m.Watermark, p.Watermark)
	w.m.Lag.WithLabelValues("sequencer", "").Set(float64(p.Queued))
}

func (w *watch) scrapeUnits(p *Progress) {
	for part, u := range p.Units {
		w.m.Lag.WithLabelValues("units", strconv.Itoa(int(part))).Set(float64(p.Sequencer.Items - min(p.Sequencer.Items, u.Items)))
	}
	for _, e := range w.program.Entities {
		st, name := e.Stats(), e.Name()
		w.raise(w.m.NotFinite, st.NotFinite, "not_finite", name)
		w.raise(w.m.LeftOut, st.Late, "left_out", name)
		w.raise(w.m.CapHits, st.CapHits+st.SetFull, "cap_hits", name)
		lag := int64(0)
		for b := range e.Buckets() {
			if u, ok := p.Units[partitionOf(e, b, w.parts)]; ok && u.Head != features.NoTime && p.Sequencer.Head != features.NoTime {
				lag = max(lag, p.Sequencer.Head-u.Head)
			}
		}
		w.m.FeatureLag.WithLabelValues(name).Set(float64(lag) / 1e6)
	}
}

func (w *watch) scrapeJoiner(name string, j *run.JoinerProgress) {
	s := &j.Stats
	w.raise(w.m.Examples, s.Predicted, "examples", name)
	w.raise(w.m.NotLearned, s.NotLearned, "not_learned", name)
	w.m.Pending.WithLabelValues(name).Set(float64(j.Pending))
	for _, o := range []struct {
		outcome string
		n       uint64
	}{{"joined", s.Learned}, {"missing", s.Missing}, {"corrected", s.Corrected}, {"orphan", s.Orphans}, {"late", s.Late}, {"twice", s.Twice},
		{"unusable", s.Unusable}, {"duplicate", s.Duplicates}, {"evicted", s.Evicted}} {
		w.raise(w.m.Join, o.n, "join", name, o.outcome)
	}
	if over := s.Learned + s.Missing; over > 0 {
		w.m.JoinRate.WithLabelValues(name).Set(float64(s.Learned) / float64(over))
	}
}

func (w *watch) scrapeModels(t *trainer.Trigger, board *serving.Board) {
	for i := range t.Members {
		name := t.Members[i].Name
		if snap, ok := board.Snapshot(name); ok {
			w.raise(w.m.Learned, snap.Learned, "learned", name)
			w.raise(w.m.PublishRefused, board.Holds(name), "held", name)
		}
		sc := board.Scored(name)
		if sc == nil {
			continue
		}
		w.raise(w.m.Drift, sc.Drifts, "drift", name, "adwin", "drift")
		w.m.StateBytes.WithLabelValues(name).Set(float64(sc.Bytes))
		for _, v := range sc.Values {
			if !math.IsNaN(v.Value) {
				w.m.Loss.WithLabelValues(name, v.Name).Set(v.Value)
			}
		}
	}
	if d := board.Drifted(t.Name); d != nil {
		w.scrapeDrift(t.Name, d)
	}
}

// scrapeDrift exports the features that drifted most. Which they are changes, so the others' values go.
func (w *watch) scrapeDrift(trigger string, d *serving.Drifted) {
	ranked := d.Ranked()
	of := prometheus.Labels{"trigger": trigger}
	w.m.FeatureDrift.DeletePartialMatch(of)
	w.m.FeatureThreshold.DeletePartialMatch(of)
	w.m.FeatureMissing.DeletePartialMatch(of)
	for _, s := range ranked[:min(len(ranked), topFeatures)] {
		w.m.FeatureDrift.WithLabelValues(trigger, s.Feature, "psi").Set(s.PSI)
		w.m.FeatureThreshold.WithLabelValues(trigger, s.Feature, "psi").Set(s.Threshold)
		w.m.FeatureMissing.WithLabelValues(trigger, s.Feature).Set(s.Missing)
	}
}

func setTime(g *prometheus.GaugeVec, t int64) {
	if t != features.NoTime {
		g.WithLabelValues().Set(float64(t) / 1e6)
	}
}

// report fills in what Status tells of the sources.
func (w *watch) report(to *freshetv1.StatusResponse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.sources {
		s := &w.sources[i]
		to.Sources = append(to.Sources, &freshetv1.SourceStatus{Name: w.program.Sources[i].Name, Accepted: s.accepted, Refused: s.refused,
			Late: s.late, Newest: stamp(s.newest), Lag: uint64(max(0, s.lag))})
	}
}

// delay returns the median time from an example of a trigger to its label; nil before the first label.
func (w *watch) delay(trigger string) *durationpb.Duration {
	if d, ok := w.delays[trigger].median(); ok {
		return durationpb.New(d)
	}
	return nil
}
