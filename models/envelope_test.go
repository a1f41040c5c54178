package models_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

func identity() models.Identity {
	id := models.Identity{Schema: 0x0102030405060708}
	for i := range id.Spec {
		id.Spec[i] = byte(i)
	}
	return id
}

// TestEnvelopeBytes holds the layout: a change of it needs a new EnvelopeFormat and a reader for this one.
func TestEnvelopeBytes(t *testing.T) {
	got := models.SaveEnvelope(nil, identity(), &constantModel{rate: 1.5, seen: 3})
	const want = "4652534d" + "01000000" +
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" +
		"0807060504030201" + "1000000000000000" +
		"000000000000f83f" + "0300000000000000" +
		"5206ec71e9a9b9ae42990185ad47af755794acc81ae7e8ef8ac2c45065c5ed24"
	if hex.EncodeToString(got) != want {
		t.Errorf("envelope\n%x, want\n%s", got, want)
	}
}

func TestEnvelope(t *testing.T) {
	id := identity()
	prefix := []byte("before")
	all := models.SaveEnvelope(prefix, id, &constantModel{rate: 1.5, seen: 3})
	if !bytes.HasPrefix(all, prefix) {
		t.Fatal("the envelope is not appended")
	}
	b := all[len(prefix):]
	var m constantModel
	if err := models.LoadEnvelope(b, id, &m); err != nil || m.rate != 1.5 || m.seen != 3 {
		t.Fatalf("loaded %+v, %v", m, err)
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1
		if err := models.LoadEnvelope(c, id, &m); !errors.Is(err, codec.ErrDamaged) && !errors.Is(err, models.ErrNewerFormat) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
		if err := models.LoadEnvelope(b[:i], id, &m); !errors.Is(err, codec.ErrDamaged) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	other := id
	other.Spec[0]++
	if err := models.LoadEnvelope(b, other, &m); !errors.Is(err, models.ErrOtherSpec) {
		t.Errorf("another spec gives %v", err)
	}
	other = id
	other.Schema++
	if err := models.LoadEnvelope(b, other, &m); !errors.Is(err, models.ErrOtherSchema) {
		t.Errorf("another schema gives %v", err)
	}
	newer := bytes.Clone(b)
	newer[4] = models.EnvelopeFormat + 1
	if err := models.LoadEnvelope(newer, id, &m); !errors.Is(err, models.ErrNewerFormat) {
		t.Errorf("a newer format gives %v", err)
	}
	short := models.SaveEnvelope(nil, id, &codecNothing{})
	if err := models.LoadEnvelope(short, id, &m); !errors.Is(err, codec.ErrDamaged) {
		t.Errorf("a payload of another model gives %v", err)
	}
}

type codecNothing struct{}

func (*codecNothing) State(*codec.State) {}

func FuzzOpenEnvelope(f *testing.F) {
	good := models.SaveEnvelope(nil, identity(), &constantModel{rate: 1})
	f.Add(good)
	f.Add(good[:40])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		id, payload, err := models.OpenEnvelope(b)
		if err != nil {
			return
		}
		again := models.SaveEnvelope(nil, id, rawState(payload))
		if !bytes.Equal(again, b) {
			t.Fatalf("opened and saved again, %x became %x", b, again)
		}
	})
}

type rawState []byte

func (r rawState) State(s *codec.State) {
	for i := range r {
		s.Byte(&r[i])
	}
}
