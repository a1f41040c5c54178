package forecasts

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/internal/spelling"
)

// A file of states holds what --save wrote: magic "FRSS", version u32, length of the header u32, the header as JSON; then for each series the length of its key u32, the key, the count
// of its first step i64, its newest step i64, the length of its state u32, the state; then length 0xffffffff; SHA-256 of all before. Numbers are little endian.
const (
	statesVersion = 1
	endOfStates   = math.MaxUint32
	maxHeader     = 1 << 20
	maxStates     = 4 << 30 // bytes that are read
	maxKey        = 1 << 16
	maxState      = 1 << 28
)

var statesMagic = []byte("FRSS")

// ErrNewerStates is what loading states of a later version wraps.
var ErrNewerStates = errors.New("file of states has a newer version")

// header says what the states were learned with.
type header struct {
	Model      string   `json:"model"`       // the spec as it was written
	Identity   string   `json:"fingerprint"` // of the spec with its defaults
	Seasons    []int    `json:"seasons"`
	Horizon    int      `json:"horizon"`
	Regressors []string `json:"regressors"`
	Seed       uint64   `json:"seed"`
	Kind       scaleOf  `json:"time"`
	Step       int64    `json:"step"`
	Snap       bool     `json:"snap"`
	Zone       string   `json:"zone"`
}

func (r *run) header() *header {
	h := &header{Model: r.o.modelName(), Identity: hex.EncodeToString(r.members[0].identity[:]), Seasons: append([]int{}, r.o.seasons()...), Horizon: r.o.Horizon, Regressors: append([]string{}, r.o.Regressors...),
		Seed: r.o.Seed, Kind: r.data.grid.kind, Step: r.data.grid.step, Snap: r.data.grid.snap}
	if r.o.Zone != nil {
		h.Zone = r.o.Zone.String()
	}
	return h
}

// loaded are the states of a file.
type loaded struct {
	path   string
	header header
	series map[string]savedSeries
	order  []string
}

type savedSeries struct {
	base, at int64
	state    []byte
}

// SavedModel returns the spec of the model whose states a file of --save holds.
func SavedModel(path string) (string, error) {
	l, err := readStates(path)
	if err != nil {
		return "", err
	}
	return l.header.Model, nil
}

func readStates(path string) (*loaded, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxStates {
		return nil, fmt.Errorf("load %s: %d bytes, at most %d are read: save fewer series", path, info.Size(), int64(maxStates))
	}
	l, err := parseStates(f)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	l.path = path
	return l, nil
}

// statesReader reads and hashes.
type statesReader struct {
	in   *bufio.Reader
	hash hash.Hash
	err  error
}

func (r *statesReader) bytes(n int) []byte {
	if r.err != nil {
		return nil
	}
	var b bytes.Buffer // grows with what is there, not with what a damaged length says
	if _, err := io.CopyN(&b, r.in, int64(n)); err != nil {
		r.err = err
		return nil
	}
	r.hash.Write(b.Bytes())
	return b.Bytes()
}

