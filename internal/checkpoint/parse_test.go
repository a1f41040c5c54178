package checkpoint

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The bytes of a checkpoint are a storage format.
func TestCheckpointBytes(t *testing.T) {
	want := "4658434b5054000107000000000000000200000000000000" +
		"8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4" + "6869"
	if got := hex.EncodeToString(pack(7, []byte("hi"))); got != want {
		t.Errorf("stored bytes changed: %s, want %s", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(pack(7, []byte("state")))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		seq, state, err := parse(b)
		if err == nil && !bytes.Equal(pack(seq, state), b) {
			t.Fatal("bytes that are no checkpoint were taken")
		}
	})
}
