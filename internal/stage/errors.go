package stage

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/frame"
)

// Errors of the package. They are wrapped with topic, partition, offset and cause.
var (
	// ErrSessionEnded is the end of a producing session: a produce error, or a frame that does not
	// count. Drop the cache, close the writer, load the committed state, open a new writer.
	ErrSessionEnded = errors.New("producing session ended")
	// ErrFenced comes with ErrSessionEnded when another writer's frame counts instead.
	ErrFenced = frame.ErrFenced
	// ErrItemTooBig is an item that fits into no frame; it is poison.
	ErrItemTooBig = frame.ErrTooBig
	// ErrPassed is a position that retention has removed. The output must be rebuilt.
	ErrPassed = errors.New("retention has passed the stored position")
	// ErrReplaced is a topic that was made anew or has other partitions than before.
	ErrReplaced = errors.New("topic was recreated or has other partitions")
	// ErrMissing is a topic or partition that the broker does not know, or not yet. It is retriable.
	ErrMissing = errors.New("topic or partition is missing")
	// ErrSession is a session timeout that the brokers do not allow.
	ErrSession = errors.New("the brokers do not allow the session timeout; set kafka.session between their group.min.session.timeout.ms and group.max.session.timeout.ms")
	// ErrSettings is a topic whose settings would lose data.
	ErrSettings = errors.New("unfit topic")
)

// Final reports whether an error stays whatever is tried again: stop loudly. All other errors are
// retriable by opening the reader or the session anew.
func Final(err error) bool {
	var other interface{ Final() bool } // errors of packages that do not know this one
	if errors.As(err, &other) && other.Final() {
		return true
	}
	for _, final := range []error{
		ErrPassed, ErrReplaced, ErrSettings, ErrSession,
		frame.ErrDamaged, frame.ErrDiverged, frame.ErrCut, frame.ErrTooBig,
	} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// Explain is explain for readers of source topics, which have clients of their own.
func Explain(err error) error { return explain(err) }

// explain gives the errors of the protocol that end a stage their class.
func explain(err error) error {
	var lost *kgo.ErrDataLoss
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		return fmt.Errorf("%w: %w", ErrPassed, err)
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		return fmt.Errorf("%w: %w", ErrReplaced, err)
	case errors.Is(err, kerr.InvalidSessionTimeout):
		return fmt.Errorf("%w: %w", ErrSession, err)
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("%w: %w", ErrMissing, err)
	case errors.As(err, &lost):
		return fmt.Errorf("%w: %w", frame.ErrDiverged, err)
	}
	return err
}

// hungUp is explain for the first question to the brokers: one that ends the connection before it has answered mostly wants another
// way to talk. What the client guesses does not know the project file.
func hungUp(err error) error {
	var first *kgo.ErrFirstReadEOF
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record):
		return fmt.Errorf("%w; the broker speaks plain text at this address: take another one, or remove kafka.tls", err)
	case errors.As(err, &first), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		strings.Contains(err.Error(), "tls alert record"): // the client has no name for this one
		return fmt.Errorf("%w; it may want kafka.tls where it is not set, or plain text where it is, or a login (kafka.sasl)", err)
	}
	return explain(err)
}
