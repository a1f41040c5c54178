package evaluate

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// arff reads the attribute-relation files of Weka and MOA: @attribute lines declare numbers and categories, rows follow @data, dense or sparse
// ({index value, …}, where what is not named is 0 or the first value). Attributes of dates and texts are categories unless an option says
// otherwise. A value that is not declared is an error.
type arff struct {
	lines
	header []column
	fields []string
	parts  []string
}

func newARFF(f *file) (reader, error) {
	a := &arff{lines: lines{file: f}}
	seen := map[string]bool{}
	for {
		line, err := a.lines.next()
		if err == io.EOF {
			return nil, fmt.Errorf("%s: there is no @data line: the rows of an ARFF file follow one", f.name)
		}
		if err != nil {
			return nil, err
		}
		text := strings.TrimSpace(string(line))
		word, rest, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
		switch strings.ToLower(word) {
		case "@attribute":
			c, err := parseAttribute(strings.TrimSpace(rest))
			if err != nil {
				return nil, a.errorf("%w", err)
			}
			if seen[c.name] {
				return nil, a.errorf("two attributes are named %q: rename one", c.name)
			}
			if len(a.header) == maxColumns {
				return nil, a.errorf("more than %d attributes", maxColumns)
			}
			seen[c.name] = true
			a.header = append(a.header, c)
		case "@data":
			if len(a.header) == 0 {
				return nil, a.errorf("no @attribute line before @data")
			}
			a.fields = make([]string, len(a.header))
			return a, nil
		case "@relation", "":
		default:
			if text[0] != '%' {
				return nil, a.errorf("%q: before @data there are @relation, @attribute and comments (%%) only", word)
			}
		}
	}
}

func parseAttribute(text string) (column, error) {
	name, rest, err := quotedWord(text, " ")
	if err != nil || name == "" {
		return column{}, fmt.Errorf("the attribute has no name")
	}
	c, kind := column{name: name}, strings.TrimSpace(rest)
	if values, ok := strings.CutPrefix(kind, "{"); ok {
		values, ok = strings.CutSuffix(strings.TrimSpace(values), "}")
		if !ok {
			return c, fmt.Errorf("attribute %s: the list of values is not closed by }", name)
		}
		c.kind = category
		if c.values, err = splitQuoted(nil, values); err != nil {
			return c, fmt.Errorf("attribute %s: %w", name, err)
		}
		return c, nil
	}
	word, _, _ := strings.Cut(strings.ToLower(kind), " ")
	switch word {
	case "numeric", "real", "integer":
		c.kind = numbers
	case "string", "date":
		c.kind = category
	default:
		return c, fmt.Errorf("attribute %s: %q is no type: use numeric, string, date or {value, …}", name, kind)
	}
	return c, nil
}

// quotedWord cuts a word, in quotes or up to one of the ends, from the beginning of a text.
func quotedWord(text, ends string) (word, rest string, err error) {
	if text == "" || text[0] != '\'' && text[0] != '"' {
		if i := strings.IndexAny(text, ends); i >= 0 {
			return text[:i], text[i:], nil
		}
		return text, "", nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == text[0]:
			return b.String(), text[i+1:], nil
		default:
			b.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("a quote is not closed")
}

// splitQuoted appends the parts of a list that are separated by commas.
func splitQuoted(dst []string, text string) ([]string, error) {
	for {
		word, rest, err := quotedWord(strings.TrimSpace(text), ",")
		if err != nil {
			return dst, err
		}
		dst = append(dst, strings.TrimSpace(word))
		rest = strings.TrimSpace(rest)
		if rest == "" {
			return dst, nil
		}
		if rest[0] != ',' {
			return dst, fmt.Errorf("%q follows a quoted value: separate values by commas", rest)
		}
		text = rest[1:]
	}
}

func (a *arff) columns() []column { return a.header }

func (a *arff) next(to *row) error {
	text := ""
	for text == "" || text[0] == '%' {
		line, err := a.lines.next()
		if err != nil {
			return err
		}
		text = strings.TrimSpace(string(line))
	}
	if text[0] == '{' {
		if err := a.sparse(text); err != nil {
			return a.errorf("%w", err)
		}
	} else {
		var err error
		if a.parts, err = splitQuoted(a.parts[:0], text); err != nil {
			return a.errorf("%w", err)
		}
		if len(a.parts) != len(a.header) {
			return a.errorf("the row has %d values for the %d attributes: mend or remove it", len(a.parts), len(a.header))
		}
		copy(a.fields, a.parts)
	}
	for i, c := range a.header {
		f := a.fields[i]
		switch {
		case missing(f):
		case c.kind == numbers:
			if _, ok := number(f); !ok {
				return a.errorf("attribute %s: %q is no number", c.name, f)
			}
		case c.values != nil && !slices.Contains(c.values, f):
			return a.errorf("attribute %s: %q is none of the declared values %s", c.name, f, strings.Join(c.values, ", "))
		}
	}
	to.line, to.fields, to.weight = a.at, a.fields, 1
	return nil
}

func (a *arff) sparse(text string) error {
	for i, c := range a.header {
		a.fields[i] = "0"
		if c.values != nil {
			a.fields[i] = c.values[0]
		}
	}
	inner, ok := strings.CutSuffix(text[1:], "}")
	if !ok {
		return fmt.Errorf("the sparse row is not closed by }")
	}
	if strings.TrimSpace(inner) == "" {
		return nil
	}
	for part := range strings.SplitSeq(inner, ",") {
		at, value, _ := strings.Cut(strings.TrimSpace(part), " ")
		i, err := strconv.Atoi(at)
		if err != nil || i < 0 || i >= len(a.header) {
			return fmt.Errorf("%q: write index value, with an index from 0 to %d", part, len(a.header)-1)
		}
		word, _, err := quotedWord(strings.TrimSpace(value), " ")
		if err != nil {
			return err
		}
		a.fields[i] = word
	}
	return nil
}
