package frame

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample() Frame {
	var p Pack
	for _, item := range []string{"first", "", "third"} {
		if ok, err := p.Add([]byte(item)); !ok || err != nil {
			panic("sample item")
		}
	}
	return Frame{
		ID: ID{0x1122334455667788, 3}, Prev: ID{0x1122334455667788, 2},
		Anchor: Anchor{Offset: 300, ID: ID{0x99, 7}}, Shard: 1, Generation: 0xabcdef, FirstSeq: 1000, Full: true,
		Before: []Input{{"events", Position{Offset: 4, Index: 2, Last: ID{5, 6}}}, {"flights/0", Position{Offset: 9}}},
		After:  []Input{{"events", Position{Offset: 5, Last: ID{5, 7}}}, {"flights/0", Position{Offset: 12}}},
		Count:  p.Len(), Items: p.buf,
	}
}

// The bytes are what lies on brokers: they change only with Version.
func TestGoldenBytes(t *testing.T) {
	const want = "46584601ceb7aa24" + "01" + // magic, version, checksum, flags
		"8877665544332211" + "03" + "8877665544332211" + "02" + // id, prev
		"ad02" + "9900000000000000" + "07" + // anchor
		"01" + "efcdab0000000000" + "e807" + // shard, generation, first seq
		"02" + "06" + "6576656e7473" + "03" + "05" + "02" + "0500000000000000" + "06" + // before
		"09" + "666c69676874732f30" + "00" + "0a" +
		"02" + "06" + "6576656e7473" + "02" + "06" + "0500000000000000" + "07" + // after
		"09" + "666c69676874732f30" + "00" + "0d" +
		"03" + "05" + "6669727374" + "00" + "05" + "7468697264" // items
	f := sample()
	b, err := f.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("frame encodes as\n%s, want\n%s", got, want)
	}
	var back Frame
	if err := back.Decode(b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(f, back); d != "" {
		t.Errorf("decoded (-want +got):\n%s", d)
	}
	var items []string
	for it := back.Each(); it.Next(); {
		items = append(items, string(it.Item()))
	}
	if d := cmp.Diff([]string{"first", "", "third"}, items); d != "" {
		t.Errorf("items (-want +got):\n%s", d)
	}
	it := back.Each()
	if it.Skip(2); !it.Next() || string(it.Item()) != "third" || it.Next() {
		t.Error("skipping two items does not leave the third")
	}
}

func TestDecodeRefusesEveryFlippedBitAndCut(t *testing.T) {
	f := sample()
	good, _ := f.Append(nil)
	for i := range len(good) * 8 {
		b := bytes.Clone(good)
		b[i/8] ^= 1 << (i % 8)
		if err := new(Frame).Decode(b); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrForeign) {
			t.Fatalf("bit %d flipped: %v", i, err)
		}
	}
	for n := range len(good) {
		if err := new(Frame).Decode(good[:n]); err == nil {
			t.Fatalf("cut to %d bytes: no error", n)
		}
	}
}

func TestLimits(t *testing.T) {
	var p Pack
	if ok, err := p.Add(make([]byte, MaxItem)); !ok || err != nil {
		t.Fatalf("greatest item: %v, %v", ok, err)
	}
	if _, err := p.Add(make([]byte, MaxItem+1)); !errors.Is(err, ErrTooBig) {
		t.Errorf("item above the limit: %v", err)
	}
	if ok, err := p.Add([]byte{1}); ok || err != nil {
		t.Errorf("item into a full frame: %v, %v; want it left out", ok, err)
	}
	f := Frame{ID: ID{1, 1}, Count: 1, Items: p.buf, Before: make([]Input, 100)}
	for i := range f.Before {
		f.Before[i].Name = string(bytes.Repeat([]byte{'n'}, MaxName))
	}
	b, err := f.Append(nil)
	if err != nil || len(b) > MaxSize || new(Frame).Decode(b) != nil {
		t.Errorf("fullest frame: %d bytes, %v", len(b), err)
	}
	f.After, f.Before = append(f.Before, f.Before...), append(f.Before, f.Before...)
	if _, err := f.Append(nil); !errors.Is(err, ErrTooBig) {
		t.Errorf("header above the limit: %v", err)
	}
}

