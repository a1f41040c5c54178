package app

import (
	"context"
	"runtime"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

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
	o.Publish, o.Confirm = a.publish(t), a.confirm(names(t)...)
	o.Leave, o.Weights, o.WeightsEvery = true, a.weights(t), a.o.Program.Project.Checkpoints.WeightsEvery
	o.Saved = a.watch.saved("learner", t.Name)
	return a.fold(ctx, "learner", t, func(ctx context.Context) error {
		o := o
		out, err := stage.OpenProducer(a.o.Transport, kgo.MaxBufferedRecords(predictionsQueue))
		if err != nil {
			return err
		}
		defer out.Close()
		late, stop := run.Grace(ctx) // what was answered reaches the topic also when the session is asked to end
		defer stop()
		p := a.openPredictions(late, t, out, a.o.Answer)
		o.Answer, o.Before = p.told(), p.flush
		o.After = func(_ context.Context, position uint64) error {
			a.learned(t, position)
			return p.after()
		}
		if a.o.Rerun == "" {
			o.Attest = func(f *fold.Fold, model string, position uint64) {
				if at, ok := attestation(f, model, o.Log, position, a.o.Build); ok {
					out.Send(late, at.record(a.Topics.Hashes))
				}
			}
		}
		return run.Learner(ctx, o)
	})
}

// follow keeps the models of a trigger that a server answers for and does not train: it folds those of the log, and loads
// the weights of those whose servers do.
func (a *App) follow(ctx context.Context, t *trainer.Trigger) error {
	var keep []string
	g, ctx := errgroup.WithContext(ctx)
	for i := range t.Members {
		m := &t.Members[i]
		switch {
		case !Serves(a.o.Program, m):
		case a.loads(m):
			g.Go(func() error { return a.loader(ctx, t, m) })
		default:
			keep = append(keep, m.Name)
		}
	}
	if keep != nil {
		g.Go(func() error { return a.follower(ctx, t, keep) })
	}
	return g.Wait()
}

// loads reports whether servers load the weights of a member instead of folding its log. Without checkpoints they fold.
func (a *App) loads(m *fold.Member) bool {
	return a.o.Checkpoints != nil && !m.Baseline && a.o.Program.Project.Model(m.Of).Weights == "checkpoint"
}

// follower folds the named models of a trigger, from the newest checkpoint of its learners on.
func (a *App) follower(ctx context.Context, t *trainer.Trigger, keep []string) error {
	o := a.learnerOptions(t)
	o.Keep = keep
	o.After = func(_ context.Context, position uint64) error {
		a.learned(t, position)
		return nil
	}
	o.Attest = func(f *fold.Fold, model string, position uint64) {
		if at, ok := attestation(f, model, o.Log, position, a.o.Build); ok && a.verifier != nil {
			a.verifier.Own(at)
		}
	}
	o.Publish, o.Confirm = a.publish(t), a.confirm(keep...)
	return a.fold(ctx, "follower", t, func(ctx context.Context) error { return run.Learner(ctx, o) })
}

// loader loads the weights of one model, again and again.
func (a *App) loader(ctx context.Context, t *trainer.Trigger, m *fold.Member) error {
	log := a.Topics.Logs[t.Name]
	return run.Loader(ctx, run.LoaderOptions{Checkpoints: a.o.Checkpoints, Name: a.checkpointName("weights", m.Name), Union: t.Vector.Schema, Member: m,
		Every: a.o.Program.Project.Checkpoints.WeightsEvery, Logger: a.o.Logger, Confirm: a.confirm(m.Name),
		Publish: func(s *fold.Snapshot, hash string, position uint64) {
			if a.verifier != nil && position > 0 {
				a.verifier.Own(Attestation{Model: m.Name, Log: log, Seq: position - 1, Weights: hash, Build: a.o.Build, Arch: runtime.GOARCH})
			}
			if a.o.Board != nil {
				a.o.Board.Publish(m.Name, s, time.Time{})
			}
		}})
}

// weights returns what a learner saves for servers that load weights; nil when none does.
func (a *App) weights(t *trainer.Trigger) func(f *fold.Fold, taken time.Time) []run.Weights {
	var names []string
	for i := range t.Members {
		if a.loads(&t.Members[i]) {
			names = append(names, t.Members[i].Name)
		}
	}
	if names == nil {
		return nil
	}
	return func(f *fold.Fold, taken time.Time) []run.Weights {
		var list []run.Weights
		for _, name := range names {
			if w, ok := run.PackWeights(f, name, a.checkpointName("weights", name), taken); ok {
				list = append(list, w)
			}
		}
		return list
	}
}

func (a *App) publish(t *trainer.Trigger) func(f *fold.Fold) error {
	if a.o.Publish == nil {
		return nil
	}
	return func(f *fold.Fold) error {
		err := a.o.Publish(t, f)
		a.watch.published(t)
		a.note(func(all *Progress) { all.Learners[t.Name] = f.Position() })
		return err
	}
}

// learned notes how far the log is folded, where nothing is published; else publishing does.
func (a *App) learned(t *trainer.Trigger, position uint64) {
	if a.o.Publish == nil {
		a.note(func(all *Progress) { all.Learners[t.Name] = position })
	}
}

// confirm tells the board that the versions of models are the newest.
func (a *App) confirm(models ...string) func(time.Time) {
	if a.o.Board == nil {
		return nil
	}
	return func(at time.Time) {
		for _, name := range models {
			a.o.Board.Confirm(name, at)
		}
	}
}

func names(t *trainer.Trigger) []string {
	var list []string
	for i := range t.Members {
		list = append(list, t.Members[i].Name)
	}
	return list
}

// learnerGroup is the group by which the learners of an example log find the process that runs them.
func learnerGroup(log string) string { return log + ".learner" }

// fold runs sessions that fold the log of a trigger. They own no log, but where several processes share the roles
// one at a time learns: the answers and checkpoints of two would be twice the same. Followers fold each for itself.
func (a *App) fold(ctx context.Context, name string, t *trainer.Trigger, session func(ctx context.Context) error) error {
	o := stage.OwnOptions{Topic: a.Topics.Logs[t.Name], Static: []int32{0}, Logger: a.o.Logger}
	if a.o.Groups && name == "learner" {
		o.Static, o.Group, o.Member, o.Session = nil, learnerGroup(o.Topic), a.member(), a.o.Program.Project.Kafka.Session
	}
	return stage.Own(ctx, a.o.Transport, o,
		func(ctx context.Context, _ []int32) error {
			return a.watch.session(ctx, name, []string{t.Name}, func() error { return session(ctx) })
		})
}

// Program returns the project that the process runs. It must not be changed.
func (a *App) Program() *program.Program { return a.o.Program }
