package app

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

func TestSurveyedLag(t *testing.T) {
	s := &surveyed{samples: []sample{{0, 0}, {100, 1000}, {200, 5000}}}
	for _, c := range []struct {
		offset int64
		index  int32
		want   uint64 // items behind the end
	}{
		{200, 0, 0},
		{300, 0, 0}, // ahead of the last look
		{100, 0, 4000},
		{100, 7, 3993},
		{150, 0, 2000}, // in proportion
		{0, 0, 5000},
	} {
		if got := s.lag(frame.Position{Offset: c.offset, Index: c.index}); got != c.want {
			t.Errorf("a state at %d, item %d is %d behind, want %d", c.offset, c.index, got, c.want)
		}
	}
	cut := &surveyed{samples: []sample{{50, 700}, {60, 800}}}
	if got := cut.lag(frame.Position{}); got != 100 {
		t.Errorf("a state before the head of a log that was cut is %d behind, want 100", got)
	}
}

// However many looks there were, the survey is bounded, keeps first and last, and its places rise.
func TestSamplesAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := []sample{{}}
		last := sample{}
		for range rapid.IntRange(1, 3*surveySamples).Draw(t, "looks") {
			last.offset += rapid.Int64Range(0, 3).Draw(t, "frames")
			last.seq = uint64(last.offset) * 10
			samples = add(samples, last)
		}
		if len(samples) > surveySamples+1 || samples[0] != (sample{}) || samples[len(samples)-1] != last {
			t.Fatalf("%d samples, from %v to %v; the last look saw %v", len(samples), samples[0], samples[len(samples)-1], last)
		}
		s := &surveyed{samples: samples}
		for offset := range last.offset + 1 {
			if got := s.seq(frame.Position{Offset: offset}); got != uint64(offset)*10 {
				t.Fatalf("place %d is item %d", offset, got)
			}
		}
	})
}

// A server asks nobody about states that other processes fold: their places say that they are being rebuilt.
func TestStatesThatOthersRebuild(t *testing.T) {
	a := &App{survey: &surveyor{}}
	at := func(offset int64) *redis.View { return &redis.View{Exists: true, At: frame.Position{Offset: offset}} }
	if a.behind(0, 0, at(0)) {
		t.Error("a state is behind before anything was seen")
	}
	a.survey.last.Store(&surveyed{samples: []sample{{0, 0}, {1000, 10 * rebuildItems}}})
	for offset, want := range map[int64]bool{0: true, 899: true, 901: false, 1000: false} {
		if got := a.behind(0, 0, at(offset)); got != want {
			t.Errorf("a state at %d of 1000 is being rebuilt: %t, want %t", offset, got, want)
		}
	}
	if !a.behind(0, 0, &redis.View{}) {
		t.Error("a bucket that was never committed to is not being rebuilt")
	}
}