func TestJudge(t *testing.T) {
	id := func(n uint64) ID { return ID{1, n} }
	counts := func(f Frame) bool { return f.Full } // Full marks what the table expects
	for name, records := range map[string][]Frame{
		"chain":      {{ID: id(1), Full: true}, {ID: id(2), Prev: id(1), Full: true}},
		"duplicate":  {{ID: id(1), Full: true}, {ID: id(1)}, {ID: id(2), Prev: id(1), Full: true}, {ID: id(2), Prev: id(1)}},
		"two heads":  {{ID: id(1), Full: true}, {ID: ID{2, 1}}, {ID: ID{2, 2}, Prev: ID{2, 1}}},
		"swapped":    {{ID: id(2), Prev: id(1)}, {ID: id(1), Full: true}, {ID: id(2), Prev: id(1), Full: true}},
		"zombie":     {{ID: id(1), Full: true}, {ID: ID{2, 1}, Prev: id(1), Full: true}, {ID: id(2), Prev: id(1)}},
		"own anchor": {{ID: id(1), Full: true}, {ID: id(2), Prev: id(1), Anchor: Anchor{0, id(1)}, Full: true}},
	} {
		j := NewJudge(Position{})
		for at, f := range records {
			if got, err := j.Feed(int64(at), &f); got != counts(f) || err != nil {
				t.Errorf("%s: frame %v at %d counts: %v, %v", name, f.ID, at, got, err)
			}
		}
	}
}

// A log that was truncated and written anew must not be passed over as void for ever.
func TestJudgeNoticesAnotherLog(t *testing.T) {
	at := Position{Offset: 10, Last: ID{1, 9}}
	for name, feed := range map[string]func(j *Judge) error{
		"anchor beyond": func(j *Judge) error {
			_, err := j.Feed(12, &Frame{ID: ID{3, 2}, Prev: ID{3, 1}, Anchor: Anchor{11, ID{3, 1}}})
			return err
		},
		"other frame at the place of the last": func(j *Judge) error {
			if ok, err := j.Feed(10, &Frame{ID: ID{1, 10}, Prev: ID{1, 9}}); !ok || err != nil {
				t.Fatalf("next frame: %v, %v", ok, err)
			}
			_, err := j.Feed(11, &Frame{ID: ID{3, 2}, Prev: ID{3, 1}, Anchor: Anchor{10, ID{3, 1}}})
			return err
		},
		"offset goes back": func(j *Judge) error {
			_, err := j.Feed(9, nil)
			return err
		},
	} {
		j := NewJudge(at)
		if err := feed(&j); !errors.Is(err, ErrDiverged) {
			t.Errorf("%s: %v, want %v", name, err, ErrDiverged)
		}
	}
	in := NewJudge(Position{Offset: 10, Index: 3, Last: ID{1, 9}})
	if _, err := in.Feed(10, &Frame{ID: ID{3, 9}}); !errors.Is(err, ErrDiverged) {
		t.Errorf("another frame under a position inside one: %v", err)
	}
	if err := in.Pass(11); !errors.Is(err, ErrDiverged) {
		t.Errorf("hole under a position inside a frame: %v", err)
	}
}

func TestTailOfACutLog(t *testing.T) {
	ctx := context.Background()
	log := memLog{first: 5, records: make([][]byte, 8)}
	if _, err := ReadTail(ctx, &log); !errors.Is(err, ErrCut) {
		t.Errorf("nothing left: %v, want %v", err, ErrCut)
	}
	empty, err := ReadTail(ctx, &memLog{records: make([][]byte, 3)})
	if d := cmp.Diff(Tail{Offset: -1, End: 3}, empty); err != nil || d != "" {
		t.Errorf("new log with holes: %v (-want +got):\n%s", err, d)
	}
	f := sample()
	f.Anchor = Anchor{Offset: 6, ID: ID{0x99, 7}}
	log.records[7], _ = f.Append(nil)
	if _, err := ReadTail(ctx, &log); !errors.Is(err, ErrDiverged) {
		t.Errorf("anchor at a hole: %v, want %v", err, ErrDiverged)
	}
}

