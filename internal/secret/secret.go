// Package secret holds text that must not be shown: passwords, tokens, client secrets. It stands beside the
// flow; the project file is where secrets come in, and connections are where they are revealed.
package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// Hidden is what stands for a secret wherever it would be shown.
const Hidden = "***"

// MaxFile bounds the file of a secret, bytes.
const MaxFile = 64 << 10

// Text is a secret. However it is formatted, logged or encoded, also within other values and with every verb, it
// shows as ***, and as nothing when it is empty; only Reveal and Current give it. The zero value is empty.
//
// It is a pointer inside, so that formatting the unexported field of a struct, which asks no method, shows an
// address at most.
type Text struct {
	text *string
	file string
}

// New returns a secret.
func New(text string) Text { return Text{text: &text} }

// FromFile reads a secret from a small regular file; the end of its last line is left out. Errors name the file.
func FromFile(name string) (Text, error) {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err == nil && info.Size() > MaxFile {
		err = fmt.Errorf("larger than %d bytes", MaxFile)
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(name)
	}
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return Text{}, fmt.Errorf("the file %s cannot be read: %w", name, err)
	}
	t := New(strings.TrimRight(string(b), "\r\n"))
	t.file = name
	return t, nil
}

// Reveal returns the secret itself, as it was when it was read.
func (t Text) Reveal() string {
	if t.text == nil {
		return ""
	}
	return *t.text
}

// Current returns the secret itself, read again if it came from a file: so a renewed one is taken up where a
// connection logs in. An empty file is an error: it is being written.
func (t Text) Current() (string, error) {
	if t.file == "" {
		return t.Reveal(), nil
	}
	now, err := FromFile(t.file)
	if err == nil && now.Empty() {
		err = fmt.Errorf("the file %s is empty", t.file)
	}
	return now.Reveal(), err
}

// File is the file that the secret came from; empty: none.
func (t Text) File() string { return t.file }

// Empty reports whether there is no secret.
func (t Text) Empty() bool { return t.Reveal() == "" }

// String hides the secret.
func (t Text) String() string {
	if t.Empty() {
		return ""
	}
	return Hidden
}

// GoString hides the secret.
func (t Text) GoString() string { return `"` + t.String() + `"` }

// Format hides the secret from every verb of fmt.
func (t Text) Format(f fmt.State, verb rune) {
	text := t.String()
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		text = t.GoString()
	}
	_, _ = io.WriteString(f, text) // as all of fmt, it has nobody to tell
}

// MarshalText hides the secret from JSON, YAML and XML.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalJSON hides the secret.
func (t Text) MarshalJSON() ([]byte, error) { return []byte(t.GoString()), nil }

// MarshalYAML hides the secret.
func (t Text) MarshalYAML() (any, error) { return t.String(), nil }

// LogValue hides the secret from slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }
