// Package checkpoint keeps the states of sequencers, joiners and learners in a blob store: a folder, or a bucket of
// any store that gocloud.dev/blob knows. A checkpoint is a state at a place of a log; recovery loads the
// newest good one and folds the log from there, so an old or missing checkpoint costs time, never truth.
//
// It stands beside the flow, at the rim: features/worker and trainer/run save and load.
package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // file://
	_ "gocloud.dev/blob/memblob"  // mem://
)

// MaxBytes bounds what is read of one checkpoint.
const MaxBytes = 1 << 30

const magic = "FXCKPT\x00\x01" // the last byte is the format version

// ErrDamaged is a checkpoint whose bytes are not what was saved.
var ErrDamaged = errors.New("damaged checkpoint")

// Store keeps the newest checkpoints of each name. It is safe for any number of goroutines.
type Store struct {
	bucket *blob.Bucket
	keep   int
	log    *slog.Logger
}

// Open opens the store at a URL such as file:///var/lib/freshet, a relative file://.freshet/checkpoints, or mem://. Folders are
// made. keep is how many checkpoints of a name stay, at least 1. Close it.
func Open(ctx context.Context, rawURL string, keep int, log *slog.Logger) (*Store, error) {
	target, err := resolve(rawURL)
	if err != nil {
		return nil, fmt.Errorf("checkpoints url %q: %w", rawURL, err)
	}
	b, err := blob.OpenBucket(ctx, target)
	if err != nil {
		return nil, fmt.Errorf("checkpoints url %q: %w", rawURL, err)
	}
	return &Store{bucket: b, keep: max(keep, 1), log: log}, nil
}

// resolve turns a file URL into one with an absolute path and the settings that we rely on.
func resolve(raw string) (string, error) {
	path, ok := strings.CutPrefix(raw, "file://")
	if !ok {
		return raw, nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(path, 0o750); err != nil {
		return "", err
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: "metadata=skip&no_tmp_dir=true"}
	return u.String(), nil
}

// Close closes the store.
func (s *Store) Close() error { return s.bucket.Close() }

func key(name string, seq uint64) string { return fmt.Sprintf("%s/%020d.ckpt", name, seq) }

// Save writes the state of name at seq, then removes what is beyond the newest that are kept. The state
// appears whole or not at all.
func (s *Store) Save(ctx context.Context, name string, seq uint64, state []byte) error {
	b := pack(seq, state)
	if err := s.bucket.WriteAll(ctx, key(name, seq), b, &blob.WriterOptions{ContentType: "application/octet-stream"}); err != nil {
		return fmt.Errorf("checkpoint %s at %d: write: %w", name, seq, err)
	}
	keys, err := s.list(ctx, name)
	if err != nil {
		return err
	}
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
	return parse(b)
}

// pack returns the bytes of a checkpoint: magic, seq, length of the state, its SHA-256, the state.
func pack(seq uint64, state []byte) []byte {
	sum := sha256.Sum256(state)
	b := make([]byte, 0, len(magic)+16+len(sum)+len(state))
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint64(b, seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(state)))
	return append(append(b, sum[:]...), state...)
}

func parse(b []byte) (uint64, []byte, error) {
	head := len(magic) + 16 + sha256.Size
	if len(b) < head || string(b[:len(magic)]) != magic {
		return 0, nil, fmt.Errorf("%w: no checkpoint of this format", ErrDamaged)
	}
	seq, n := binary.LittleEndian.Uint64(b[len(magic):]), binary.LittleEndian.Uint64(b[len(magic)+8:])
	if n != uint64(len(b)-head) {
		return 0, nil, fmt.Errorf("%w: %d bytes of %d", ErrDamaged, len(b)-head, n)
	}
	if sha256.Sum256(b[head:]) != [sha256.Size]byte(b[len(magic)+16:head]) {
		return 0, nil, fmt.Errorf("%w: checksum differs", ErrDamaged)
	}
	return seq, b[head:], nil
}
