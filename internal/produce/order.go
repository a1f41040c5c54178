package produce

import (
	"errors"
	"io"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
)

// InOrder makes a Stream of a function that gives records whose event times never go back. Next returns
// io.EOF after the last one. Tables then end with everything else.
func InOrder(next func(rec *Record) error) Stream { return &inOrder{next: next, at: features.NoTime} }

type inOrder struct {
	next func(rec *Record) error
	at   int64
}

func (s *inOrder) Next(rec *Record) error {
	err := s.next(rec)
	switch {
	case err == nil:
		s.at = rec.Time
	case errors.Is(err, io.EOF):
		s.at = ingest.NoMoreTime
	}
	return err
}

func (s *inOrder) Mark(int) int64 { return s.at }
