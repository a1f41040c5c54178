package app

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
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
	curves   *serving.Curves // what learners said; nil: nothing
	feature  featureProbe
	probed   bool // the first item, and the first label, of this frame was told to the probes
	labelled bool

	mu      sync.Mutex
	sources []sourceCount             // as of the last frame
	raised  map[string]uint64         // totals that counters were raised to
	running map[[2]string]int         // sessions of a stage, by name and what it is of; 0: one ended and waits to be run again
	away    map[[2]string]func() bool // of those that wait: forgets that they do not run when they are taken from this process meanwhile
	logs    map[string]uint64         // items of the logs that other processes may write, by topic
}

// sourceCount is what the sequencer of this process saw of a source.
type sourceCount struct {
	accepted, refused, late uint64
	cut                     uint64 // with a text that was
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
		delays: map[string]*delays{}, learned: map[string]*modelProbe{}, sources: make([]sourceCount, n), raised: map[string]uint64{},
		running: map[[2]string]int{}, away: map[[2]string]func() bool{}, logs: map[string]uint64{}}
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
		if it.Flags&features.TextCut != 0 {
			c.cut++
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
	w.m.CheckpointFails.WithLabelValues(stageName, trigger).Add(0)
	return func(took time.Duration, err error) {
		if err != nil {
			w.m.CheckpointFails.WithLabelValues(stageName, trigger).Inc()
			return
		}
		w.m.Checkpoint.WithLabelValues(stageName, trigger).Observe(took.Seconds())
		w.m.CheckpointAge.WithLabelValues(stageName, trigger).SetToCurrentTime()
	}
}

// session runs one session of a stage, of all that it runs for, and tells that it runs.
func (w *watch) session(ctx context.Context, name string, all []string, f func() error) error {
	for _, of := range all {
		w.begin(name, of)
	}
	err := f()
	for _, of := range all {
		w.end(ctx, name, of)
	}
	if ctx.Err() == nil {
		class := "retriable"
		switch {
		case err == nil:
			class = "none"
		case stage.Final(err):
			class = "final"
		}
		for _, of := range all {
			w.m.Restarts.WithLabelValues(name, of, class).Inc()
		}
	}
	return err
}

func (w *watch) begin(name, of string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := [2]string{name, of}
	if back := w.away[key]; back != nil {
		back()
		delete(w.away, key)
	}
	w.running[key]++
	for _, class := range []string{"final", "retriable", "none"} {
		w.m.Restarts.WithLabelValues(name, of, class).Add(0) // a rate sees the first only if there was a 0 before
	}
	w.m.Running.WithLabelValues(name, of).Set(1)
}

// end notes that a session ended. Until it is run again it counts as not running; once ctx ends, by which its partition
// goes to another process or this one stops, nothing more is told of it here.
func (w *watch) end(ctx context.Context, name, of string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := [2]string{name, of}
	w.running[key]--
	w.m.Lag.DeleteLabelValues(name, of)
	if w.running[key] > 0 {
		return
	}
	w.m.Running.WithLabelValues(name, of).Set(0)
	w.away[key] = context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.running[key] <= 0 {
			delete(w.running, key)
			w.m.Running.DeleteLabelValues(name, of)
		}
	})
}

// runs reports whether a session of the stage runs in this process; w.mu is held. A process that owns all runs one session
// of the units, of no partition.
func (w *watch) runs(name, of string) bool {
	return w.running[[2]string{name, of}] > 0 || w.running[[2]string{name, ""}] > 0
}

// waiting names the stages of this process that ended and wait to be run again.
func (w *watch) waiting() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for key, n := range w.running {
		if n <= 0 {
			out = append(out, strings.TrimSuffix(key[0]+" "+key[1], " ")+" ended with an error and waits to be run again; see the log")
		}
	}
	slices.Sort(out)
	return out
}

// reached notes how many items a log holds.
func (w *watch) reached(topic string, items uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs[topic] = max(w.logs[topic], items)
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
func (w *watch) scrape(p Progress, topics *Topics, board *serving.Board) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.scrapeSources(&p.Sequencer)
	w.scrapeUnits(&p, topics)
	for _, t := range w.program.Triggers {
		j, joins := p.Joiners[t.Name]
		if joins {
			w.scrapeJoiner(t.Name, &j)
		}
		w.lag("joiner", t.Name, max(p.Sequencer.Items, w.logs[topics.Events]), j.Items)
		for _, name := range []string{"learner", "follower"} {
			w.lag(name, t.Name, max(j.Entries, w.logs[topics.Logs[t.Name]]), p.Learners[t.Name])
		}
		if board != nil {
			w.scrapeModels(t, board)
		}
		w.scrapeDifferences(t)
	}
}

// lag sets how many items a stage that runs here has still to read; w.mu is held.
func (w *watch) lag(name, of string, items, done uint64) {
	if w.runs(name, of) {
		w.m.Lag.WithLabelValues(name, of).Set(float64(items - min(items, done)))
	}
}

