package app

import (
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/program"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

const (
	recentKept  = 5                      // events of each source
	recentEvery = 200 * time.Millisecond // least time between two of a source
)

// recent keeps a few of the newest events of each source, for people who want to try a key.
type recent struct {
	program   *program.Program
	sensitive []map[string]bool // by source
	last      []time.Time       // by source; the sequencer's goroutine alone
	now       time.Time

	mu     sync.Mutex
	events [][]*freshetv1.RecentEvent // by source, the newest last
}

func newRecent(p *program.Program) *recent {
	n := len(p.Sources)
	r := &recent{program: p, sensitive: make([]map[string]bool, n), last: make([]time.Time, n), events: make([][]*freshetv1.RecentEvent, n)}
	for i := range p.Sources {
		r.sensitive[i] = map[string]bool{}
		if in := p.Project.Input(p.Sources[i].Name); in != nil {
			for _, f := range in.Sensitive {
				r.sensitive[i][f] = true
			}
		}
	}
	return r
}

// frame is called after each frame: the clock is read once a frame, not once an event.
func (r *recent) frame() { r.now = time.Now() }

// taken sees each item in the sequencer's goroutine; most of them it only looks at.
func (r *recent) taken(it *features.Item) {
	if it.Kind != features.EventItem || it.Flags&features.Tombstone != 0 || r.now.Sub(r.last[it.Source]) < recentEvery {
		return
	}
	src := &r.program.Sources[it.Source]
	if src.Plain {
		return
	}
	r.last[it.Source] = r.now
	e := &freshetv1.RecentEvent{Source: src.Name, At: stamp(it.Time), Fields: map[string]*freshetv1.Value{}}
	for i, f := range src.Fields {
		if i < len(it.Fields) && !r.sensitive[it.Source][f.Name] {
			e.Fields[f.Name] = wireValue(it.Fields[i])
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.events[it.Source]
	if len(list) == recentKept {
		list = append(list[:0:0], list[1:]...)
	}
	r.events[it.Source] = append(list, e)
}

// wireValue copies a value, whose text is borrowed.
func wireValue(v features.Value) *freshetv1.Value {
	switch v.Kind() {
	case features.String:
		return &freshetv1.Value{Kind: &freshetv1.Value_String_{String_: strings.ToValidUTF8(strings.Clone(v.Str()), "\uFFFD")}}
	case features.Int:
		return &freshetv1.Value{Kind: &freshetv1.Value_Int{Int: v.Int()}}
	case features.Double:
		return &freshetv1.Value{Kind: &freshetv1.Value_Double{Double: v.Float()}}
	case features.Bool:
		return &freshetv1.Value{Kind: &freshetv1.Value_Bool{Bool: v.Bool()}}
	case features.Time:
		return &freshetv1.Value{Kind: &freshetv1.Value_Time{Time: timestamppb.New(time.UnixMicro(v.Int()))}}
	}
	return &freshetv1.Value{Kind: &freshetv1.Value_Null{}}
}

// Recent returns a few events that the sequencer of this process just read, the newest first.
func (a *App) Recent() []*freshetv1.RecentEvent {
	r := a.recent
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*freshetv1.RecentEvent
	for _, list := range r.events {
		for i := len(list) - 1; i >= 0; i-- {
			out = append(out, list[i])
		}
	}
	return out
}
