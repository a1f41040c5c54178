package evaluate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// jsonLines reads a file of one JSON object a line. Its columns are all members that any row has, those of objects within as
// outer.inner; what a row does not have is missing. A list is no value and refused.
type jsonLines struct {
	lines
	names  *names
	fields []string
	has    []bool // by column: this row has it
}

func (j *jsonLines) columns() []column { return j.names.columns(sniffed) }

func (j *jsonLines) next(to *row) error {
	line, err := j.lines.next()
	for err == nil && len(bytes.TrimSpace(line)) == 0 {
		line, err = j.lines.next()
	}
	if err == io.EOF && j.at == 0 {
		return fmt.Errorf("%s: the file is empty: write one JSON object a line", j.file.name)
	}
	if err != nil {
		return err
	}
	clear(j.fields)
	clear(j.has)
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	first, err := d.Token()
	if err == nil && first != json.Delim('{') {
		return j.errorf("the line holds no JSON object: write {\"column\": value, …}")
	}
	if err == nil {
		err = j.object(d, "", 0)
	}
	if err == nil && d.InputOffset() < int64(len(bytes.TrimRight(line, " \t"))) {
		err = fmt.Errorf("there is more after the object: write one object a line")
	}
	if err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = fmt.Errorf("the object is not closed")
		}
		return j.errorf("%w", err)
	}
	for len(j.fields) < len(j.names.list) {
		j.fields = append(j.fields, "")
	}
	to.line, to.fields, to.weight = j.at, j.fields, 1
	return nil
}

// maxDepth bounds objects within objects.
const maxDepth = 32

// object reads members up to the closing bracket.
func (j *jsonLines) object(d *json.Decoder, prefix string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("objects are nested deeper than %d", maxDepth)
	}
	for {
		token, err := d.Token()
		if err != nil || token == json.Delim('}') {
			return err
		}
		key := prefix + token.(string)
		value, err := d.Token()
		if err != nil {
			return err
		}
		if value == json.Delim('{') {
			if err := j.object(d, key+".", depth+1); err != nil {
				return err
			}
			continue
		}
		if err := j.set(key, value); err != nil {
			return err
		}
	}
}

func (j *jsonLines) set(key string, value json.Token) error {
	if key == "" {
		return fmt.Errorf("a member has no name")
	}
	i, err := j.names.add(key)
	if err != nil {
		return err
	}
	for len(j.fields) <= i {
		j.fields, j.has = append(j.fields, ""), append(j.has, false)
	}
	for len(j.has) <= i {
		j.has = append(j.has, false)
	}
	if j.has[i] {
		return fmt.Errorf("the member %q is there twice", key)
	}
	j.has[i] = true
	switch v := value.(type) {
	case string:
		j.fields[i] = v
	case json.Number:
		j.fields[i] = v.String()
	case bool:
		j.fields[i] = strconv.FormatBool(v)
	case nil:
		j.fields[i] = ""
	default:
		return fmt.Errorf("the member %q is a list: give its elements members of their own, or leave it out", key)
	}
	return nil
}
