package worker

import (
	"testing"
	"time"
)

// While batches wait, commits take a fifth of the time at most; when none does, a slow commit does not put off the next. In a backlog
// commits are rare, unless much has changed.
func TestWhenAShardCommits(t *testing.T) {
	const every = 8 * time.Millisecond
	const apart, slow = backlogRounds * every, 300 * time.Millisecond
	for _, c := range []struct {
		name    string
		took    time.Duration // the last commit
		waiting int           // batches
		since   time.Duration // its end
		want    bool
		full    time.Duration // since a full frame; 0: there was none; below: much lies behind in the log
		bytes   int
	}{
		{"too early", 0, 0, every - 1, false, 0, 0},
		{"in time", 0, 0, every, true, 0, 0},
		{"in time, more waits", time.Millisecond, 1, every, true, 0, 0},
		{"too early, more waits", time.Millisecond, 1, every - 1, false, 0, 0},
		{"after a slow one nothing waits", slow, 0, every, true, 0, 0},
		{"after a slow one, too early", slow, 0, every - 1, false, 0, 0},
		{"after a slow one more waits", slow, 1, every, false, 0, 0},
		{"after a slow one more waits, in time", slow, 1, 5 * slow, true, 0, 0},
		{"after a slow one more waits, just too early", slow, 2, 5*slow - 1, false, 0, 0},
		{"in a backlog, too early", 0, 0, apart - 1, false, 1, 0},
		{"in a backlog, more waits, too early", 0, 2, apart - 1, false, backlogOver - 1, 0},
		{"in a backlog, in time", 0, 0, apart, true, 1, 0},
		{"in a backlog after a slow one, too early", slow, 1, 5*slow - 1, false, 1, 0},
		{"far behind, too early", 0, 0, apart - 1, false, -1, 0},
		{"far behind, in time", 0, 0, apart, true, -1, 0},
		{"a backlog is over", 0, 0, every, true, backlogOver, 0},
		{"in a backlog, much has changed", 0, 0, every, true, 1, commitBytes},
		{"in a backlog, much has changed, too early", 0, 0, every - 1, false, 1, commitBytes},
	} {
		committed := time.Unix(1000, 0)
		s := &shard{o: &UnitsOptions{CommitEvery: every}, in: make(chan *batch, 2), committed: committed, took: c.took, bytes: c.bytes}
		if s.behind = c.full < 0; c.full > 0 {
			s.full = committed.Add(c.since - c.full)
		}
		for range c.waiting {
			s.in <- &batch{}
		}
		if got := s.due(committed.Add(c.since)); got != c.want {
			t.Errorf("%s: due %t, want %t", c.name, got, c.want)
		}
	}
}