func TestChainWritesFullPositionsAndChanges(t *testing.T) {
	c := NewChain(9, &Tail{Last: ID{4, 4}, NextSeq: 7, Inputs: []Input{{"a", Position{Offset: 1}}, {"b", Position{Offset: 2}}}}, 2, 5, 2)
	var p Pack
	_, _ = p.Add([]byte("x"))
	var got []Frame
	for i := range int64(3) {
		var f Frame
		c.Seal(&f, &p, []Input{{"b", Position{Offset: 3 + i}}}, Anchor{})
		f.Before, f.After = append([]Input(nil), f.Before...), append([]Input(nil), f.After...)
		got = append(got, f)
	}
	a := Input{"a", Position{Offset: 1}}
	b := func(n int64) Input { return Input{"b", Position{Offset: n}} }
	items := []byte{1, 'x'}
	want := []Frame{
		{ID: ID{9, 1}, Prev: ID{4, 4}, Shard: 2, Generation: 5, FirstSeq: 7, Full: true, Before: []Input{a, b(2)}, After: []Input{a, b(3)}, Count: 1, Items: items},
		{ID: ID{9, 2}, Prev: ID{9, 1}, Shard: 2, Generation: 5, FirstSeq: 8, Before: []Input{b(3)}, After: []Input{b(4)}, Count: 1, Items: items},
		{ID: ID{9, 3}, Prev: ID{9, 2}, Shard: 2, Generation: 5, FirstSeq: 9, Full: true, Before: []Input{a, b(4)}, After: []Input{a, b(5)}, Count: 1, Items: items},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("frames (-want +got):\n%s", d)
	}
}

func TestIteratingAllocatesNothing(t *testing.T) {
	f := sample()
	b, _ := f.Append(nil)
	var back Frame
	if err := back.Decode(b); err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(100, func() {
		if back.Decode(b) != nil {
			t.Fatal("decode")
		}
		for it := back.Each(); it.Next(); {
			if it.Item() == nil {
				t.Fatal("no item")
			}
		}
	})
	if n != 0 {
		t.Errorf("decoding into used memory and iterating allocates %v times", n)
	}
}

func FuzzDecode(f *testing.F) {
	s := sample()
	good, _ := s.Append(nil)
	f.Add(good)
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= prefix { // let the fuzzer past the checksum
			b = bytes.Clone(b)
			fix(b)
		}
		var v Frame
		if v.Decode(b) != nil {
			return
		}
		n := 0
		for it := v.Each(); it.Next(); {
			n++
		}
		if n != v.Count {
			t.Fatalf("%d items, header says %d", n, v.Count)
		}
		again, err := v.Append(nil)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("encoded again: %x, %v; was %x", again, err, b)
		}
	})
}

func FuzzPosition(f *testing.F) {
	f.Add(Position{Offset: 5, Index: 3, Last: ID{7, 8}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePosition(b)
		if err == nil && !bytes.Equal(p.Append(nil), b) {
			t.Fatalf("position %+v of %x encodes as %x", p, b, p.Append(nil))
		}
	})
}

func BenchmarkDecode1000Items(b *testing.B) {
	var p Pack
	for range 1000 {
		_, _ = p.Add(make([]byte, 100))
	}
	f := Frame{ID: ID{1, 1}, Count: p.count, Items: p.buf}
	rec, _ := f.Append(nil)
	b.SetBytes(int64(len(rec)))
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Decode(rec); err != nil {
			b.Fatal(err)
		}
		for it := f.Each(); it.Next(); {
			_ = it.Item()
		}
	}
}

// fix writes the checksum that b should have.
func fix(b []byte) {
	binary.LittleEndian.PutUint32(b[len(magic)+1:], crc32.Checksum(b[prefix:], castagnoli))
}
