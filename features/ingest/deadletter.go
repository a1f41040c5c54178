package ingest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrorHeader begins the names of the headers that a dead letter has beside those of its record: topic,
// topic_id, partition, offset, timestamp, source, stage, class, reason, field, message, and redacted where the letter is not
// the record byte for byte.
const ErrorHeader = "__freshet.errors."

// DeadLetter returns what goes to the dead-letter topic for a refused record of this source: key, value
// and headers byte for byte, the timestamp being the caller's to keep, and why it was refused.
//
// Where the source has sensitive fields, their JSON values or CSV cells are replaced by
// "hmac-sha256:" and the hex HMAC of their raw bytes under secret; all other bytes stay. A value that
// cannot be read that far is replaced as a whole, since nobody knows where in it the sensitive part
// is, and so is a key that holds a sensitive key field or the text of a sensitive value. The header
// redacted then names what was replaced: value, fields, key.
func DeadLetter(rec *Record, spec *SourceSpec, refusal *Refusal, secret []byte) (key, value []byte, headers []Header) {
	r := redactor{spec: spec, secret: secret}
	key, value = r.record(rec)
	headers = append(headers, rec.Headers...)
	add := func(name, text string) {
		if text != "" {
			headers = append(headers, Header{Key: ErrorHeader + name, Value: []byte(text)})
		}
	}
	topic := spec.Topic
	if topic == "" {
		topic = spec.Name
	}
	add("topic", topic)
	if rec.TopicID != [16]byte{} {
		add("topic_id", hex.EncodeToString(rec.TopicID[:]))
	}
	add("partition", strconv.Itoa(int(rec.Partition)))
	add("offset", strconv.FormatInt(rec.Offset, 10))
	add("timestamp", strconv.FormatInt(rec.Timestamp, 10))
	add("source", spec.Name)
	add("stage", string(refusal.Stage))
	add("class", refusal.Class)
	add("reason", refusal.Reason)
	add("field", refusal.Field)
	add("message", refusal.Message)
	add("redacted", r.what)
	return key, value, headers
}

type redactor struct {
	spec   *SourceSpec
	secret []byte
	names  map[string]bool // sensitive names in the record
	texts  [][]byte        // sensitive values that were met
	what   string
}

func (r *redactor) record(rec *Record) (key, value []byte) {
	keyToo := false
	for i := range r.spec.Fields {
		f := &r.spec.Fields[i]
		if !f.Sensitive {
			continue
		}
		if r.names == nil {
			r.names = map[string]bool{}
		}
		r.names[f.from()] = true
		for _, k := range r.spec.Key {
			keyToo = keyToo || k == f.Name
		}
	}
	if r.names == nil {
		return rec.Key, rec.Value
	}
	value = r.value(rec.Value)
	for _, text := range r.texts {
		keyToo = keyToo || bytes.Contains(rec.Key, text)
	}
	// Of a value that cannot be read nobody knows whether the key repeats it.
	if len(rec.Key) == 0 || !keyToo && r.what != "value" {
		return rec.Key, value
	}
	r.note("key")
	return r.hash(rec.Key), value
}

func (r *redactor) note(what string) {
	if r.what != "" {
		r.what += " "
	}
	r.what += what
}

func (r *redactor) hash(b []byte) []byte {
	mac := hmac.New(sha256.New, r.secret)
	mac.Write(b)
	return []byte("hmac-sha256:" + hex.EncodeToString(mac.Sum(nil)))
}

func (r *redactor) value(value []byte) []byte {
	if len(value) == 0 {
		return value
	}
	read := r.json
	if r.spec.Format == CSV {
		read = r.csv
	}
	out, ok := read(value)
	switch {
	case !ok:
		r.note("value")
		return r.hash(value)
	case r.texts != nil:
		r.note("fields")
		return out
	}
	return value
}

// met keeps the text of a sensitive value that a key could repeat, and returns what stands for it.
func (r *redactor) met(raw []byte) []byte {
	text := raw
	if raw[0] == '"' && r.spec.Format != CSV {
		if b, err := jsontext.AppendUnquote(nil, raw); err == nil && len(b) > 0 {
			text = b
		}
	}
	r.texts = append(r.texts, text)
	return r.hash(raw)
}

// json replaces the values of sensitive names at the top of an object.
func (r *redactor) json(value []byte) ([]byte, bool) {
	d := jsontext.NewDecoder(bytes.NewBuffer(value), jsontext.AllowDuplicateNames(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, false
	}
	var out []byte
	kept := int64(0)
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, false
		}
		sensitive := r.names[name.String()]
		v, err := d.ReadValue()
		if err != nil {
			return nil, false
		}
		if !sensitive || v.Kind() == 'n' {
			continue
		}
		end := d.InputOffset()
		out = append(out, value[kept:end-int64(len(v))]...)
		out = append(append(append(out, '"'), r.met(v)...), '"')
		kept = end
	}
	if t, err := d.ReadToken(); err != nil || t.Kind() != '}' {
		return nil, false
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return nil, false
	}
	return append(out, value[kept:]...), true
}

// csv replaces sensitive cells; the row is written anew, so quotes may change.
func (r *redactor) csv(value []byte) ([]byte, bool) {
	d, err := NewDecoder(r.spec)
	if err != nil {
		return nil, false
	}
	rows := d.newRows(bytes.NewReader(value))
	row, err := rows.Read()
	if err != nil || len(row) != len(d.columns) {
		return nil, false
	}
	out := append([]string(nil), row...)
	if _, err := rows.Read(); err != io.EOF {
		return nil, false
	}
	for k, i := range d.columns {
		if i >= 0 && out[k] != "" && r.spec.Fields[i].Sensitive {
			out[k] = string(r.met([]byte(out[k])))
		}
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma = d.rows.Comma
	if w.Write(out) != nil {
		return nil, false
	}
	w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), true
}
