package evaluate

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"os"
	"strconv"

	"github.com/freshet-ml/freshet/models"
)

// predictions writes every scored answer: line of the row, label, answer of each model. nil writes nothing.
type predictions struct {
	models int
	path   string
	file   *os.File
	buffer *bufio.Writer
	csv    *csv.Writer
	record []string
	table  *table
}

func newPredictions(path string, t *table, count int) (*predictions, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("predictions file: %w", err)
	}
	p := &predictions{models: count, path: path, file: f, buffer: bufio.NewWriterSize(f, 1<<16), table: t}
	p.csv = csv.NewWriter(p.buffer)
	head := []string{"line", "label"}
	for m := range count {
		for _, name := range answerNames(t) {
			if m > 0 {
				name += "_" + strconv.Itoa(m+1)
			}
			head = append(head, name)
		}
	}
	return p, p.csv.Write(head)
}

// answerNames names the numbers of an answer.
func answerNames(t *table) []string {
	switch t.task {
	case models.Multiclass:
		var out []string
		for _, l := range t.labels {
			out = append(out, "p_"+l)
		}
		return out
	case models.Binary:
		return []string{"p_" + t.labels[1]}
	case models.Anomaly:
		return []string{"score"}
	}
	return []string{"answer"}
}

func (p *predictions) write(row *pending, width int) error {
	if p == nil {
		return nil
	}
	label := strconv.FormatFloat(row.y, 'g', -1, 64)
	if p.table.labels != nil {
		label = p.table.labels[int(row.y)]
	}
	p.record = append(p.record[:0], strconv.Itoa(row.line), label)
	for _, answer := range row.answers[:p.models] {
		for _, a := range answer[:width] {
			p.record = append(p.record, strconv.FormatFloat(a, 'g', -1, 64))
		}
	}
	return p.failure(p.csv.Write(p.record))
}

func (p *predictions) failure(err error) error {
	if err != nil {
		return fmt.Errorf("write predictions to %s: %w", p.path, err)
	}
	return nil
}

// close writes what is left.
func (p *predictions) close() error {
	if p == nil {
		return nil
	}
	p.csv.Flush()
	err := p.csv.Error()
	if e := p.buffer.Flush(); err == nil {
		err = e
	}
	if e := p.file.Close(); err == nil {
		err = e
	}
	return p.failure(err)
}
