package worker

import (
	"testing"
	"time"
)

// While batches wait, commits take a fifth of the time at most; when none does, a slow commit does not put off the next.
func TestWhenAShardCommits(t *testing.T) {
	const every, slow = 20 * time.Millisecond, 300 * time.Millisecond
	for _, c := range []struct {
		name    string
		took    time.Duration // the last commit
		waiting int           // batches
		since   time.Duration // its end
		want    bool
	}{
		{"too early", 0, 0, every - 1, false},
		{"in time", 0, 0, every, true},
		{"in time, more waits", time.Millisecond, 1, every, true},
		{"too early, more waits", time.Millisecond, 1, every - 1, false},
		{"after a slow one nothing waits", slow, 0, every, true},
		{"after a slow one, too early", slow, 0, every - 1, false},
		{"after a slow one more waits", slow, 1, every, false},
		{"after a slow one more waits, in time", slow, 1, 5 * slow, true},
		{"after a slow one more waits, just too early", slow, 2, 5*slow - 1, false},
	} {
		committed := time.Unix(1000, 0)
		s := &shard{o: &UnitsOptions{CommitEvery: every}, in: make(chan *batch, 2), committed: committed, took: c.took}
		for range c.waiting {
			s.in <- &batch{}
		}
		if got := s.due(committed.Add(c.since)); got != c.want {
			t.Errorf("%s: due %t, want %t", c.name, got, c.want)
		}
	}
}
