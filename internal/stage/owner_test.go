package stage_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

// board shows who runs which partition.
type board struct {
	mu      sync.Mutex
	runs    map[int32]string
	clash   string
	changed chan struct{}
}

func newBoard() *board { return &board{runs: map[int32]string{}, changed: make(chan struct{})} }

func (b *board) set(p int32, who string, on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if on {
		if other, ok := b.runs[p]; ok {
			b.clash = other + " and " + who
		}
		b.runs[p] = who
	} else {
		delete(b.runs, p)
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *board) await(t *testing.T, what string, want func(map[int32]string) bool) {
	t.Helper()
	ctx := deadline(t)
	for {
		b.mu.Lock()
		ok, changed, clash := want(b.runs), b.changed, b.clash
		b.mu.Unlock()
		if clash != "" {
			t.Fatalf("two owners at once: %s", clash)
		}
		if ok {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, ctx.Err())
		}
	}
}

func (b *board) stage(who string) stage.Run {
	return func(ctx context.Context, partitions []int32) error {
		for _, p := range partitions {
			b.set(p, who, true)
		}
		<-ctx.Done()
		for _, p := range partitions {
			b.set(p, who, false)
		}
		return ctx.Err()
	}
}

func owns(who string, n int) func(map[int32]string) bool {
	return func(runs map[int32]string) bool {
		have := 0
		for _, w := range runs {
			if w == who {
				have++
			}
		}
		return have == n
	}
}

func TestOwnersShareAndHandOver(t *testing.T) {
	tr, _ := start(t, 4)
	b := newBoard()
	o := stage.OwnOptions{Topic: topic, Group: "stage", Session: 6 * time.Second}
	own := func(who string) (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		end := make(chan error, 1)
		go func() { end <- stage.Own(ctx, tr, o, b.stage(who)) }()
		var once sync.Once
		stop = func() {
			once.Do(func() {
				cancel()
				if err := <-end; err != nil {
					t.Errorf("%s ended: %v", who, err)
				}
			})
		}
		t.Cleanup(stop)
		return stop
	}
	first := own("a")
	b.await(t, "a owns all", owns("a", 4))
	own("b")
	b.await(t, "b owns half", owns("b", 2))
	first()
	b.await(t, "b owns all", owns("b", 4))
}

// A session of partitions that came together shares their input; when some go to another owner, the rest goes on in one session.
func TestOwnersTogether(t *testing.T) {
	tr, _ := start(t, 4)
	b := newBoard()
	o := stage.OwnOptions{Topic: topic, Group: "together", Together: true, Session: 6 * time.Second}
	var mu sync.Mutex
	sessions := map[string][][]int32{}
	own := func(who string) (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		end := make(chan error, 1)
		run := b.stage(who)
		go func() {
			end <- stage.Own(ctx, tr, o, func(ctx context.Context, partitions []int32) error {
				mu.Lock()
				sessions[who] = append(sessions[who], slices.Clone(partitions))
				mu.Unlock()
				return run(ctx, partitions)
			})
		}()
		stop = sync.OnceFunc(func() {
			cancel()
			if err := <-end; err != nil {
				t.Errorf("%s ended: %v", who, err)
			}
		})
		t.Cleanup(stop)
		return stop
	}
	first := own("a")
	b.await(t, "a owns all", owns("a", 4))
	own("b")
	b.await(t, "b owns half", owns("b", 2))
	b.await(t, "a owns the rest", owns("a", 2))
	first()
	b.await(t, "b owns all", owns("b", 4))
	mu.Lock()
	defer mu.Unlock()
	if got := sessions["a"]; len(got) != 2 || !slices.Equal(got[0], []int32{0, 1, 2, 3}) || len(got[1]) != 2 {
		t.Errorf("sessions of a: %v, want one of all and one of the rest", got)
	}
	if got := sessions["b"]; len(got) != 2 || len(got[0]) != 2 || len(got[1]) != 2 {
		t.Errorf("sessions of b: %v, want that of its half to go on beside one of the other", got)
	}
}

func TestStaticOwnerRunsAgainAndStopsOnAFinalError(t *testing.T) {
	runs := 0
	o := stage.OwnOptions{Topic: topic, Static: []int32{3}, Retry: time.Millisecond}
	err := stage.Own(deadline(t), stage.Transport{}, o, func(context.Context, []int32) error {
		switch runs++; runs {
		case 1:
			return errors.New("broker away")
		case 2:
			return stage.ErrSessionEnded
		case 3:
			return frame.ErrFenced
		}
		return stage.ErrPassed
	})
	if runs != 4 || !errors.Is(err, stage.ErrPassed) {
		t.Errorf("ran %d times and ended with %v", runs, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	err = stage.Own(ctx, stage.Transport{}, o, func(ctx context.Context, _ []int32) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	if err != nil {
		t.Errorf("cancelled owner: %v", err)
	}
}

func TestEnsureTopicsSaysWhatIsWrong(t *testing.T) {
	tr, k := start(t, 1)
	for name, configs := range map[string]map[string]string{
		"compacted": {"cleanup.policy": "compact"},
		"short":     {"retention.ms": "1000", "retention.bytes": "5"},
		"small":     {"max.message.bytes": "1000"},
		"good":      {"retention.ms": "-1", "max.message.bytes": "2000000"},
	} {
		if err := k.CreateTopic(name, 2, configs); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		spec stage.TopicSpec
		want []string
	}{
		{stage.TopicSpec{Name: topic, Partitions: 1}, nil},
		{stage.TopicSpec{Name: "good", Partitions: 2}, nil},
		{stage.TopicSpec{Name: "good", Partitions: 3}, []string{"has 2 partitions", "needs 3"}},
		{stage.TopicSpec{Name: "compacted", Partitions: 2}, []string{"cleanup.policy is compact"}},
		{stage.TopicSpec{Name: "short", Partitions: 2}, []string{"retention.ms is 1000, set it to -1", "retention.bytes is 5"}},
		{stage.TopicSpec{Name: "short", Partitions: 2, Retention: time.Second, Bytes: 5}, nil},
		{stage.TopicSpec{Name: "short", Partitions: 2, Keep: true}, nil},
		{stage.TopicSpec{Name: "small", Partitions: 2}, []string{"max.message.bytes is 1000"}},
	} {
		err := stage.EnsureTopics(deadline(t), tr, c.spec)
		if (err != nil) != (c.want != nil) || err != nil && !stage.Final(err) {
			t.Errorf("%+v: %v", c.spec, err)
		}
		for _, part := range c.want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%+v: %v, want it to say %q", c.spec, err, part)
			}
		}
	}
}