// scrapeSources tells of the order, in the process whose sequencer writes it.
func (w *watch) scrapeSources(p *worker.SequencerProgress) {
	active := w.runs("sequencer", "0")
	if !active {
		w.m.SourceLag.Reset()
		w.m.Head.Reset()
		w.m.Watermark.Reset()
		w.m.Skewed.Reset()
		w.m.Queued.Reset()
	}
	for i := range w.sources {
		s, name := &w.sources[i], w.program.Sources[i].Name
		w.m.DeadLetters.WithLabelValues(name).Add(0)
		w.raise(w.m.Events, s.accepted, "events", name)
		w.raise(w.m.Late, s.late, "late", name)
		w.raise(w.m.TextsCut, s.cut, "texts_cut", name)
		if !active {
			continue
		}
		w.m.SourceLag.WithLabelValues(name).Set(float64(s.lag))
		if w.triggers[i] {
			w.m.Skewed.WithLabelValues(name).Set(s.skewed)
		}
	}
	if active {
		setTime(w.m.Head, p.Head)
		setTime(w.m.Watermark, p.Watermark)
		w.m.Queued.WithLabelValues().Set(float64(p.Queued))
	}
}

func (w *watch) scrapeUnits(p *Progress, topics *Topics) {
	items := max(p.Sequencer.Items, w.logs[topics.Events])
	for part, u := range p.Units {
		w.lag("units", strconv.Itoa(int(part)), items, u.Items)
	}
	for _, e := range w.program.Entities {
		st, name := e.Stats(), e.Name()
		w.raise(w.m.NotFinite, st.NotFinite, "not_finite", name)
		w.raise(w.m.LeftOut, st.Late, "left_out", name)
		w.raise(w.m.CapHits, st.CapHits+st.SetFull, "cap_hits", name)
		w.scrapeHead(name, e, p)
	}
}

// scrapeHead tells how far the states of an entity type are, of the buckets whose units run here.
func (w *watch) scrapeHead(name string, e *unit.Program, p *Progress) {
	oldest := int64(math.MaxInt64)
	for b := range e.Buckets() {
		part := partitionOf(e, b, w.parts)
		if u, ok := p.Units[part]; ok && u.Head != features.NoTime && w.runs("units", strconv.Itoa(int(part))) {
			oldest = min(oldest, u.Head)
		}
	}
	if oldest == math.MaxInt64 {
		w.m.FeatureHead.DeleteLabelValues(name)
		w.m.FeatureLag.DeleteLabelValues(name)
		return
	}
	w.m.FeatureHead.WithLabelValues(name).Set(float64(oldest) / 1e6)
	if w.runs("sequencer", "0") && p.Sequencer.Head != features.NoTime {
		w.m.FeatureLag.WithLabelValues(name).Set(float64(max(0, p.Sequencer.Head-oldest)) / 1e6)
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
		w.raise(w.m.Drift, sc.Said.Changes, "drift", name, t.Members[i].DetectorName(), "drift")
		w.raise(w.m.Drift, sc.Said.Warnings, "warning", name, t.Members[i].DetectorName(), "warning")
		w.m.StateBytes.WithLabelValues(name).Set(float64(sc.Bytes))
		for _, d := range sc.Dropped {
			w.raise(w.m.ModelDropped, d.Count, "dropped", name, d.What)
		}
		if sc.Window > 0 {
			w.m.RecentLoss.WithLabelValues(name).Set(sc.Loss)
		}
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

// scrapeDifferences compares the other members of a trigger with the served model, where they are learned; w.mu is held.
func (w *watch) scrapeDifferences(t *trainer.Trigger) {
	for i := range t.Members {
		m := &t.Members[i]
		if m.Name == m.Of {
			continue
		}
		c, ok := w.curves.Compare(m.Name, m.Of)
		if !ok || !w.runs("learner", t.Name) {
			w.m.Difference.DeleteLabelValues(m.Name, m.Of)
			w.m.DifferenceBand.DeleteLabelValues(m.Name, m.Of)
			continue
		}
		w.m.Difference.WithLabelValues(m.Name, m.Of).Set(c.Mean)
		w.m.DifferenceBand.WithLabelValues(m.Name, m.Of).Set(c.HalfBand)
	}
}

// scrapeDrift exports the features that drifted most. Which they are changes, so the others' values go.
func (w *watch) scrapeDrift(trigger string, d *serving.Drifted) {
	ranked := d.Ranked()
	of := prometheus.Labels{"trigger": trigger}
	w.m.FeatureDrift.DeletePartialMatch(of)
	w.m.FeatureThreshold.DeletePartialMatch(of)
	w.m.FeatureAlert.DeletePartialMatch(of)
	w.m.FeatureMissing.DeletePartialMatch(of)
	for _, s := range ranked[:min(len(ranked), topFeatures)] {
		w.m.FeatureDrift.WithLabelValues(trigger, s.Feature, s.Measure).Set(s.Value)
		w.m.FeatureThreshold.WithLabelValues(trigger, s.Feature, s.Measure).Set(s.Threshold)
		w.m.FeatureAlert.WithLabelValues(trigger, s.Feature, s.Measure).Set(s.Alert)
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
