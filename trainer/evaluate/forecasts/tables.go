package forecasts

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// tables are the files of answers and of scores by series; nil files are not asked for.
type tables struct {
	answers, keys *tableFile
}

// tableFile is a file that blocks append rows to, in order.
type tableFile struct {
	what, path string
	file       *os.File
	out        *bufio.Writer
}

func newTables(r *run) (*tables, error) {
	t := &tables{}
	var err error
	if t.answers, err = newTable("predictions", r.o.Predictions, r.answerColumns()); err != nil {
		return nil, err
	}
	if t.keys, err = newTable("scores by key", r.o.ByKey, r.keyColumns()); err != nil {
		t.abandon()
		return nil, err
	}
	return t, nil
}

func newTable(what, path string, head []string) (*tableFile, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("%s file: %w", what, err)
	}
	t := &tableFile{what, path, f, bufio.NewWriterSize(f, 1<<16)}
	return t, t.write(appendRecord(nil, head))
}

func (t *tableFile) write(b []byte) error {
	if t == nil {
		return nil
	}
	if _, err := t.out.Write(b); err != nil {
		return fmt.Errorf("write %s to %s: %w", t.what, t.path, err)
	}
	return nil
}

func (t *tableFile) close() error {
	if t == nil || t.file == nil {
		return nil
	}
	err := t.out.Flush()
	if closing := t.file.Close(); err == nil {
		err = closing
	}
	t.file = nil
	if err != nil {
		return fmt.Errorf("write %s to %s: %w", t.what, t.path, err)
	}
	return nil
}

func (t *tables) close() error {
	err := t.answers.close()
	if closing := t.keys.close(); err == nil {
		err = closing
	}
	return err
}

// abandon closes what is open after a failure that is told already.
func (t *tables) abandon() {
	_ = t.answers.close()
	_ = t.keys.close()
}

// numbered is a column of the i-th model.
func numbered(name string, i int) string {
	if i > 0 {
		name += "_" + strconv.Itoa(i+1)
	}
	return name
}

func (r *run) answerColumns() []string {
	head := []string{"key", "origin", "step", "time", "value"}
	for i := range r.models {
		head = append(head, numbered("forecast", i))
		for _, at := range r.levels.reported {
			head = append(head, numbered("q"+strconv.FormatFloat(r.levels.all[at], 'g', 6, 64), i))
		}
	}
	return head
}

func (r *run) keyColumns() []string {
	head := []string{"key", "values", "forecasts", "scale"}
	for i := range r.models {
		for _, m := range seriesMetrics(&errorsOf{}) {
			head = append(head, numbered(m.Name, i))
		}
		head = append(head, numbered("health", i))
	}
	return head
}

// tableBuffer are the rows of a block.
type tableBuffer struct {
	answers, keys []byte
	record        []string
}

// mostBuffered bounds the rows that wait for their turn, in bytes.
const mostBuffered = 8 << 20

func (t *tableBuffer) full() bool { return len(t.answers) > mostBuffered }

// flush writes the rows; the turn of the block has come.
func (b *block) flush() error {
	err := b.out.answers.write(b.tables.answers)
	if err == nil {
		err = b.out.keys.write(b.tables.keys)
	}
	b.tables.answers, b.tables.keys = b.tables.answers[:0], b.tables.keys[:0]
	return err
}

// forecast adds a row for each step of a forecast, the k-th of the stretch.
func (t *tableBuffer) forecast(b *block, s *series, at origin, y []float64, k int) {
	if b.out.answers == nil {
		return
	}
	from := s.at(at.point)
	begin := b.data.grid.text(from, s.base)
	n := len(b.levels.all)
	for i, v := range y {
		t.record = append(t.record[:0], s.key, begin, strconv.Itoa(i+1), b.data.grid.text(from+int64(i)+1, s.base), cell(v))
		for m := range b.models {
			o := &b.outlooks[m][k]
			t.record = append(t.record, cell(o.Mean[i]))
			for _, at := range b.levels.reported {
				t.record = append(t.record, cell(o.Quantiles[i*n+at]))
			}
		}
		t.answers = appendRecord(t.answers, t.record)
	}
}

// series adds the row of a series.
func (t *tableBuffer) series(b *block, s *series, at []origin, scale float64) {
	if b.out.keys == nil {
		return
	}
	values := 0
	for i := range s.points {
		if !math.IsNaN(s.points[i].y) {
			values++
		}
	}
	t.record = append(t.record[:0], s.key, strconv.Itoa(values), strconv.Itoa(len(at)), cell(scale))
	for i := range b.models {
		for _, m := range seriesMetrics(&b.whole[i]) {
			t.record = append(t.record, cell(m.Value))
		}
		t.record = append(t.record, b.healthOf(i).Status.String())
	}
	t.keys = appendRecord(t.keys, t.record)
}

// cell writes a number so that reading gives the same one; what is missing is empty.
func cell(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// appendRecord writes a line of CSV.
func appendRecord(dst []byte, record []string) []byte {
	for i, field := range record {
		if i > 0 {
			dst = append(dst, ',')
		}
		if strings.ContainsAny(field, ",\"\r\n") || strings.HasPrefix(field, " ") {
			var b strings.Builder
			w := csv.NewWriter(&b)
			_ = w.Write([]string{field}) // a strings.Builder does not fail
			w.Flush()
			dst = append(dst, strings.TrimSuffix(b.String(), "\n")...)
			continue
		}
		dst = append(dst, field...)
	}
	return append(dst, '\n')
}