func (r *statesReader) u32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *statesReader) i64() int64 {
	if b := r.bytes(8); b != nil {
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// parseStates checks all bytes of a file. Errors wrap ErrNewerStates or codec.ErrDamaged.
func parseStates(in io.Reader) (*loaded, error) {
	damaged := func(what string) error {
		return fmt.Errorf("%w: %s: copy it again, or train again and --save", codec.ErrDamaged, what)
	}
	r := &statesReader{in: bufio.NewReaderSize(in, 1<<16), hash: sha256.New()}
	if magic := r.bytes(4); !bytes.Equal(magic, statesMagic) {
		return nil, damaged("the file was not written by --save of forecasts")
	}
	if v := r.u32(); v > statesVersion {
		return nil, fmt.Errorf("%w: %d, this build reads up to %d: use a newer build", ErrNewerStates, v, statesVersion)
	}
	n := r.u32()
	if r.err != nil || n > maxHeader {
		return nil, damaged("its header is cut short")
	}
	l := &loaded{series: map[string]savedSeries{}}
	if err := json.Unmarshal(r.bytes(int(n)), &l.header); err != nil || l.header.Step < 1 || l.header.Kind > byMonth || l.header.Horizon < 1 {
		return nil, damaged("its header is no JSON of states")
	}
	for r.err == nil {
		length := r.u32()
		if length == endOfStates {
			break
		}
		if length > maxKey || len(l.series) == MaxSeries {
			return nil, damaged("a key is too long, or there are too many")
		}
		key := string(r.bytes(int(length)))
		s := savedSeries{base: r.i64(), at: r.i64()}
		size := r.u32()
		if size > maxState {
			return nil, damaged("a state is too long")
		}
		s.state = r.bytes(int(size))
		if _, twice := l.series[key]; twice || s.at < 0 {
			return nil, damaged("a key is there twice, or has no place")
		}
		l.series[key], l.order = s, append(l.order, key)
	}
	want := r.hash.Sum(nil)
	sum := r.bytes(sha256.Size)
	if _, err := r.in.ReadByte(); r.err != nil || err != io.EOF || !bytes.Equal(sum, want) {
		return nil, damaged("its checksum does not match")
	}
	return l, nil
}

// join sets the series of the data behind their loaded states.
func (r *run) join() error {
	if r.states == nil {
		return nil
	}
	l, d := r.states, r.data
	mine, theirs := *r.header(), l.header
	switch {
	case mine.Identity != theirs.Identity:
		return fmt.Errorf("load %s: the states are those of the model %s: give the same --model, or none", l.path, theirs.Model)
	case fmt.Sprint(mine.Seasons, mine.Horizon, mine.Regressors, mine.Seed) != fmt.Sprint(theirs.Seasons, theirs.Horizon, theirs.Regressors, theirs.Seed):
		return fmt.Errorf("load %s: it was saved with seasons %v, horizon %d, regressors %v, seed %d: give the same", l.path, theirs.Seasons, theirs.Horizon, theirs.Regressors, theirs.Seed)
	case mine.Kind != theirs.Kind || mine.Step != theirs.Step || mine.Snap != theirs.Snap || mine.Zone != theirs.Zone:
		g := grid{kind: theirs.Kind, step: theirs.Step}
		return fmt.Errorf("load %s: its steps are %s, and those of the data %s, or times are read otherwise: give --step %s, and the same --time, --zone and --snap", l.path, g.describe(), d.grid.describe(), g.describe())
	}
	for _, s := range d.series {
		if saved, ok := l.series[s.key]; ok && len(s.points) > 0 {
			if err := d.behind(s, saved); err != nil {
				return fmt.Errorf("load %s: %w", l.path, err)
			}
		}
	}
	return nil
}

// behind moves a series behind the newest step of its state.
func (d *data) behind(s *series, saved savedSeries) error {
	shift := saved.at + 1 // without times the rows follow those that were learned
	if d.grid.kind != byPlace {
		slot, fits := d.grid.slot(s.base, saved.base)
		if !fits {
			return fmt.Errorf("key %q: its times do not fit steps of %s from %s, the first of the state", s.key, d.grid.describe(), d.grid.text(0, saved.base))
		}
		if shift = slot; slot <= saved.at {
			return fmt.Errorf("key %q: its first time %s is not after %s, the newest of the state: give a file with what comes after", s.key, d.grid.text(0, s.base), d.grid.text(saved.at, saved.base))
		}
	}
	for i := range s.points {
		s.points[i].t += shift
	}
	s.base, s.before, s.loaded = saved.base, saved.at, true
	return nil
}

// resume fills the first model's series from its loaded state.
func (b *block) resume(s *series) error {
	if b.run.states == nil {
		return nil
	}
	saved, ok := b.run.states.series[s.key]
	if !ok {
		return nil
	}
	v := codec.Loader(saved.state)
	b.lanes[0].series.State(v)
	if err := v.Close(); err != nil {
		return fmt.Errorf("load %s: key %q: %w", b.run.states.path, s.key, err)
	}
	for i := range b.lanes { // others begin at the first row of this file
		b.lanes[i].at = saved.at
		if i > 0 && len(s.points) > 0 {
			b.lanes[i].at = s.points[0].t - 1
		}
	}
	return nil
}

// saver writes states by way of a second file, so that what was there stays until all is written. nil writes nothing.
type saver struct {
	path string
	file *os.File
	out  *bufio.Writer
	hash hash.Hash
}

func newSaver(r *run) (*saver, error) {
	if r.o.Save == "" {
		return nil, nil
	}
	f, err := os.CreateTemp(filepath.Dir(r.o.Save), ".freshet-*")
	if err != nil {
		return nil, fmt.Errorf("save: %w", err)
	}
	s := &saver{path: r.o.Save, file: f, out: bufio.NewWriterSize(f, 1<<16), hash: sha256.New()}
	head, err := json.Marshal(r.header())
	if err != nil {
		return nil, fmt.Errorf("save: %w", err)
	}
	b := binary.LittleEndian.AppendUint32(bytes.Clone(statesMagic), statesVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(head)))
	return s, s.write(append(b, head...))
}

func (s *saver) write(b []byte) error {
	if s == nil {
		return nil
	}
	s.hash.Write(b)
	if _, err := s.out.Write(b); err != nil {
		return fmt.Errorf("save %s: %w", s.path, err)
	}
	return nil
}

func appendState(dst []byte, key string, base, at int64, state []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(key)))
	dst = append(dst, key...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(base))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(at))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(state)))
	return append(dst, state...)
}

// close writes the loaded states of keys that the data does not have, and the end.
func (s *saver) close(r *run) error {
	if s == nil {
		return nil
	}
	if r.states != nil {
		for _, key := range r.states.order {
			if one := r.data.index[key]; one != nil && len(one.points) > 0 {
				continue
			}
			saved := r.states.series[key]
			if err := s.write(appendState(nil, key, saved.base, saved.at, saved.state)); err != nil {
				return err
			}
		}
	}
	if err := s.write(binary.LittleEndian.AppendUint32(nil, endOfStates)); err != nil {
		return err
	}
	_, err := s.out.Write(s.hash.Sum(nil))
	if err == nil {
		err = s.out.Flush()
	}
	if closing := s.file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(s.file.Name(), s.path)
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", s.path, err)
	}
	s.file = nil
	return nil
}

// abandon removes what was written before a failure.
func (s *saver) abandon() {
	if s != nil && s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
	}
}

// unknownKey is the error of a key that is to be drawn.
func unknownKey(d *data, key string) error {
	keys := make([]string, 0, min(len(d.series), 10_000))
	for _, s := range d.series[:cap(keys)] {
		keys = append(keys, s.key)
	}
	near := spelling.DidYouMean(key, keys)
	if near == "" {
		near = "the file has " + plainList(keys, 10)
	}
	return fmt.Errorf("plot-key: there is no key %q: %s", key, near)
}
