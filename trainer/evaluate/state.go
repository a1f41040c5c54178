package evaluate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
)

// A state file holds what --save wrote: magic "FRSV", version u32, length of the header u32, the header as JSON, the model's envelope
// (models.SaveEnvelope), SHA-256 of all before. Numbers are little endian.
const (
	stateVersion  = 1
	maxHeader     = 1 << 28
	stateOverhead = 4 + 4 + 4 + sha256.Size
)

var stateMagic = []byte("FRSV")

// ErrNewerState is what loading a state of a later version wraps.
var ErrNewerState = errors.New("state file has a newer version")

// header says what the state of a file was learned from.
type header struct {
	Model   string        `json:"model"` // the spec as it was written
	Task    string        `json:"task"`
	Classes []string      `json:"classes,omitempty"`
	Columns []savedColumn `json:"columns"`
	Learned int64         `json:"learned"` // labels
}

type savedColumn struct {
	Name        string `json:"name"`
	Categorical bool   `json:"categorical,omitempty"`
	Text        bool   `json:"text,omitempty"`
}

func (h *header) schema() *features.Schema {
	s := &features.Schema{}
	for _, c := range h.Columns {
		kind := features.Numeric
		if c.Categorical {
			kind = features.Categorical
		}
		if c.Text {
			kind = features.Text
		}
		s.Columns = append(s.Columns, features.Column{Name: c.Name, Kind: kind})
	}
	return s
}

// saved is a loaded state file.
type saved struct {
	header
	envelope []byte
}

// SavedModel returns the spec of the model whose state a file of --save holds.
func SavedModel(path string) (string, error) {
	s, err := readState(path)
	if err != nil {
		return "", err
	}
	return s.Model, nil
}

func readState(path string) (*saved, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	s, err := openState(b)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	return s, nil
}

// openState checks the bytes of a state file. Errors wrap ErrNewerState or codec.ErrDamaged.
func openState(b []byte) (*saved, error) {
	damaged := func(what string) error {
		return fmt.Errorf("%w: %s: copy it again, or train again and --save", codec.ErrDamaged, what)
	}
	if len(b) < stateOverhead || !bytes.HasPrefix(b, stateMagic) {
		return nil, damaged("the file was not written by --save")
	}
	if v := binary.LittleEndian.Uint32(b[4:]); v > stateVersion {
		return nil, fmt.Errorf("%w: %d, this build reads up to %d: use a newer build", ErrNewerState, v, stateVersion)
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if want := sha256.Sum256(body); !bytes.Equal(sum, want[:]) {
		return nil, damaged("its checksum does not match")
	}
	n := binary.LittleEndian.Uint32(b[8:])
	if n > maxHeader || int(n) > len(body)-12 {
		return nil, damaged("its header is cut short")
	}
	s := &saved{envelope: body[12+n:]}
	if err := json.Unmarshal(body[12:12+n], &s.header); err != nil {
		return nil, damaged("its header is no JSON")
	}
	task, ok := models.ParseTask(s.Task)
	if !ok || len(s.Columns) == 0 || len(s.Columns) > maxColumns || models.AnswerLen(task, 2) == 0 || task != models.Regression && (len(s.Classes) < 2 || len(s.Classes) > maxClasses) {
		return nil, damaged("its header is incomplete")
	}
	return s, nil
}

// identity is what a state must belong to.
func identity(spec models.Spec, env models.Env) (models.Identity, error) {
	p, err := catalog.Resolve(spec, env.Task)
	if err != nil {
		return models.Identity{}, err
	}
	return models.Identity{Spec: p.Fingerprint(), Schema: env.Schema.ID()}, nil
}

// load fills the first model from the state.
func (r *run) load(s *saved, env models.Env) error {
	id, err := identity(r.o.Spec, env)
	if err != nil {
		return err
	}
	if err := models.LoadEnvelope(s.envelope, id, r.runners[0].learner); err != nil {
		if errors.Is(err, models.ErrOtherSpec) {
			return fmt.Errorf("load %s: the state is one of the model %s: give the same --model, or none", r.o.Load, s.Model)
		}
		return fmt.Errorf("load %s: %w", r.o.Load, err)
	}
	return nil
}

// save writes the state of the first model, by way of a second file so that what was there stays until all is written.
func (r *run) save(env models.Env, learned int64) error {
	id, err := identity(r.o.Spec, env)
	if err != nil {
		return err
	}
	h := header{Model: r.specText(), Task: env.Task.String(), Classes: r.table.labels, Learned: learned}
	for _, c := range env.Schema.Columns {
		h.Columns = append(h.Columns, savedColumn{c.Name, c.Kind == features.Categorical, c.Kind == features.Text})
	}
	head, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("save %s: %w", r.o.Save, err)
	}
	b := binary.LittleEndian.AppendUint32(bytes.Clone(stateMagic), stateVersion)
	b = append(binary.LittleEndian.AppendUint32(b, uint32(len(head))), head...)
	b = models.SaveEnvelope(b, id, r.runners[0].learner)
	sum := sha256.Sum256(b)
	if err := replaceFile(r.o.Save, append(b, sum[:]...)); err != nil {
		return fmt.Errorf("save %s: %w", r.o.Save, err)
	}
	return nil
}

// specText is the spec of the first model; of an @file its contents, which may have changed when the state is loaded.
func (r *run) specText() string {
	if path, ok := strings.CutPrefix(r.o.Model, "@"); ok {
		if b, err := os.ReadFile(path); err == nil {
			return strings.TrimSpace(string(b))
		}
	}
	return r.modelName()
}

func replaceFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".freshet-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
