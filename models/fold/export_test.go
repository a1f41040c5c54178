package fold

import "github.com/freshet-ml/freshet/internal/codec"

// StateOfVersion1 is what builds saved that did not note when detectors spoke.
func (f *Fold) StateOfVersion1() []byte {
	s := codec.Saver(nil)
	s.Fixed("fold version", 1)
	f.state(s, 1)
	return s.Bytes()
}
