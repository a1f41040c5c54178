package frame

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// memLog is a log in memory; a nil record is a hole.
type memLog struct {
	records [][]byte
	first   int64
}

func (l *memLog) First(context.Context) (int64, error) { return l.first, nil }
func (l *memLog) End(context.Context) (int64, error)   { return int64(len(l.records)), nil }

func (l *memLog) Scan(_ context.Context, from, to int64, visit func(int64, []byte) error) error {
	if from < l.first {
		return fmt.Errorf("offset %d is cut", from)
	}
	for at := from; at < min(to, int64(len(l.records))); at++ {
		if l.records[at] == nil {
			continue
		}
		if err := visit(at, l.records[at]); err != nil {
			return err
		}
	}
	return nil
}

// session is one producing session in the simulation. It reads the input 0, 1, 2, … and gives out
// item i for input i.
type session struct {
	nonce  uint64
	chain  *Chain
	ledger *Ledger
	next   int64 // input
	wire   []flight
	acks   []flight
	over   bool
}

type flight struct {
	sent  Sent
	bytes []byte
	after int64 // input after the frame
	at    int64 // offset of the ack, -1 for an error
}

type belief struct {
	id ID
	at int64
}

// world is a log, its writers, and the state that a stage commits with a fence.
type world struct {
	draw     func(n int) int // 0 <= draw < n
	naive    bool            // control: what is acked counts
	log      memLog
	sessions []*session
	late     []flight // copies still in the network
	owner    uint64
	commit   int64
	beliefs  []belief
	nonces   uint64
}

func (w *world) run(steps int) error {
	for range steps {
		if err := w.step(); err != nil {
			return err
		}
	}
	return w.check()
}

func (w *world) step() error {
	if len(w.sessions) == 0 {
		return w.open()
	}
	s := w.sessions[w.draw(len(w.sessions))]
	switch n := w.draw(36); n {
	case 0:
		return w.open()
	case 33:
		hole := [][]byte{nil, []byte("not ours"), {}}[w.draw(3)]
		w.log.records = append(w.log.records, hole)
	case 34:
		if len(w.late) > 0 {
			w.land(w.late[w.draw(len(w.late))])
		}
	case 35:
		w.cut()
	default:
		switch n % 3 {
		case 0:
			w.emit(s)
		case 1:
			w.apply(s)
		case 2:
			return w.ack(s)
		}
	}
	return nil
}

// open starts a session as a stage does: claim, load, read the tail. Old ones go on as zombies.
func (w *world) open() error {
	t, err := ReadTail(context.Background(), &w.log)
	if err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	in, _ := t.Input("in")
	w.nonces++
	nonce := w.nonces
	w.owner = nonce
	if w.commit > in.Offset {
		return fmt.Errorf("lost: inputs %d to %d were committed and never counted", in.Offset, w.commit)
	}
	s := &session{nonce: nonce, next: in.Offset}
	s.chain = NewChain(nonce, &t, 0, 7, 1+w.draw(5))
	s.ledger = NewLedger(nonce, &t)
	if s.chain.NextSeq() != uint64(in.Offset) {
		return fmt.Errorf("tail has seq %d and input %d", s.chain.NextSeq(), in.Offset)
	}
	if len(w.sessions) == 3 {
		w.sessions = w.sessions[1:]
	}
	w.sessions = append(w.sessions, s)
	return nil
}

func (w *world) emit(s *session) {
	if s.over || len(s.wire)+len(s.acks) > 5 {
		return
	}
	var p Pack
	for range 1 + w.draw(3) {
		_, _ = p.Add(binary.AppendUvarint(nil, uint64(s.next)))
		s.next++
	}
	var f Frame
	s.chain.Seal(&f, &p, []Input{{"in", Position{Offset: s.next}}}, s.ledger.Anchor())
	b, err := f.Append(nil)
	if err != nil {
		panic(err)
	}
	s.wire = append(s.wire, flight{sent: Sent{f.ID, f.Prev, f.Full}, bytes: b, after: s.next})
}

func (w *world) land(f flight) int64 {
	w.log.records = append(w.log.records, f.bytes)
	return int64(len(w.log.records) - 1)
}

// apply lets the broker take a request: once, twice, with the reply lost, or not at all.
func (w *world) apply(s *session) {
	if len(s.wire) == 0 {
		return
	}
	i := 0
	if w.draw(24) == 0 {
		i = w.draw(len(s.wire)) // out of order
	}
	f := s.wire[i]
	s.wire = slices.Delete(s.wire, i, i+1)
	if w.draw(4) == 0 {
		w.late = append(w.late, f)
	}
	switch w.draw(24) {
	case 0:
		f.at = -1
	case 1:
		w.land(f)
		f.at = -1
	case 2:
		w.land(f)
		f.at = w.land(f)
	case 3:
		f.at = w.land(f)
		w.land(f)
	default:
		f.at = w.land(f)
	}
	s.acks = append(s.acks, f)
}

func (w *world) ack(s *session) error {
	if s.over || len(s.acks) == 0 {
		return nil
	}
	f := s.acks[0]
	s.acks = s.acks[1:]
	if w.naive {
		s.over = f.at < 0
	} else {
		if f.at >= 0 && s.ledger.judge.Next() < w.log.first {
			f.at = -1 // what lies between was cut: reading it fails
		}
		err := s.ledger.Ack(context.Background(), f.sent, f.at, &w.log)
		if err != nil && !errors.Is(err, ErrVoid) {
			return err
		}
		s.over = err != nil
	}
	if s.over {
		return nil
	}
	w.beliefs = append(w.beliefs, belief{f.sent.ID, f.at})
	if w.owner == s.nonce {
		w.commit = max(w.commit, f.after)
	}
	return nil
}

