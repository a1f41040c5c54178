package app_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/trainer"
)

type itemType = features.Item

// replayOf folds so many days of the demo's records without any log; taken is told of each item before it is folded.
func replayOf(t testing.TB, prog *program.Program, n int, taken func(it *features.Item)) *trainer.Replay {
	t.Helper()
	cfg, err := prog.Ingest(true)
	if err != nil {
		t.Fatal(err)
	}
	seq, err := ingest.NewSequencer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := trainer.NewReplay(prog.Program)
	if err != nil {
		t.Fatal(err)
	}
	drain := func() {
		for d, ok := seq.Next(); ok; d, ok = seq.Next() {
			d.Item.Seq = r.Items()
			if taken != nil {
				taken(&d.Item)
			}
			if err := r.Apply(&d.Item); err != nil {
				t.Fatal(err)
			}
		}
	}
	offsets := map[[2]int]int64{}
	deal(t, prog, n, 500, func(rec ingest.Record) {
		id := [2]int{rec.Source, int(rec.Partition)}
		rec.Offset = offsets[id]
		offsets[id]++
		for !seq.Offer(&rec) {
			drain()
		}
	})
	drain()
	return r
}

var demoHead = struct {
	sync.Once
	at int64
}{}

func replayHead(t testing.TB, prog *program.Program) int64 {
	demoHead.Do(func() { demoHead.at = replayOf(t, prog, demoDays, nil).Head() })
	return demoHead.at
}

// each runs a test with source topics of one and of three partitions, over the demo's first days.
func each(t *testing.T, test func(t *testing.T, r *rig)) { with(t, []int{1, 3}, test) }

func with(t *testing.T, list []int, test func(t *testing.T, r *rig)) {
	t.Parallel()
	for _, partitions := range list {
		t.Run(strconv.Itoa(partitions), func(t *testing.T) {
			t.Parallel()
			test(t, newRig(t, compiled(t, partitions)))
		})
	}
}

// Every stage is killed again and again, with nothing flushed, and its checkpoints are damaged: joiners and learners
// begin at a good one. (In TestStoreRolledBack they have none and fold their whole log again.)
func TestKilledStages(t *testing.T) {
	with(t, []int{3}, func(t *testing.T, r *rig) {
		r.withCheckpoints()
		damaged := until(func() bool { return r.damaged.Load() > 0 })
		r.holds = []func(context.Context){r.killAll, r.killAll, damaged, r.killAll}
		r.run(kills(uint64(r.partitions()), 8, 6), r.damage)
		r.check()
		for _, name := range []string{"sequencer", "units0", "joiner", "learner"} {
			if r.sessions[name] < 4 {
				t.Errorf("%s was killed %d times only", name, r.sessions[name]-1)
			}
		}
		if r.damaged.Load() == 0 {
			t.Error("no checkpoint was damaged")
		}
		t.Log(r.sessions)
	})
}

// until is a hold that waits for a condition.
func until(ok func() bool) func(ctx context.Context) {
	return func(ctx context.Context) {
		for !ok() && ctx.Err() == nil {
			pause(ctx, time.Millisecond)
		}
	}
}

// damage cuts the newest checkpoints short now and then.
func (r *rig) damage(ctx context.Context) {
	for next := int64(10); r.checkpointDir != "" && ctx.Err() == nil; pause(ctx, time.Millisecond) {
		if r.steps.Load() < next {
			continue
		}
		next = r.steps.Load() + 15
		for _, name := range []string{"joiner", "models", "sequencer"} {
			files, err := filepath.Glob(filepath.Join(r.checkpointDir, name, "*.ckpt"))
			if err == nil && len(files) > 0 {
				_ = os.Truncate(files[len(files)-1], 99) // the file may be gone already
				r.damaged.Add(1)
			}
		}
	}
}

// The store goes back to an earlier copy of itself, whole or one hash of it, or is emptied, while all run.
func TestStoreRolledBack(t *testing.T) {
	with(t, []int{1}, func(t *testing.T, r *rig) {
		var rolled atomic.Int64
		r.holds = []func(context.Context){r.killAll, until(func() bool { return rolled.Load() >= 4 })}
		r.run(kills(3, 3, 20), func(ctx context.Context) {
			cl := r.scripts()
			draw := rand.New(rand.NewPCG(7, 7))
			var old []hashes
			for next := int64(5); ctx.Err() == nil && rolled.Load() < 12; pause(ctx, time.Millisecond) {
				if r.steps.Load() < next {
					continue
				}
				next = r.steps.Load() + 3 + draw.Int64N(12)
				h, err := copyStore(ctx, cl)
				if err != nil {
					return
				}
				if old = append(old, h); len(old) < 3 || len(h) == 0 {
					continue
				}
				back := old[draw.IntN(len(old)-1)]
				switch rolled.Load() % 4 {
				case 0, 2:
					err = putBack(ctx, cl, back, "")
				case 1:
					err = putBack(ctx, cl, back, h[3*draw.IntN(len(h)/3)].(string))
				default:
					err = cl.FlushAll(ctx).Err()
				}
				if err != nil {
					return
				}
				rolled.Add(1)
			}
		})
		r.check()
		if n := rolled.Load(); n < 4 {
			t.Errorf("the store was rolled back %d times only", n)
		}
		t.Log(rolled.Load(), r.sessions)
	})
}

