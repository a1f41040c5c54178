package checkpoint

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// A checkpoint begins with magic, then the version of its format, 1 byte.
const (
	magic   = "FXCKPT\x00"
	version = 2 // writes; reads 1 and 2
)

// pack returns the bytes of a checkpoint: magic, version, seq, length of the state, SHA-256 of all else behind the magic,
// length of the architecture's name (1 byte), the name, the state.
func pack(seq uint64, arch string, state []byte) []byte {
	b := make([]byte, 0, len(magic)+1+16+sha256.Size+1+len(arch)+len(state))
	b = append(append(b, magic...), version)
	b = binary.LittleEndian.AppendUint64(b, seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(state)))
	sum := len(b)
	b = append(b, make([]byte, sha256.Size)...)
	b = append(append(b, byte(len(arch))), arch...)
	b = append(b, state...)
	copy(b[sum:], sumOf(b))
	return b
}

// sumOf is the SHA-256 of what stands before and behind the place of the sum.
func sumOf(b []byte) []byte {
	at := len(magic) + 1 + 16
	h := sha256.New()
	h.Write(b[len(magic):at])
	h.Write(b[at+sha256.Size:])
	return h.Sum(nil)
}

// parse is the inverse of pack. The architecture of a checkpoint of format 1 is not known: then it is empty.
func parse(b []byte) (seq uint64, arch string, state []byte, err error) {
	head := len(magic) + 1 + 16 + sha256.Size
	if len(b) < head || string(b[:len(magic)]) != magic {
		return 0, "", nil, fmt.Errorf("%w: no checkpoint of this format", ErrDamaged)
	}
	format := b[len(magic)]
	seq, n := binary.LittleEndian.Uint64(b[len(magic)+1:]), binary.LittleEndian.Uint64(b[len(magic)+9:])
	sum := string(b[len(magic)+1+16 : head])
	state = b[head:]
	switch {
	case format > version:
		return 0, "", nil, fmt.Errorf("%w: %d, this build knows %d", ErrNewer, format, version)
	case format == 1:
		if got := sha256.Sum256(state); string(got[:]) != sum {
			return 0, "", nil, fmt.Errorf("%w: checksum differs", ErrDamaged)
		}
	case format == version:
		if string(sumOf(b)) != sum || len(state) == 0 || len(state) < 1+int(state[0]) {
			return 0, "", nil, fmt.Errorf("%w: checksum differs", ErrDamaged)
		}
		arch, state = string(state[1:1+state[0]]), state[1+state[0]:]
	default:
		return 0, "", nil, fmt.Errorf("%w: format %d", ErrDamaged, format)
	}
	if n != uint64(len(state)) {
		return 0, "", nil, fmt.Errorf("%w: %d bytes of %d", ErrDamaged, len(state), n)
	}
	return seq, arch, state, nil
}
