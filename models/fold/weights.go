package fold

import (
	"fmt"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
)

// weightsVersion is the version of the state of Weights.
const weightsVersion = 1

// Keep drops all members but the named ones, and the comparison of distributions: for who restores the state of a whole
// trigger and goes on with what it serves. Names that the fold does not have are passed over.
func (f *Fold) Keep(names ...string) {
	f.members = slices.DeleteFunc(f.members, func(m *member) bool { return !slices.Contains(names, m.spec.Name) })
	f.columns = nil
}

// Weights saves what the named member needs to answer, without pending answers and scores, so that a server can load it
// instead of folding the log. It reports false, and saves nothing, when there is no such member or its guard holds it.
func (f *Fold) Weights(s *codec.State, name string) bool {
	m := f.find(name)
	if m == nil || !m.guard.holds() {
		return false
	}
	m.weights(s)
	return true
}

// weights visits the weights of a member: version, name, fingerprint, learner, newest entry, labels learned, newest event time
// of a label, frozen.
func (m *member) weights(s *codec.State) {
	s.Fixed("weights version", weightsVersion)
	name, print := m.spec.Name, m.spec.Fingerprint
	s.Text(&name)
	s.Uint64(&print)
	if s.Loading() && (name != m.spec.Name || print != m.spec.Fingerprint) {
		s.Fail("weights of model %q with another pipeline than %q", name, m.spec.Name)
		return
	}
	m.learner.State(s)
	s.Uint64(&m.seq)
	s.Uint64(&m.learned)
	s.Int64(&m.until)
	s.Bool(&m.frozen)
}

// LoadWeights reads what Weights saved, from the place where s stands, and returns the version with the SHA-256 of its weights,
// which is that of Fold.Hashes. union is the schema of the trigger's vector. Errors leave nothing behind.
func LoadWeights(s *codec.State, union *features.Schema, spec *Member) (*Snapshot, string, error) {
	m, err := newMember(spec, union)
	if err != nil {
		return nil, "", fmt.Errorf("model %s: %w", spec.Name, err)
	}
	m.weights(s)
	if err := s.Close(); err != nil {
		return nil, "", fmt.Errorf("model %s: %w", spec.Name, err)
	}
	p, err := m.publish()
	if err != nil {
		return nil, "", fmt.Errorf("model %s: publish: %w", spec.Name, err)
	}
	w := codec.Saver(nil)
	m.learner.State(w)
	hash := sum(w.Bytes())
	return &Snapshot{Model: m.spec, Predictor: p, Seq: m.seq, Until: m.until, Learned: m.learned, Frozen: m.frozen}, hash, nil
}
