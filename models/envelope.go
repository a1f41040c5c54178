package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/freshet-ml/freshet/internal/codec"
)

// EnvelopeFormat is the version of the envelope's own layout.
const EnvelopeFormat = 1

var envelopeMagic = [4]byte{'F', 'R', 'S', 'M'}

// The ways in which an envelope cannot be loaded. Damaged states wrap codec.ErrDamaged.
var (
	ErrNewerFormat = errors.New("model state has a newer format")
	ErrOtherSpec   = errors.New("model state belongs to another spec")
	ErrOtherSchema = errors.New("model state belongs to another schema")
)

// Identity says what a state belongs to.
type Identity struct {
	Spec   [sha256.Size]byte // Plan.Fingerprint
	Schema uint64            // features.Schema.ID of the rows it was trained on
}

const (
	envelopeHead = 4 + 4 + sha256.Size + 8 + 8
	envelopeMin  = envelopeHead + sha256.Size
)

// SaveEnvelope appends the state of c to dst. Layout, all numbers little endian: magic "FRSM", format
// u32, spec fingerprint 32 bytes, schema id u64, payload length u64, payload, SHA-256 of all before.
func SaveEnvelope(dst []byte, id Identity, c codec.Stateful) []byte {
	start := len(dst)
	dst = append(dst, envelopeMagic[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, EnvelopeFormat)
	dst = append(dst, id.Spec[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, id.Schema)
	dst = binary.LittleEndian.AppendUint64(dst, 0)
	s := codec.Saver(dst)
	c.State(s)
	dst = s.Bytes()
	binary.LittleEndian.PutUint64(dst[start+envelopeHead-8:], uint64(len(dst)-start-envelopeHead))
	sum := sha256.Sum256(dst[start:])
	return append(dst, sum[:]...)
}

// LoadEnvelope checks b and loads its payload into c, a learner that was newly built for the same
// identity. Errors wrap ErrNewerFormat, ErrOtherSpec, ErrOtherSchema or codec.ErrDamaged; after one, c
// must not be used unless the error came before the payload was read, which is not told apart.
func LoadEnvelope(b []byte, id Identity, c codec.Stateful) error {
	got, payload, err := OpenEnvelope(b)
	if err != nil {
		return err
	}
	if got.Spec != id.Spec {
		return fmt.Errorf("%w: %x, not %x; train again or restore the spec", ErrOtherSpec, got.Spec[:6], id.Spec[:6])
	}
	if got.Schema != id.Schema {
		return fmt.Errorf("%w: %016x, not %016x; train again or restore the features", ErrOtherSchema, got.Schema, id.Schema)
	}
	if err := codec.Load(c, payload); err != nil {
		return fmt.Errorf("load model state: %w", err)
	}
	return nil
}

// OpenEnvelope checks b and returns what it belongs to and its payload, which borrows b. Errors wrap
// ErrNewerFormat or codec.ErrDamaged.
func OpenEnvelope(b []byte) (Identity, []byte, error) {
	var id Identity
	if len(b) < 8 || !bytes.Equal(b[:4], envelopeMagic[:]) {
		return id, nil, fmt.Errorf("open model state: %w: no envelope", codec.ErrDamaged)
	}
	if f := binary.LittleEndian.Uint32(b[4:]); f > EnvelopeFormat {
		return id, nil, fmt.Errorf("%w: %d, this build reads up to %d; use a newer build", ErrNewerFormat, f, EnvelopeFormat)
	} else if f == 0 {
		return id, nil, fmt.Errorf("open model state: %w: format 0", codec.ErrDamaged)
	}
	if len(b) < envelopeMin {
		return id, nil, fmt.Errorf("open model state: %w: %d bytes, at least %d are needed", codec.ErrDamaged, len(b), envelopeMin)
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if n := binary.LittleEndian.Uint64(body[envelopeHead-8:]); n != uint64(len(body)-envelopeHead) {
		return id, nil, fmt.Errorf("open model state: %w: payload of %d bytes, %d are there", codec.ErrDamaged, n, len(body)-envelopeHead)
	}
	if want := sha256.Sum256(body); !bytes.Equal(want[:], sum) {
		return id, nil, fmt.Errorf("open model state: %w: checksum does not match", codec.ErrDamaged)
	}
	copy(id.Spec[:], body[8:])
	id.Schema = binary.LittleEndian.Uint64(body[8+sha256.Size:])
	return id, body[envelopeHead:], nil
}
