package serving

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Models is where answers come from; *Board is one. It is safe for concurrent use.
type Models interface {
	// Snapshot returns the newest version of a model, and false if there is none.
	Snapshot(model string) (*fold.Snapshot, bool)
	// Confirmed returns when the version was last known to be the newest; the zero time: never yet.
	Confirmed(model string) time.Time
	// Barred reports whether the model was taken out of service, since its state differs from the attested one.
	Barred(model string) bool
	// Scored returns what was last measured about the model; nil if nothing was.
	Scored(model string) *Scored
	// Drifted returns what was last measured about a trigger's features; nil if nothing was.
	Drifted(trigger string) *Drifted
}

// EntityKey names an entity: the index of its type in the catalog, and its key as
// features.AppendKey makes it. Key is borrowed for the duration of a call.
type EntityKey struct {
	Entity int
	Key    string
}

// EntityState is the state of one entity as committed. The structs belong to the caller of States.Read, who hands them in
// again: implementations set every field. The bytes of State may be shared with other calls and are not written.
type EntityState struct {
	State     unit.State
	Found     bool
	Head      int64 // newest event time that the entity's bucket has folded, µs; features.NoTime if none
	Watermark int64 // of the bucket, µs; features.NoTime if none
	// Rebuilding marks a bucket that is too far behind the order to be relied on.
	Rebuilding bool
	at         frame.Position // of events, at which the bucket stood; set by StoreStates
}

// States reads entity states. It is safe for concurrent use.
type States interface {
	// Read fills out[i] with the state of keys[i], len(out) = len(keys), in one round trip for each
	// node of the store, and returns soon after ctx ends. An entity that is not there is not an error.
	// keys are borrowed.
	Read(ctx context.Context, keys []EntityKey, out []EntityState) error
}

// Served is an answer as it was served, for the log. Slices and texts are borrowed.
type Served struct {
	Model   string
	ID      string
	At      int64     // the time at which features were read, µs
	Vector  []float64 // the union vector
	Answer  []float64
	Version uint64 // Seq of the version that answered
	Schema  uint64 // ID of the vector's schema
}

// Fields returns the record's fields in the order of the $served source, appended to dst.
func (s *Served) Fields(dst []features.Value) []features.Value {
	return append(dst, features.StringValue(s.Model), features.StringValue(s.ID), features.StringValue(pack(s.Vector)),
		features.StringValue(pack(s.Answer)), features.IntValue(int64(s.Version)), features.IntValue(int64(s.Schema)))
}

func pack(v []float64) string {
	b := make([]byte, 0, 8*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return string(b)
}

// Truth is a label that came by Feedback: a number, or a class if Class is not empty.
type Truth struct {
	Model string
	ID    string
	Value float64
	Class string
	At    int64 // µs
}

// Fields returns the record's fields in the order of the $feedback source, appended to dst.
func (t *Truth) Fields(dst []features.Value) []features.Value {
	dst = append(dst, features.StringValue(t.Model), features.StringValue(t.ID))
	if t.Class != "" {
		return append(dst, features.Value{}, features.StringValue(t.Class))
	}
	return append(dst, features.DoubleValue(t.Value), features.Value{})
}

// Log writes to Freshet's own plain topics. Both methods return when everything was acknowledged or soon
// after ctx ends, and borrow the records for the duration of the call. They are safe for concurrent use.
type Log interface {
	Served(ctx context.Context, records []Served) error
	Feedback(ctx context.Context, records []Truth) error
}

// Auditor computes past predictions again.
type Auditor interface {
	// Audit finds a prediction by its id and computes it again. model may be empty. It returns ErrNoPrediction when there
	// is none, ErrManyPredictions when several models have one, and ends soon after ctx does.
	Audit(ctx context.Context, model, id string) (*freshetv1.AuditResponse, error)
}

// Errors of an Auditor.
var (
	ErrNoPrediction    = errors.New("no prediction of that id in the logs")
	ErrManyPredictions = errors.New("several models have a prediction of that id")
)

// Reporter tells what a server itself cannot know.
type Reporter interface {
	// Report fills in head, watermark, stages, sources, triggers and warnings; it may add to
	// waiting_for, which has the server's own reasons already.
	Report(ctx context.Context, to *freshetv1.StatusResponse)
	// Waiting names what must happen before features can be served; empty: nothing.
	Waiting() string
}
