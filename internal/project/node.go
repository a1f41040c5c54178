package project

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxFile  = 1 << 20 // bytes of a project file
	maxDepth = 40      // nesting of its nodes
)

// pair is one key of a mapping with its value.
type pair struct {
	key   string
	at    Pos // of the key
	value ast.Node
}

// parse returns the root of the document, or nil with the problem reported. The YAML parser is given
// arbitrary bytes, so a panic inside it is reported as a syntax error too.
func (d *decoder) parse(data []byte) (root ast.Node) {
	if len(data) > maxFile {
		d.add(Pos{}, "", fmt.Sprintf("the file has %d bytes", len(data)), fmt.Sprintf("at most %d are read", maxFile), "")
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			d.add(Pos{}, "", "the file is not valid YAML", "check the indentation and the quotes", "")
			root = nil
		}
	}()
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err)
		return nil
	}
	var docs []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			docs = append(docs, doc.Body)
		}
	}
	if len(docs) == 0 {
		d.add(Pos{}, "", "the file is empty", "run freshet init to write one", "")
		return nil
	}
	if len(docs) > 1 {
		d.add(posOf(docs[1]), "", "a second document begins here", "a project file is one document: remove the line ---", "")
	}
	return docs[0]
}

func (d *decoder) syntax(err error) {
	var s *yaml.SyntaxError
	if errors.As(err, &s) && s.Token != nil {
		mend := "check the indentation and the quotes"
		if strings.Contains(s.Message, "\t") {
			mend = "indent with spaces, not with tabs"
		}
		d.add(position(s.Token), "", "not valid YAML: "+strings.ReplaceAll(oneLine(s.Message), "\t", `\t`), mend, "")
		return
	}
	d.add(Pos{}, "", "not valid YAML: "+oneLine(err.Error()), "check the indentation and the quotes", "")
}

func oneLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

func position(t *token.Token) Pos {
	if t == nil || t.Position == nil {
		return Pos{}
	}
	return Pos{t.Position.Line, t.Position.Column}
}

// posOf returns where a node begins: a block mapping at its first key.
func posOf(n ast.Node) Pos {
	switch n := n.(type) {
	case nil:
		return Pos{}
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return posOf(n.Values[0])
		}
		return position(n.Start)
	case *ast.MappingValueNode:
		return position(n.Key.GetToken())
	case *ast.TagNode:
		return position(n.Start)
	case *ast.AnchorNode:
		return position(n.Start)
	}
	return position(n.GetToken())
}

// pairs returns the keys of a mapping in order, each once. Anything else is reported.
func (d *decoder) pairs(n ast.Node, path, want string) []pair {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		d.wrong(n, path, want)
		return nil
	}
	var list []pair
	seen := map[string]Pos{}
	for _, v := range values {
		key, ok := d.keyOf(v.Key, path)
		if !ok {
			continue
		}
		at := position(v.Key.GetToken())
		if first, twice := seen[key]; twice {
			d.add(at, join(path, key), fmt.Sprintf("%q stands here a second time", key), fmt.Sprintf("the first is in line %d; keep one", first.Line), "")
			continue
		}
		seen[key] = at
		list = append(list, pair{key, at, v.Value})
		d.mark(join(path, key), at, v.Value)
	}
	return list
}

func (d *decoder) keyOf(k ast.MapKeyNode, path string) (string, bool) {
	switch k := k.(type) {
	case *ast.MergeKeyNode:
		d.broken[path] = true
		d.add(position(k.Token), path, "merge keys (<<) are not supported", "write the keys out", "")
	case *ast.StringNode:
		return k.Value, true
	case ast.ScalarNode:
		return k.GetToken().Value, true
	default:
		d.add(position(k.GetToken()), path, "a key must be plain text", "", "")
	}
	return "", false
}

// mark remembers where the value of path stands; an empty or broken value stands where its key does.
func (d *decoder) mark(path string, key Pos, value ast.Node) {
	at := posOf(value)
	if at.Line == 0 {
		at = key
	}
	d.where[path] = at
	d.keys[path] = key
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// wrong reports that a node is not of the wanted shape.
func (d *decoder) wrong(n ast.Node, path, want string) {
	at := posOf(n)
	if at.Line == 0 {
		at = d.where[path]
	}
	switch n := n.(type) {
	case *ast.AliasNode, *ast.AnchorNode:
		d.add(at, path, "anchors and aliases are not supported", "write the value out", "")
	case *ast.TagNode:
		d.add(at, path, "YAML tags are not supported", "remove "+n.Start.Value, "")
	case nil, *ast.NullNode:
		d.add(at, path, "nothing stands here", "give "+want+", or remove the key", "")
	default:
		d.add(at, path, "found "+shapeOf(n)+" where "+want+" belongs", "", "")
	}
}

func shapeOf(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("%q", scalarText(n))
}

// scalarText returns the text of a scalar as it was written; "" for every other node.
func scalarText(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case ast.ScalarNode:
		return strings.TrimSpace(n.GetToken().Value)
	}
	return ""
}