// cut removes a part of the head, as retention does, but leaves something to judge by.
func (w *world) cut() {
	was := w.log.first
	w.log.first += int64(w.draw(int(int64(len(w.log.records)) - was + 1)))
	if _, err := Start(context.Background(), &w.log); errors.Is(err, ErrCut) {
		w.log.first = was
	}
}

type counted struct {
	id    ID
	prev  ID
	at    int64
	first uint64
	n     int
}

func readFrom(l *memLog, at Position) ([]counted, error) {
	var out []counted
	j := NewJudge(at)
	err := l.Scan(context.Background(), at.Offset, int64(len(l.records)), func(offset int64, b []byte) error {
		f, err := decode(offset, b)
		if err != nil {
			return err
		}
		ok, err := j.Feed(offset, f)
		if ok {
			out = append(out, counted{f.ID, f.Prev, offset, f.FirstSeq, f.Count})
		}
		return err
	})
	return out, err
}

func (w *world) check() error {
	whole := memLog{records: w.log.records}
	truth, err := readFrom(&whole, Position{})
	if err != nil {
		return err
	}
	var seq uint64
	at := map[ID]int64{}
	for _, c := range truth {
		if c.first != seq {
			return fmt.Errorf("frame %v begins with item %d, want %d", c.id, c.first, seq)
		}
		if _, twice := at[c.id]; twice {
			return fmt.Errorf("frame %v counts twice", c.id)
		}
		at[c.id] = c.at
		seq += uint64(c.n)
	}
	if w.commit > int64(seq) {
		return fmt.Errorf("lost: committed up to %d, counted up to %d", w.commit, seq)
	}
	for _, b := range w.beliefs {
		if _, ok := at[b.id]; !ok {
			return fmt.Errorf("writer believes in %v, which is void", b.id)
		}
	}
	return w.checkReaders(truth, seq)
}

// checkReaders starts a reader at every place that a stored position can name, and at the cut head.
func (w *world) checkReaders(truth []counted, seq uint64) error {
	for i, c := range truth {
		if c.at < w.log.first {
			continue
		}
		for _, start := range []struct {
			at   Position
			want []counted
		}{
			{Position{c.at, 0, c.prev}, truth[i:]},
			{Position{c.at, 1, c.id}, truth[i:]},
			{Position{c.at + 1, 0, c.id}, truth[i+1:]},
		} {
			got, err := readFrom(&w.log, start.at)
			if err != nil || !slices.Equal(got, start.want) {
				return fmt.Errorf("reader from %+v: %v, %v; want %v", start.at, got, err, start.want)
			}
		}
	}
	start, err := Start(context.Background(), &w.log)
	if err != nil {
		return err
	}
	got, err := readFrom(&w.log, start)
	if err != nil || len(got) > len(truth) || !slices.Equal(got, truth[len(truth)-len(got):]) {
		return fmt.Errorf("reader from the head %+v: %v, %v; want a suffix of %v", start, got, err, truth)
	}
	t, err := ReadTail(context.Background(), &w.log)
	in, _ := t.Input("in")
	if err != nil || t.NextSeq != seq || in.Offset != int64(seq) || t.End != int64(len(w.log.records)) {
		return fmt.Errorf("tail %+v, %v; want seq %d", t, err, seq)
	}
	if n := len(truth); n > 0 && (t.Last != truth[n-1].id || t.Offset != truth[n-1].at) {
		return fmt.Errorf("tail %+v, want %+v", t, truth[n-1])
	}
	return nil
}

func TestAllReadersAgreeUnderAnyInterleaving(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{draw: func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "d") }}
		if err := w.run(rapid.IntRange(1, 120).Draw(t, "steps")); err != nil {
			t.Fatal(err)
		}
	})
}

func seeded(seed uint64, naive bool) *world {
	r := rand.New(rand.NewPCG(seed, 1))
	return &world{draw: r.IntN, naive: naive}
}

// The same schedules, judged and unjudged: the control shows that they are hard enough.
func TestAckedIsNotCounted(t *testing.T) {
	const seeds = 400
	lost, doubled, frames := 0, 0, 0
	for seed := range uint64(seeds) {
		w := seeded(seed, false)
		if err := w.run(200); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		frames += len(w.beliefs)
		if doubles(w.log.records) {
			doubled++
		}
		if seeded(seed, true).run(200) != nil {
			lost++
		}
	}
	t.Logf("of %d schedules %d lose items when acked means counted, %d double them when every record counts; %d frames known to count", seeds, lost, doubled, frames)
	if lost < seeds/10 || doubled < seeds/10 || frames < 10*seeds {
		t.Errorf("the schedules are too tame: %d lost, %d doubled, %d frames", lost, doubled, frames)
	}
}

// doubles reports whether a reader that takes every frame would see an item twice.
func doubles(records [][]byte) bool {
	seen := map[uint64]bool{}
	for _, b := range records {
		var f Frame
		if f.Decode(b) != nil {
			continue
		}
		for i := range uint64(f.Count) {
			if seen[f.FirstSeq+i] {
				return true
			}
			seen[f.FirstSeq+i] = true
		}
	}
	return false
}
