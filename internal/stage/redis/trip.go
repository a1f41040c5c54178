package redis

import (
	"context"
	"fmt"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"github.com/freshet-ml/freshet/internal/frame"
)

// Commit is one commit of several that share a round trip. Batch may be nil: the position moves alone.
type Commit struct {
	Claim *Claim
	Batch *Batch
	At    frame.Position
	Head  int64
}

// Commit sends several commits, each on a hash of its own, in one round trip per node. They succeed or
// fail one by one: the first error is returned, Claim.Err tells for each.
func (s *Store) Commit(ctx context.Context, commits ...Commit) error {
	live := make([]Commit, 0, len(commits))
	for _, k := range commits {
		if k.Claim.over == nil {
			live = append(live, k)
		}
	}
	pipe := s.cl.Pipeline()
	var sent []pending
	for len(live) > 0 {
		n := min(len(live), s.group)
		sent = append(sent, queue(ctx, pipe, live[:n]))
		live = live[n:]
	}
	if len(sent) > 0 {
		_, _ = pipe.Exec(ctx) // each command has its own outcome
	}
	for i := range sent {
		sent[i].settle(ctx, s)
	}
	for _, k := range commits {
		if k.Claim.over != nil {
			return k.Claim.over
		}
	}
	return nil
}

// pending are commits that are under way in one script.
type pending struct {
	commits []Commit
	keys    []string
	args    []any
	cmd     *goredis.Cmd
}

func queue(ctx context.Context, pipe goredis.Pipeliner, commits []Commit) pending {
	p := pending{commits: commits, keys: make([]string, 0, len(commits))}
	for _, k := range commits {
		var changed []any
		if k.Batch != nil {
			changed = k.Batch.args
		}
		if p.args == nil {
			p.args = make([]any, 0, len(commits)*(7+len(changed)))
		}
		p.keys = append(p.keys, k.Claim.key)
		p.args = append(p.args, k.Claim.nonce, k.Claim.enc, 2*metaField+len(changed),
			fieldPosition, string(k.At.Append(nil)), fieldHead, strconv.FormatInt(k.Head, 10))
		p.args = append(p.args, changed...)
	}
	p.cmd = commitScript.EvalSha(ctx, pipe, p.keys, p.args...)
	return p
}

func (p *pending) settle(ctx context.Context, s *Store) {
	vals, err := p.cmd.Slice()
	if noScript(err) { // nothing was run: the server does not know the script yet
		vals, err = commitScript.Eval(ctx, s.cl, p.keys, p.args...).Slice()
	}
	for i, k := range p.commits {
		c := k.Claim
		if c.judge("commit", vals[min(i, len(vals)):], err) == nil {
			c.at, c.enc, c.head = k.At, string(k.At.Append(nil)), k.Head
		}
	}
}

// Load asks for entities of one hash; States gets one more for each key, in their order.
type Load struct {
	Claim  *Claim
	Keys   []string
	States []State
}

// loadGroup is the number of loads that share a script. They write nothing, so there is nothing to be
// torn; in a cluster each has its own.
const loadGroup = 64

// Load answers several loads in one round trip per node, each checked like a commit of its Claim. The
// first error is returned, Claim.Err tells for each; the states of a load that failed are not complete.
// More than 500 keys of one hash become several commands: they see the same state, because only the
// owner changes it.
func (s *Store) Load(ctx context.Context, loads ...*Load) error {
	pipe := s.cl.Pipeline()
	var sent []asked
	for _, l := range loads {
		for keys := l.Keys; len(keys) > 0 && l.Claim.over == nil; {
			n := min(len(keys), loadKeys)
			if last := len(sent) - 1; last >= 0 && sent[last].fits(n, s.loads) {
				sent[last].add(l, keys[:n])
			} else {
				sent = append(sent, asked{})
				sent[last+1].add(l, keys[:n])
			}
			keys = keys[n:]
		}
	}
	for i := range sent {
		sent[i].cmd = loadScript.EvalSha(ctx, pipe, sent[i].keys, sent[i].args...)
	}
	if len(sent) > 0 {
		_, _ = pipe.Exec(ctx) // each command has its own outcome
	}
	for i := range sent {
		sent[i].settle(ctx, s)
	}
	for _, l := range loads {
		if l.Claim.over != nil {
			return l.Claim.over
		}
	}
	return nil
}

// asked are loads that are under way in one script.
type asked struct {
	loads  []*Load
	counts []int
	total  int
	keys   []string
	args   []any
	cmd    *goredis.Cmd
}

func (a *asked) fits(n, group int) bool { return len(a.loads) < group && a.total+n <= loadKeys }

func (a *asked) add(l *Load, keys []string) {
	a.loads, a.counts, a.total = append(a.loads, l), append(a.counts, len(keys)), a.total+len(keys)
	a.keys = append(a.keys, l.Claim.key)
	a.args = append(a.args, l.Claim.nonce, l.Claim.enc, 2*len(keys))
	for _, k := range keys {
		a.args = append(a.args, prefixMoving+k, prefixSealed+k)
	}
}

func (a *asked) settle(ctx context.Context, s *Store) {
	vals, err := a.cmd.Slice()
	if noScript(err) {
		vals, err = loadScript.Eval(ctx, s.cl, a.keys, a.args...).Slice()
	}
	for i, l := range a.loads {
		var answer []any
		if i < len(vals) {
			answer, _ = vals[i].([]any)
		}
		if l.Claim.over != nil || l.Claim.judge("load", answer, err) != nil {
			continue
		}
		list, _ := answer[len(answer)-1].([]any)
		if len(list) != 2*a.counts[i] {
			_ = l.Claim.end(fmt.Errorf("load %s: %d values for %d entities: %w", l.Claim.key, len(list), a.counts[i], ErrUnknown))
			continue
		}
		l.States = states(l.States, list)
	}
}
