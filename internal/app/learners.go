package app

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
	"github.com/freshet-ml/freshet/trainer/run"
)

// learnerOptions describe the learners of a trigger, without what they tell.
func (a *App) learnerOptions(t *trainer.Trigger) run.LearnerOptions {
	o := run.LearnerOptions{Transport: a.o.Transport, Trigger: t, Members: t.Members, Log: a.Topics.Logs[t.Name], Workers: a.o.Workers,
		Watch: true, Checkpoints: a.o.Checkpoints, Name: a.checkpointName("models", t.Name), Every: a.o.Program.Project.Checkpoints.Every,
		Logger: a.o.Logger}
	if c := a.o.Curves; c != nil {
		o.Scored = c.Scored
		o.Windowed = func(at int64, scores []drift.Score) { c.Window(t.Name, at, scores) }
	}
	return o
}

// learner runs the learners of a trigger: sessions that fold its log, write predictions, attest and publish.
func (a *App) learner(ctx context.Context, t *trainer.Trigger) error {
	o := a.learnerOptions(t)
	o.Folded = func(e *fold.Entry) {
		a.watch.folded(t, e)
		if a.o.Folded != nil {
			a.o.Folded(t, e)
		}
	}
	o.Publish, o.Confirm = a.publish(t), a.confirm(t)
	o.Saved = a.watch.saved("learner", t.Name)
	return a.fold(ctx, "learner", t, func(ctx context.Context) error {
		o := o
		out, err := stage.OpenProducer(a.o.Transport, kgo.MaxBufferedRecords(predictionsQueue))
		if err != nil {
			return err
		}
		defer out.Close()
		p := a.openPredictions(ctx, t, out, a.o.Answer)
		o.Answer, o.Before = p.told(), p.flush
		o.After = func(_ context.Context, position uint64) error {
			a.note(func(all *Progress) { all.Learners[t.Name] = position })
			return p.after()
		}
		if a.o.Rerun == "" {
			o.Attest = func(f *fold.Fold, model string, position uint64) {
				if at, ok := attestation(f, model, o.Log, position, a.o.Build); ok {
					out.Send(ctx, at.record(a.Topics.Hashes))
				}
			}
		}
		return run.Learner(ctx, o)
	})
}

// follower folds the champions of a trigger for a server that does not train. It starts at the beginning of
// the log.
func (a *App) follower(ctx context.Context, t *trainer.Trigger) error {
	champions := *t
	champions.Members = nil
	for _, m := range t.Members {
		if m.Of == m.Name {
			champions.Members = append(champions.Members, m)
		}
	}
	o := a.learnerOptions(&champions)
	o.Watch, o.Checkpoints = false, nil
	o.After = func(_ context.Context, position uint64) error {
		a.note(func(all *Progress) { all.Learners[t.Name] = position })
		return nil
	}
	o.Attest = func(f *fold.Fold, model string, position uint64) {
		if at, ok := attestation(f, model, o.Log, position, a.o.Build); ok && a.verifier != nil {
			a.verifier.Own(at)
		}
	}
	o.Publish, o.Confirm = a.publish(&champions), a.confirm(&champions)
	return a.fold(ctx, "follower", t, func(ctx context.Context) error { return run.Learner(ctx, o) })
}

func (a *App) publish(t *trainer.Trigger) func(f *fold.Fold) error {
	if a.o.Publish == nil {
		return nil
	}
	return func(f *fold.Fold) error {
		err := a.o.Publish(t, f)
		a.watch.published(t)
		return err
	}
}

// confirm tells the board that the versions of a trigger's models are the newest.
func (a *App) confirm(t *trainer.Trigger) func(time.Time) {
	if a.o.Board == nil {
		return nil
	}
	return func(at time.Time) {
		for i := range t.Members {
			a.o.Board.Confirm(t.Members[i].Name, at)
		}
	}
}

// fold runs sessions that fold the log of a trigger. They own no log, but where several processes share the roles
// one at a time learns: the answers and checkpoints of two would be twice the same. Followers fold each for itself.
func (a *App) fold(ctx context.Context, name string, t *trainer.Trigger, session func(ctx context.Context) error) error {
	o := stage.OwnOptions{Topic: a.Topics.Logs[t.Name], Static: []int32{0}, Logger: a.o.Logger}
	if a.o.Groups && name == "learner" {
		o.Static, o.Group = nil, o.Topic+".learner"
	}
	return stage.Own(ctx, a.o.Transport, o,
		func(ctx context.Context, _ int32) error {
			return a.watch.session(ctx, name, t.Name, func() error { return session(ctx) })
		})
}

// Program returns the project that the process runs. It must not be changed.
func (a *App) Program() *program.Program { return a.o.Program }
