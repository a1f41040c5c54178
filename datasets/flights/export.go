package flights

import (
	"bufio"
	"os"
	"path/filepath"
)

// WriteFiles writes what is left of the stream into dir as JSON lines, one file for each source
// (scheduled.jsonl, …), and returns the number of records of each. Lines stand in the order of events.
// Kafka's record keys are in the values too: id, origin or tail.
func (s *Stream) WriteFiles(dir string) (map[string]int, error) {
	counts := map[string]int{}
	writers := map[string]*bufio.Writer{}
	var open []*os.File
	defer func() {
		for _, f := range open {
			f.Close() // written data was flushed and checked below
		}
	}()
	for _, source := range Sources {
		f, err := os.Create(filepath.Join(dir, source+".jsonl"))
		if err != nil {
			return nil, err
		}
		open = append(open, f)
		writers[source] = bufio.NewWriterSize(f, 1<<16)
	}
	for r, ok := s.Next(); ok; r, ok = s.Next() {
		w := writers[r.Source]
		if _, err := w.Write(r.Value); err != nil {
			return nil, err
		}
		if err := w.WriteByte('\n'); err != nil {
			return nil, err
		}
		counts[r.Source]++
	}
	for i, source := range Sources {
		if err := writers[source].Flush(); err != nil {
			return nil, err
		}
		if err := open[i].Close(); err != nil {
			return nil, err
		}
	}
	return counts, nil
}
