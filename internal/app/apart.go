package app

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// apartTimeout bounds what Status asks of brokers and stores about other processes.
const apartTimeout = 3 * time.Second

// memberPrefix is what the names of processes begin with in consumer groups.
const memberPrefix = "freshet-"

// apart fills in what Kafka, the store and the checkpoints tell of the stages of other processes.
func (a *App) apart(ctx context.Context, to *freshetv1.StatusResponse) {
	v := a.survey.last.Load()
	if v == nil {
		return // Waiting says so
	}
	ctx, cancel := context.WithTimeout(ctx, apartTimeout)
	defer cancel()
	if to.Head == nil && v.head != features.NoTime {
		to.Head, to.Watermark = stamp(v.head), stamp(v.head-a.outOfOrder())
	}
	q, closer, err := a.questions(ctx, v)
	if err != nil {
		to.Warnings = append(to.Warnings, "other processes cannot be asked about: "+err.Error())
		return
	}
	defer closer()
	to.Stages = append(to.Stages, q.sequencer(ctx))
	for p := range v.units {
		to.Stages = append(to.Stages, q.owned("units", fmt.Sprintf("parts/%d", p), a.Topics.Parts, int32(p), v.end()-min(v.end(), v.units[p])))
	}
	progress, _ := a.Progress()
	for _, t := range a.o.Program.Triggers {
		to.Stages = append(to.Stages, q.joined(ctx, t.Name, progress.Learners[t.Name])...)
	}
	to.Warnings = append(to.Warnings, q.warnings...)
}

// outOfOrder is the greatest of the sources, µs.
func (a *App) outOfOrder() (bound int64) {
	for _, s := range a.o.Program.Sources {
		bound = max(bound, s.OutOfOrder)
	}
	return bound
}

// questions are one round of questions about other processes.
type questions struct {
	app      *App
	seen     *surveyed
	adm      *kadm.Client
	owners   map[string]stage.Owners
	warnings []string
}

func (a *App) questions(ctx context.Context, v *surveyed) (*questions, func(), error) {
	cl, err := a.o.Transport.Client()
	if err != nil {
		return nil, nil, err
	}
	q := &questions{app: a, seen: v, adm: kadm.NewClient(cl)}
	groups := []string{a.Topics.Events, a.Topics.Parts}
	for _, log := range a.Topics.Logs {
		groups = append(groups, log, learnerGroup(log))
	}
	if q.owners, err = stage.AskOwners(ctx, q.adm, groups...); err != nil {
		cl.Close()
		return nil, nil, err
	}
	return q, cl.Close, nil
}

// owned describes a stage that finds its owner by a group.
func (q *questions) owned(name, of, group string, partition int32, lag uint64) *freshetv1.StageStatus {
	o := q.owners[group]
	s := &freshetv1.StageStatus{Name: name, Of: of, State: state(lag), Lag: lag, Owner: shortMember(o.Of[partition])}
	for _, m := range o.Standby {
		s.Standbys = append(s.Standbys, shortMember(m))
	}
	slices.Sort(s.Standbys)
	if s.Owner == "" {
		s.State = "no owner"
	}
	return s
}

func shortMember(client string) string { return strings.TrimPrefix(client, memberPrefix) }

// fail notes that a question was not answered.
func (q *questions) fail(what string, err error) {
	q.warnings = append(q.warnings, what+" cannot be seen now: "+err.Error())
}

// sequencer compares the positions of the order with the ends of the sources.
func (q *questions) sequencer(ctx context.Context) *freshetv1.StageStatus {
	s := q.owned("sequencer", "", q.app.Topics.Events, 0, 0)
	tail, err := q.tail(ctx, q.app.Topics.Events)
	if err != nil {
		q.fail("the lag of the sequencer", err)
		return s
	}
	var topics []string
	for _, topic := range q.app.Topics.Sources {
		topics = append(topics, topic)
	}
	ends, err := q.adm.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		q.fail("the lag of the sequencer", err)
		return s
	}
	for name, topic := range q.app.Topics.Sources {
		for p, end := range ends[topic] {
			at, _ := tail.Input(name + "/" + strconv.Itoa(int(p)))
			s.Lag += uint64(max(0, end.Offset-at.Offset))
		}
	}
	if s.Owner != "" {
		s.State = state(s.Lag)
	}
	s.Note = fmt.Sprintf("%d items ordered", tail.NextSeq)
	return s
}

func (q *questions) tail(ctx context.Context, topic string) (frame.Tail, error) {
	log, err := stage.OpenLog(q.app.o.Transport, topic, 0)
	if err != nil {
		return frame.Tail{}, err
	}
	defer log.Close()
	return frame.ReadTail(ctx, log)
}

// joined describes the joiner and the learners of a trigger, and the follower of this process, which has folded so many entries.
func (q *questions) joined(ctx context.Context, trigger string, folded uint64) []*freshetv1.StageStatus {
	log := q.app.Topics.Logs[trigger]
	joiner, learner := q.owned("joiner", trigger, log, 0, 0), q.owned("learner", trigger, learnerGroup(log), 0, 0)
	list := []*freshetv1.StageStatus{joiner, learner}
	tail, err := q.tail(ctx, log)
	if err != nil {
		q.fail("the example log of "+trigger, err)
		return list
	}
	if at, ok := tail.Input("events"); ok {
		joiner.Lag = q.seen.lag(at)
	}
	joiner.Note = fmt.Sprintf("%d entries; behind its newest entry by so much at most", tail.NextSeq)
	if store := q.app.o.Checkpoints; store != nil {
		switch at, ok, err := store.Newest(ctx, q.app.checkpointName("models", trigger)); {
		case err != nil:
			q.fail("the checkpoints of "+trigger, err)
		case ok:
			learner.Note = fmt.Sprintf("newest checkpoint at entry %d of %d", at, tail.NextSeq)
		default:
			learner.Note = "no checkpoint yet"
		}
	}
	lag := tail.NextSeq - min(tail.NextSeq, folded)
	return append(list, &freshetv1.StageStatus{Name: "follower", Of: trigger, State: state(lag), Lag: lag, Note: "of this server"})
}