// Answers of the store are lost after the command was done: nobody knows whether the commit is applied.
func TestCommitsWhoseAnswerIsLost(t *testing.T) {
	with(t, []int{3}, func(t *testing.T, r *rig) {
		r.commitEvery = time.Millisecond
		r.run(undisturbed, func(ctx context.Context) {
			for next := int64(1); ctx.Err() == nil && r.proxy.lost.Load() < 10; pause(ctx, time.Millisecond) {
				if n := r.steps.Load(); n >= next {
					next = n + 1
					r.proxy.cuts.Store(1)
				}
			}
			r.proxy.cuts.Store(0)
		})
		r.check()
		if r.proxy.lost.Load() < 5 {
			t.Errorf("%d answers were lost only", r.proxy.lost.Load())
		}
		t.Log(r.proxy.lost.Load(), r.sessions)
	})
}

// Appends fail, or are applied and answered with an error, on every log.
func TestBrokerErrors(t *testing.T) {
	with(t, []int{3}, func(t *testing.T, r *rig) {
		logs := []string{r.topics.Events, r.topics.Parts, r.topics.Logs[r.prog.Triggers[0].Name]}
		errs := []*kerr.Error{kerr.RequestTimedOut, kerr.NotLeaderForPartition, kerr.NotEnoughReplicasAfterAppend, kerr.KafkaStorageError, kerr.InvalidRecord}
		n := 0
		var faults []*kfake.FaultHandle
		r.run(kills(5, 3, 20), func(ctx context.Context) {
			for next := int64(3); ctx.Err() == nil && n < 30; pause(ctx, time.Millisecond) {
				if at := r.steps.Load(); at >= next {
					next = at + 4
					faults = append(faults, r.servers.Kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: logs[n%len(logs)], Err: errs[n%len(errs)]}))
					n++
				}
			}
		})
		r.check()
		hits := 0
		for i := range faults {
			hits += faults[i].Hits()
		}
		if hits < 5 {
			t.Errorf("%d of %d faults were hit", hits, n)
		}
		t.Log(hits, n, r.sessions)
	})
}

// For a while two of every stage run at once, each believing that it is alone and owns all partitions.
func TestTwoOfEverything(t *testing.T) {
	with(t, []int{3}, func(t *testing.T, r *rig) {
		rival := func(name string, s session) func(ctx context.Context) {
			return func(ctx context.Context) { r.again(ctx, name, s, leaves(kills(12, 9, 10), 8)) }
		}
		r.run(kills(11, 4, 10), rival("sequencer2", r.sequence), rival("units2", r.units(r.allParts())), rival("joiner2", r.join))
		r.check()
		t.Log(r.sessions)
	})
}

// P1: other poll sizes, processes, cadences and processors give the same, as do the tests above.
func TestP1OneLogOneAnswer(t *testing.T) {
	for _, c := range []struct {
		name       string
		partitions int
		set        func(r *rig)
	}{
		{"small polls, two processes", 3, func(r *rig) {
			r.unitGroups = [][]int32{{0, 2, 4, 6}, {1, 3, 5, 7}}
			r.workers = 3
		}},
		{"great polls, slow commits", 1, func(r *rig) { r.tr.FetchBytes, r.commitEvery = 8<<20, 200*time.Millisecond }},
		{"fast commits", 3, func(r *rig) { r.tr.FetchBytes, r.commitEvery, r.workers = 64<<10, time.Millisecond, 2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			with(t, []int{c.partitions}, func(t *testing.T, r *rig) {
				c.set(r)
				r.run(undisturbed)
				r.check()
			})
		})
	}
}

// P1 on one processor and on two. It is not parallel, so that it has them alone.
func TestP1OnOneProcessorAndTwo(t *testing.T) {
	for _, n := range []int{1, 2} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			before := runtime.GOMAXPROCS(n)
			defer runtime.GOMAXPROCS(before)
			r := newRig(t, compiled(t, 3))
			r.workers = 2
			r.run(undisturbed)
			r.check()
		})
	}
}

// A session of a stage sleeps with all that it holds until another has taken over and gone on, then wakes up and
// goes on as if nothing had been: what it writes does not count, and it ends.
func TestZombies(t *testing.T) {
	for name, of := range map[string]func(r *rig) session{
		"sequencer": func(r *rig) session { return r.sequence },
		"units0":    func(r *rig) session { return r.units(r.allParts()) },
		"joiner":    func(r *rig) session { return r.join },
	} {
		t.Run(name, func(t *testing.T) {
			with(t, []int{3}, func(t *testing.T, r *rig) {
				asleep, awake := make(chan struct{}), make(chan struct{})
				r.late = map[string]chan struct{}{name: asleep}
				var once, woken sync.Once
				var reports, after atomic.Int64
				ended := make(chan error, 1)
				r.onAlive = func(stage string) { // the successor's reports
					if stage == name && after.Add(1) == 3 {
						woken.Do(func() { close(awake) })
					}
				}
				r.run(undisturbed, func(ctx context.Context) {
					ended <- of(r)(ctx, func() {
						if reports.Add(1) >= 4 {
							once.Do(func() { close(asleep) })
							select {
							case <-awake:
							case <-ctx.Done():
							}
						}
					})
				})
				r.check()
				t.Log(<-ended, r.sessions)
			})
		})
	}
}
