package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/serving"
)

// Attestation is a record of the hashes topic: what a learner's state was after entry Seq of a log.
type Attestation struct {
	Model   string `json:"model"`
	Log     string `json:"log"`
	Seq     uint64 `json:"seq"`
	Weights string `json:"weights_sha256"`
	Scores  string `json:"scores_sha256"`
	Build   string `json:"build"`
	Arch    string `json:"arch"`
}

// attestation sums a model of a fold that stands before entry position, at least 1.
func attestation(f *fold.Fold, model, log string, position uint64, build string) (Attestation, bool) {
	h, ok := f.Hashes(model)
	return Attestation{Model: model, Log: log, Seq: position - 1, Weights: h.Weights, Scores: h.Scores, Build: build, Arch: runtime.GOARCH}, ok && position > 0
}

func (a Attestation) record(topic string) *kgo.Record {
	b, _ := json.Marshal(a) // texts and a number: no error
	return &kgo.Record{Topic: topic, Key: []byte(a.Model), Value: b}
}

// attestLimit bounds the attestations of either side that wait for the other's.
const attestLimit = 4096

type attested struct {
	model, log string
	seq        uint64
}

// Verifier compares the states of a follower with what learners attest, whichever comes first. Weights
// must be the same bits on the same architecture; scores are the learner's own affair, since a follower
// may fold other models beside. It is safe for concurrent use.
type Verifier struct {
	differ func(own, theirs Attestation)

	mu     sync.Mutex
	own    map[attested]Attestation
	theirs map[attested]Attestation
}

// NewVerifier returns a verifier that calls differ once for each pair that differs.
func NewVerifier(differ func(own, theirs Attestation)) *Verifier {
	return &Verifier{differ: differ, own: map[attested]Attestation{}, theirs: map[attested]Attestation{}}
}

// Own takes in a state of this process.
func (v *Verifier) Own(a Attestation) { v.take(a, v.own, v.theirs, false) }

// Theirs takes in what a learner attests.
func (v *Verifier) Theirs(a Attestation) {
	if a.Arch == runtime.GOARCH {
		v.take(a, v.theirs, v.own, true)
	}
}

func (v *Verifier) take(a Attestation, mine, other map[attested]Attestation, theirs bool) {
	k := attested{a.Model, a.Log, a.Seq}
	v.mu.Lock()
	b, ok := other[k]
	if mine[k] = a; len(mine) > attestLimit {
		drop := k
		for old := range mine { // the least seq: what is long past is not compared any more
			if old.seq < drop.seq {
				drop = old
			}
		}
		delete(mine, drop)
	}
	v.mu.Unlock()
	if !ok || a.Weights == b.Weights {
		return
	}
	if theirs {
		a, b = b, a
	}
	v.differ(a, b)
}

// barDiffering returns what a follower does about a state that differs: the model answers no more.
func barDiffering(board *serving.Board, log *slog.Logger) func(own, theirs Attestation) {
	return func(own, theirs Attestation) {
		if board != nil {
			board.Bar(own.Model)
		}
		log.Error("model taken out of service: its state differs from the attested one", "model", own.Model, "log", own.Log, "seq", own.Seq,
			"weights_sha256", own.Weights, "attested_sha256", theirs.Weights, "build", own.Build, "attested_build", theirs.Build,
			"mend", "run the same build everywhere, then start this server again")
	}
}

// attestations hands every record of the hashes topic to visit until ctx ends; one that is no attestation is
// passed over.
func (a *App) attestations(ctx context.Context, visit func(Attestation)) error {
	return stage.Own(ctx, a.o.Transport, stage.OwnOptions{Topic: a.Topics.Hashes, Static: []int32{0}, Logger: a.o.Logger},
		func(ctx context.Context, _ []int32) error {
			cl, err := a.o.Transport.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{a.Topics.Hashes: {0: kgo.NewOffset().AtStart()}}))
			if err != nil {
				return err
			}
			defer cl.Close()
			for ctx.Err() == nil {
				fetches := cl.PollRecords(ctx, 1000)
				for _, e := range fetches.Errors() {
					if ctx.Err() == nil {
						return fmt.Errorf("fetch %s: %w", e.Topic, stage.Explain(e.Err))
					}
				}
				fetches.EachRecord(func(r *kgo.Record) {
					var at Attestation
					if json.Unmarshal(r.Value, &at) == nil && at.Model != "" {
						visit(at)
					}
				})
			}
			return ctx.Err()
		})
}
