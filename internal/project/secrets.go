package project

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/freshet-ml/freshet/internal/secret"
)

// Scopes are what a token can be good for.
var Scopes = []string{"predict", "lookup", "feedback", "admin"}

// minToken is the least length of a token, bytes.
const minToken = 16

// hashPrefix begins a token of which the file holds the hash only.
const hashPrefix = "sha256:"

// Hash returns the SHA-256 of a token, as it is now in its file. Errors do not show it.
func (t *Token) Hash() (sum [32]byte, err error) {
	text, err := t.Token.Current()
	if err != nil {
		return sum, err
	}
	if digits, ok := strings.CutPrefix(text, hashPrefix); ok {
		if n, err := hex.Decode(sum[:], []byte(digits)); err != nil || n != len(sum) || len(digits) != 2*len(sum) {
			return sum, fmt.Errorf("%s stands before something else than %d hexadecimal digits", hashPrefix, 2*len(sum))
		}
		return sum, nil
	}
	if len(text) < minToken {
		return sum, fmt.Errorf("the token is shorter than %d characters", minToken)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return sum, fmt.Errorf("the token holds a space or a character beyond ASCII, which no header can carry")
	}
	return sha256.Sum256([]byte(text)), nil
}

// AllTokens returns the tokens of tokens and of tokens_file, as its lines are now.
func (s *Serving) AllTokens() ([]Token, error) {
	list := slices.Clone(s.Tokens)
	if s.TokensFile == "" {
		return list, nil
	}
	file, err := secret.FromFile(s.TokensFile)
	if err != nil {
		return nil, err
	}
	read, err := parseTokens(file.Reveal())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.TokensFile, err)
	}
	return append(list, read...), nil
}

// parseTokens reads the lines of a tokens file. Errors name the line, not its contents.
func parseTokens(text string) ([]Token, error) {
	var list []Token
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(" "+lines.Text(), " #")
		t := Token{Name: "line " + strconv.Itoa(n), Scopes: defaultScopes()}
		switch words := strings.Fields(line); len(words) {
		case 0:
			continue
		case 1:
			t.Token = secret.New(words[0])
		case 3:
			t.Name, t.Scopes, t.Token = words[0], strings.Split(words[1], ","), secret.New(words[2])
		default:
			return nil, fmt.Errorf("line %d has %d words; write TOKEN, or NAME SCOPE,SCOPE TOKEN", n, len(words))
		}
		for _, s := range t.Scopes {
			if !contains(Scopes, s) {
				return nil, fmt.Errorf("line %d names a scope that there is not; use %s", n, quoted(Scopes))
			}
		}
		if _, err := t.Hash(); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		list = append(list, t)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("a line is too long")
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no token stands there")
	}
	return list, nil
}

func defaultScopes() []string { return []string{"predict", "lookup", "feedback"} }

// secret decodes a secret, or the name of the file that holds it. One that comes whole from a file, also by a variable,
// remembers it, so that it can be read again.
func (d *decoder) secret(p pair, o *option, path string) (Secret, bool) {
	isFile := p.key == o.key+"_file"
	if !isFile {
		d.hide(scalarText(p.value))
	}
	if _, more := p.value.(*ast.SequenceNode); more || isMapping(p.value) && !isAdjacent(p.value) {
		d.hideAll(p.value)
	}
	want := "text"
	if isFile {
		want = "the name of a file"
	}
	text, ok := d.text(p.value, path, want)
	if !ok {
		return Secret{}, false
	}
	if isFile {
		return d.secretFile(text, posOf(p.value), path)
	}
	d.hide(text)
	if file, ok := d.variableFile(scalarText(p.value)); ok {
		return d.secretFile(file, posOf(p.value), path)
	}
	return secret.New(text), true
}

func isAdjacent(n ast.Node) bool { _, ok := adjacent(n); return ok }

// variableFile returns the file that ${NAME} stands for when it is all of a text and NAME_FILE is what is set.
func (d *decoder) variableFile(raw string) (string, bool) {
	inner, ok := strings.CutPrefix(raw, "${")
	name, rest, closed := strings.Cut(inner, "}")
	name, _, _ = strings.Cut(name, ":-")
	if !ok || !closed || rest != "" || d.env == nil {
		return "", false
	}
	if _, set := d.env(name); set {
		return "", false
	}
	file, set := d.env(name + "_FILE")
	return file, set && file != ""
}

// secretFile reads a small regular file and removes the line end. Relative names count from the folder
// of the project file.
func (d *decoder) secretFile(name string, at Pos, path string) (Secret, bool) {
	s, err := secret.FromFile(d.beside(name))
	if err != nil {
		d.add(at, path, err.Error(), "check its name and its rights", "")
		return Secret{}, false
	}
	d.hide(s.Reveal())
	return s, true
}

// beside returns the path of a file that the project file names.
func (d *decoder) beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(d.file), name)
}

// hide keeps a text out of all messages. A bare reference to a variable is none.
func (d *decoder) hide(text string) {
	if text != "" && !strings.HasPrefix(text, "${") {
		d.secrets = append(d.secrets, text)
	}
}

// hideAll keeps all texts below a node out of messages, keys too: it stands where a secret belongs.
func (d *decoder) hideAll(n ast.Node) {
	ast.Walk(textVisitor(d.hide), n)
}

type textVisitor func(string)

func (v textVisitor) Visit(n ast.Node) ast.Visitor {
	if isScalar(n) {
		v(scalarText(n))
	}
	return v
}

// secretsIn returns the text that stands in the place of a section with secrets, such as a whole login in one text.
func secretsIn(n ast.Node, section reflect.Type) []string {
	for _, o := range options(section, "") {
		if o.secret() && isScalar(n) {
			return []string{scalarText(n)}
		}
	}
	return nil
}

// tokens decodes a token or a list of tokens, each a text or a mapping.
func (d *decoder) tokens(p pair, path string) []Token {
	list, paths := []ast.Node{p.value}, []string{path}
	if n, ok := p.value.(*ast.SequenceNode); ok {
		list, paths = n.Values, paths[:0]
		for i, v := range n.Values {
			paths = append(paths, path+"["+strconv.Itoa(i)+"]")
			d.mark(paths[i], p.at, v)
		}
	}
	opts := options(reflect.TypeFor[Token](), "")
	var out []Token
	for i, n := range list {
		t := Token{Scopes: defaultScopes()}
		if isMapping(n) && !isAdjacent(n) {
			d.structure(n, reflect.ValueOf(&t).Elem(), paths[i], "")
		} else if s, ok := d.secret(pair{"token", posOf(n), n}, &opts[1], paths[i]); ok {
			t.Token = s
		}
		if t.Name == "" {
			t.Name = "token " + strconv.Itoa(i+1)
		}
		out = append(out, t)
	}
	return out
}

// extensions decodes names and values.
func (d *decoder) extensions(n ast.Node, path string) map[string]string {
	out := map[string]string{}
	for _, p := range d.pairs(n, path, "a mapping of names") {
		if s, ok := d.text(p.value, join(path, p.key), "text"); ok {
			out[p.key] = s
		}
	}
	return out
}
