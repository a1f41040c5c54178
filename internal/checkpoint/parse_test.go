package checkpoint

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The bytes of a checkpoint are a storage format.
func TestCheckpointBytes(t *testing.T) {
	want := "4658434b5054000207000000000000000200000000000000" +
		"cad9b24554cebae4f660ca35372a026764e3d91b45730ed171cb7749b0530066" + "05616d643634" + "6869"
	if got := hex.EncodeToString(pack(7, "amd64", []byte("hi"))); got != want {
		t.Errorf("stored bytes changed: %s, want %s", got, want)
	}
}

// Checkpoints of format 1 are read; their architecture is not known.
func TestFormat1IsRead(t *testing.T) {
	b, err := hex.DecodeString("4658434b5054000107000000000000000200000000000000" +
		"8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4" + "6869")
	if err != nil {
		t.Fatal(err)
	}
	if seq, arch, state, err := parse(b); err != nil || seq != 7 || arch != "" || string(state) != "hi" {
		t.Errorf("parsed %d %q %q, %v", seq, arch, state, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(pack(7, "amd64", []byte("state")))
	f.Add([]byte(magic))
	f.Add(pack(0, "", nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		seq, arch, state, err := parse(b)
		if err == nil && b[len(magic)] == version && !bytes.Equal(pack(seq, arch, state), b) {
			t.Fatal("bytes that are no checkpoint were taken")
		}
	})
}
