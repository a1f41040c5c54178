// Package checkpoint keeps the states of sequencers, joiners and learners in a blob store: a folder, or a bucket of
// any store that gocloud.dev/blob knows. A checkpoint is a state at a place of a log; recovery loads the
// newest good one and folds the log from there, so an old or missing checkpoint costs time, never truth.
//
// It stands beside the flow, at the rim: features/worker and trainer/run save and load.
package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"gocloud.dev/blob"
)

// MaxBytes bounds what is read of one checkpoint.
const MaxBytes = 1 << 30

// Reasons to pass over a checkpoint, beside those of its owner.
var (
	// ErrDamaged is a checkpoint whose bytes are not what was saved.
	ErrDamaged = errors.New("damaged checkpoint")
	// ErrNewer is a checkpoint in a format that this build does not know.
	ErrNewer = errors.New("checkpoint of a newer format")
	// ErrForeign is a checkpoint of another architecture: its numbers may differ in their last bits from those that
	// this machine would fold, and hashes are attested for each architecture apart.
	ErrForeign = errors.New("checkpoint of another architecture")
)

// Options say where checkpoints are kept.
type Options struct {
	// URL is a folder, such as file:///var/lib/freshet or, relative, file://.freshet/checkpoints, which is made; a bucket, with
	// or without a folder in it: s3://bucket/folder; or mem://, which ends with the process.
	URL  string
	Keep int // how many checkpoints of a name stay, at least 1
	S3   S3  // for s3:// only
	// Logger is told of checkpoints that are passed over; nil: nobody.
	Logger *slog.Logger
}

// Store keeps the newest checkpoints of each name. It is safe for any number of goroutines.
type Store struct {
	bucket *blob.Bucket
	keep   int
	log    *slog.Logger
}

// Open opens a store. Errors of a bucket come with the first use. Close it.
func Open(ctx context.Context, o Options) (*Store, error) {
	b, err := openBucket(ctx, &o)
	if err != nil {
		return nil, fmt.Errorf("checkpoints url %s: %w", shown(o.URL), err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Store{bucket: b, keep: max(o.Keep, 1), log: o.Logger}, nil
}

// Close closes the store.
func (s *Store) Close() error { return s.bucket.Close() }

func key(name string, seq uint64) string { return fmt.Sprintf("%s/%020d.ckpt", name, seq) }

// Save writes the state of name at seq, then removes what is beyond the newest that are kept, as of seq: what a log before
// this one has left at a later place stays, and is no reason to remove the new one. The state
// appears whole or not at all.
func (s *Store) Save(ctx context.Context, name string, seq uint64, state []byte) error {
	b := pack(seq, runtime.GOARCH, state)
	if err := s.bucket.WriteAll(ctx, key(name, seq), b, &blob.WriterOptions{ContentType: "application/octet-stream"}); err != nil {
		return fmt.Errorf("checkpoint %s at %d: write: %w", name, seq, err)
	}
	keys, err := s.list(ctx, name)
	if err != nil {
		return err
	}
	keys = slices.DeleteFunc(keys, func(k string) bool { return k > key(name, seq) })
	for _, old := range keys[:max(0, len(keys)-s.keep)] {
		if err := s.bucket.Delete(ctx, old); err != nil {
			return fmt.Errorf("checkpoint %s: remove: %w", old, err)
		}
	}
	return nil
}

// list returns the keys of a name, oldest first.
func (s *Store) list(ctx context.Context, name string) ([]string, error) {
	var keys []string
	it := s.bucket.List(&blob.ListOptions{Prefix: name + "/"})
	for {
		obj, err := it.Next(ctx)
		if err == io.EOF {
			slices.Sort(keys)
			return keys, nil
		}
		if err != nil {
			return nil, fmt.Errorf("checkpoints of %s: list: %w", name, err)
		}
		if strings.HasSuffix(obj.Key, ".ckpt") {
			keys = append(keys, obj.Key)
		}
	}
}

// Restore hands checkpoints of name to load, the newest first, until it takes one; those that are
// damaged or that load refuses are passed over with a warning. It reports whether one was taken. An
// error is one of the store.
func (s *Store) Restore(ctx context.Context, name string, load func(seq uint64, state []byte) error) (bool, error) {
	return s.RestoreAt(ctx, name, math.MaxUint64, load)
}

// Newest returns the seq of the newest checkpoint of a name, good or not, and false if there is none.
func (s *Store) Newest(ctx context.Context, name string) (uint64, bool, error) {
	keys, err := s.list(ctx, name)
	if err != nil || len(keys) == 0 {
		return 0, false, err
	}
	text := strings.TrimSuffix(path.Base(keys[len(keys)-1]), ".ckpt")
	seq, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("checkpoints of %s: %q is no place of a log", name, text)
	}
	return seq, true, nil
}

// RestoreAt is Restore with the checkpoints at or before seq only.
func (s *Store) RestoreAt(ctx context.Context, name string, seq uint64, load func(seq uint64, state []byte) error) (bool, error) {
	keys, err := s.list(ctx, name)
	if err != nil {
		return false, err
	}
	last := key(name, seq)
	keys = slices.DeleteFunc(keys, func(k string) bool { return k > last })
	for _, k := range slices.Backward(keys) {
		seq, state, err := s.read(ctx, k)
		if err == nil {
			err = load(seq, state)
		}
		if err == nil {
			return true, nil
		}
		s.log.Warn("checkpoint passed over", "checkpoint", k, "error", err)
	}
	return false, nil
}

func (s *Store) read(ctx context.Context, k string) (uint64, []byte, error) {
	r, err := s.bucket.NewReader(ctx, k, nil)
	if err != nil {
		return 0, nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return 0, nil, err
	}
	seq, arch, state, err := parse(b)
	if err == nil && arch != "" && arch != runtime.GOARCH {
		err = fmt.Errorf("%w: %s, this is %s", ErrForeign, arch, runtime.GOARCH)
	}
	return seq, state, err
}
