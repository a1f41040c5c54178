package serving

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	dto "github.com/prometheus/client_model/go"

	"github.com/prometheus/client_golang/prometheus"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

const (
	overviewEvery = time.Second
	rateSamples   = 60
	maxListeners  = 32
	// listenFor ends an event stream: a client that wants more connects again, to a server that is there then.
	listenFor = 30 * time.Minute
	// writeWithin bounds one write to a listener that does not read.
	writeWithin = 10 * time.Second
)

// overviews makes the overview that all watchers share. It works only while somebody looks.
type overviews struct {
	mu        sync.Mutex
	at        time.Time // of the newest
	newest    *freshetv1.OverviewResponse
	json      []byte
	rates     map[rateName]*rate
	listeners chan struct{} // one for each event stream
}

type rateName struct{ what, of string }

// rate turns a total into a rate by the time between two looks.
type rate struct {
	total   uint64
	at      time.Time
	samples []float64 // the newest last
}

// add takes in a total. A total that fell began anew.
func (r *rate) add(total uint64, at time.Time) {
	if since := at.Sub(r.at).Seconds(); !r.at.IsZero() && since > 0 && since < 10*overviewEvery.Seconds() {
		grown := float64(0)
		if total > r.total {
			grown = float64(total - r.total)
		}
		if len(r.samples) == rateSamples {
			r.samples = append(r.samples[:0], r.samples[1:]...)
		}
		r.samples = append(r.samples, grown/since)
	} else if since >= 10*overviewEvery.Seconds() {
		r.samples = r.samples[:0] // nobody looked meanwhile
	}
	r.total, r.at = total, at
}

// Overview tells all that moves, at most a second old.
func (s *Server) Overview(ctx context.Context, _ *freshetv1.OverviewRequest) (*freshetv1.OverviewResponse, error) {
	o := &s.overviews
	o.mu.Lock()
	defer o.mu.Unlock()
	now := s.deps.Now()
	if o.newest != nil && now.Sub(o.at) < overviewEvery*9/10 {
		return o.newest, nil
	}
	status, err := s.Status(ctx, nil)
	if err != nil {
		return nil, err
	}
	list, err := s.ListModels(ctx, nil)
	if err != nil {
		return nil, err
	}
	out := &freshetv1.OverviewResponse{At: timestamppb.New(now), Status: status, Models: list.GetModels(), Control: s.deps.Insight != nil}
	if a := s.onGRPC.Load(); a != nil {
		out.GrpcAddress = *a
	}
	seen := map[string]bool{}
	for _, name := range s.index.names {
		trigger := s.index.models[name].trigger()
		if d := s.deps.Models.Drifted(trigger); d != nil && !seen[trigger] {
			for i := range d.Scores {
				if d.Scores[i].Drifted {
					out.DriftedFeatures++
				}
			}
		}
		seen[trigger] = true
	}
	out.Rates = o.measure(s, status, list.GetModels(), now)
	o.newest, o.at, o.json = out, now, nil
	return out, nil
}

// measure takes in all totals and returns the rates in their order.
func (o *overviews) measure(s *Server, status *freshetv1.StatusResponse, list []*freshetv1.Model, now time.Time) []*freshetv1.Rate {
	if o.rates == nil {
		o.rates = map[rateName]*rate{}
	}
	var out []*freshetv1.Rate
	add := func(what, of string, total uint64) {
		name := rateName{what, of}
		r := o.rates[name]
		if r == nil {
			r = &rate{}
			o.rates[name] = r
		}
		r.add(total, now)
		out = append(out, &freshetv1.Rate{What: what, Of: of, Total: total, PerSecond: append([]float64(nil), r.samples...)})
	}
	for _, src := range status.GetSources() {
		add("events", src.GetName(), src.GetAccepted())
		add("refused", src.GetName(), src.GetRefused())
	}
	for _, t := range status.GetTriggers() {
		add("examples", t.GetName(), t.GetExamples())
		add("labelled", t.GetName(), t.GetLabelled())
	}
	for _, m := range list {
		add("learned", m.GetName(), m.GetLearned())
		add("predictions", m.GetName(), count(s.index.models[m.GetName()].metrics.ok))
	}
	return out
}

func count(c prometheus.Counter) uint64 {
	var m dto.Metric
	if c.Write(&m) != nil {
		return 0
	}
	return uint64(m.GetCounter().GetValue())
}

// overviewJSON is the overview as one line of JSON, made once for all listeners.
func (s *Server) overviewJSON(ctx context.Context) ([]byte, error) {
	resp, err := s.Overview(ctx, nil)
	if err != nil {
		return nil, err
	}
	o := &s.overviews
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.json != nil && o.newest == resp {
		return o.json, nil
	}
	b, err := marshal(resp)
	if err == nil && o.newest == resp {
		o.json = b
	}
	return b, err
}

// live sends the overview about once a second as server-sent events (HTML Living Standard, §9.2) until the client leaves, the server stops or
// half an hour is over. At most 32 clients listen at a time; others are told to ask for /v1/overview.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	select {
	case s.overviews.listeners <- struct{}{}:
		defer func() { <-s.overviews.listeners }()
	default:
		s.reply(w, r, "GET /v1/live", nil, toStatus(exhausted("TOO_MANY_LISTENERS", "32 clients listen already", "ask for /v1/overview every few seconds", 0)))
		return
	}
	s.deps.Metrics.HTTP.WithLabelValues("GET /v1/live", "200").Inc()
	ctx, cancel := context.WithTimeout(r.Context(), listenFor)
	defer cancel()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	tick := time.NewTicker(overviewEvery)
	defer tick.Stop()
	for {
		if s.sendOverview(ctx, w, out) != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		case <-s.stopping:
			return
		}
	}
}

func (s *Server) sendOverview(ctx context.Context, w io.Writer, out *http.ResponseController) error {
	b, err := s.overviewJSON(ctx)
	event := "overview"
	if err != nil {
		e := wireError(err)
		event = "failed"
		if b, err = json.Marshal(map[string]string{"code": e.Code, "message": e.Message, "hint": e.Hint}); err != nil {
			return err
		}
	}
	if err := out.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	if _, err := io.WriteString(w, "event: "+event+"\ndata: "+string(b)+"\n\n"); err != nil {
		return err
	}
	return out.Flush()
}