func isMapping(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

func isScalar(n ast.Node) bool {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return true
	}
	return false
}

// text returns the text of a scalar with ${NAME} and ${NAME:-default} replaced. want says what belongs
// here when the node is none.
func (d *decoder) text(n ast.Node, path, want string) (string, bool) {
	if joined, ok := adjacent(n); ok {
		return d.expand(joined, posOf(n), path)
	}
	if !isScalar(n) {
		d.wrong(n, path, want)
		return "", false
	}
	return d.expand(scalarText(n), posOf(n), path)
}

// adjacent joins host:9092 again, which the parser takes for a mapping when it stands in a list within
// braces. By YAML's rules a colon without a space after it belongs to the text.
func adjacent(n ast.Node) (string, bool) {
	m, ok := n.(*ast.MappingNode)
	if !ok || m.IsFlowStyle || len(m.Values) != 1 {
		return "", false
	}
	v := m.Values[0]
	colon, value := v.Start, v.Value.GetToken()
	if colon == nil || value == nil || !isScalar(v.Value) || position(value).Line != position(colon).Line || position(value).Column != position(colon).Column+1 {
		return "", false
	}
	key, ok := v.Key.(ast.ScalarNode)
	if !ok {
		return "", false
	}
	return scalarText(key) + ":" + scalarText(v.Value), true
}

// expand replaces ${NAME} by the variable, by the contents of the file that NAME_FILE names, or by the
// default in ${NAME:-default} (also when the variable is empty). $${ stands for ${.
func (d *decoder) expand(s string, at Pos, path string) (string, bool) {
	if !strings.Contains(s, "${") {
		return s, true
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		if !found {
			b.WriteString(s)
			return b.String(), true
		}
		if strings.HasSuffix(before, "$") {
			b.WriteString(before[:len(before)-1] + "${")
			s = rest
			continue
		}
		b.WriteString(before)
		inner, after, closed := strings.Cut(rest, "}")
		name, fallback, hasDefault := strings.Cut(inner, ":-")
		if !closed || !isName(name) {
			d.add(at, path, fmt.Sprintf("%q is no variable", "${"+beginning(name)), "write ${NAME}, ${NAME:-default}, or $${ for a literal ${", "")
			return "", false
		}
		value, ok := d.variable(name, at, path)
		if value == "" && hasDefault {
			value, ok = fallback, true
		}
		if !ok {
			d.add(at, path, fmt.Sprintf("the environment variable %s is not set", name), fmt.Sprintf("set it, or write ${%s:-default}", name), "")
			return "", false
		}
		b.WriteString(value)
		s = after
	}
}

// beginning returns what could be a name; what follows may be a secret.
func beginning(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool { return !isName("_" + string(r)) })
	if end < 0 {
		return s
	}
	return s[:end] + "…"
}

func (d *decoder) variable(name string, at Pos, path string) (string, bool) {
	if d.env == nil {
		return "", false
	}
	if v, ok := d.env(name); ok {
		return v, true
	}
	if file, ok := d.env(name + "_FILE"); ok && file != "" {
		s, ok := d.secretFile(file, at, path)
		return s.Reveal(), ok
	}
	return "", false
}

// generic turns a node into maps (map[string]any), slices ([]any), strings, int, float64, bools and
// nil, as pipelines want them. Variables are replaced in strings.
func (d *decoder) generic(n ast.Node, path string, depth int) any {
	if depth > maxDepth {
		d.add(posOf(n), path, fmt.Sprintf("nested more than %d deep", maxDepth), "", "")
		return nil
	}
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		m := map[string]any{}
		for _, p := range d.pairs(n, path, "a mapping") {
			m[p.key] = d.generic(p.value, join(path, p.key), depth+1)
		}
		return m
	case *ast.SequenceNode:
		list := make([]any, 0, len(n.Values))
		for i, v := range n.Values {
			at := path + "[" + strconv.Itoa(i) + "]"
			d.mark(at, posOf(v), v)
			list = append(list, d.generic(v, at, depth+1))
		}
		return list
	case *ast.NullNode:
		return nil
	case *ast.StringNode, *ast.LiteralNode:
		raw := scalarText(n)
		s, _ := d.expand(raw, posOf(n), path)
		if s != raw {
			return plain(s)
		}
		return s
	case ast.ScalarNode:
		return plain(scalarText(n))
	}
	d.wrong(n, path, "a value")
	return nil
}

// plain reads unquoted text as YAML 1.2 does.
func plain(s string) any {
	switch s {
	case "true":
		return true
	case "false":
		return false
	}
	clean := strings.ReplaceAll(s, "_", "")
	if i, err := strconv.Atoi(clean); err == nil {
		return i
	}
	if f, err := strconv.ParseFloat(clean, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
		return f
	}
	return s
}
