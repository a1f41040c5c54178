package worker

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/features/ingest"
)

// refuse counts a refusal and sends its record to the dead letters, if there is a topic for them.
func (s *sequencing) refuse(ctx context.Context, d *ingest.Decision) {
	s.refused++
	if s.o.DeadLetters == "" || d.Record == nil {
		return
	}
	spec := &s.o.Ingest.Sources[d.Record.Source]
	key, value, headers := ingest.DeadLetter(d.Record, spec, d.Refusal, s.o.Secret)
	r := &kgo.Record{Topic: s.o.DeadLetters, Partition: -1, Key: key, Value: value, Timestamp: time.UnixMilli(d.Record.Timestamp)}
	for _, h := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	cutLetter(r)
	s.dead.Send(ctx, r)
	s.letters++
}

// MaxLetter bounds the bytes of a batch in the dead-letter topic. A record above it is cut there; whole it lies in
// its source, where the letter's headers say.
const MaxLetter = 4 << 20

// cutLetter makes a letter of a record that fits into no batch fit: it keeps our headers and the beginning of key
// and value, and says in the header cut how many bytes these had.
func cutLetter(r *kgo.Record) {
	size := len(r.Key) + len(r.Value)
	whole := size
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value) + 16
	}
	if size <= MaxLetter-4096 {
		return
	}
	r.Key, r.Value = r.Key[:min(len(r.Key), 64<<10)], r.Value[:min(len(r.Value), 1<<20)]
	r.Headers = slices.DeleteFunc(r.Headers, func(h kgo.RecordHeader) bool { return !strings.HasPrefix(h.Key, ingest.ErrorHeader) })
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: ingest.ErrorHeader + "cut", Value: []byte(strconv.Itoa(whole))})
}
