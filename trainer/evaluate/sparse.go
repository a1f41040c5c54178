package evaluate

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
)

// libsvm reads the format of LIBSVM and SVMlight: label index:value …, indices from 1 (or 0) and rising, # begins a comment, qid:n is passed over.
// Its target is named label, its columns f0, f1, …
type libsvm struct {
	lines
	names *names
	dense int // columns that names has
}

func (l *libsvm) columns() []column { return l.names.columns(numbers) }

func (l *libsvm) next(to *row) error {
	label, rest, err := l.record()
	if err != nil {
		return err
	}
	to.line, to.label, to.weight, to.fields = l.at, label, 1, nil
	to.index, to.value = to.index[:0], to.value[:0]
	for pair := range strings.FieldsSeq(rest) {
		at, text, ok := strings.Cut(pair, ":")
		if at == "qid" {
			continue
		}
		i, bad := strconv.ParseUint(at, 10, 32)
		x, isNumber := number(text)
		if !ok || bad != nil || !isNumber {
			return l.errorf("%q: write index:value", pair)
		}
		if i >= maxColumns {
			return l.errorf("%q: an index above %d: hash them into fewer", pair, maxColumns-1)
		}
		if n := len(to.index); n > 0 && uint32(i) <= to.index[n-1] {
			return l.errorf("%q: indices must rise", pair)
		}
		for ; l.dense <= int(i); l.dense++ {
			if _, err := l.names.add("f" + strconv.Itoa(l.dense)); err != nil {
				return l.errorf("%w", err)
			}
		}
		to.index, to.value = append(to.index, uint32(i)), append(to.value, x)
	}
	return nil
}

// record returns label and features of the next line that is not empty.
func (l *libsvm) record() (label, rest string, err error) {
	for {
		line, err := l.lines.next()
		if err == io.EOF && l.at == 0 {
			return "", "", l.errorf("the file is empty: write label index:value …")
		}
		if err != nil {
			return "", "", err
		}
		text, _, _ := strings.Cut(string(line), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if i := strings.IndexAny(text, " \t"); i >= 0 {
			label, rest = text[:i], text[i:]
		} else {
			label = text
		}
		if strings.Contains(label, ":") {
			return "", "", l.errorf("the line begins with %q: write a label before the features, ? where there is none", label)
		}
		return label, rest, nil
	}
}

// vw reads the text format of Vowpal Wabbit: [label [importance]] ['tag]|namespace[:scale] feature[:value] … The target is named label, a
// feature namespace^feature, or by its own name where there is no namespace; what stands twice in a row is added up.
type vw struct {
	lines
	names *names
	pairs []pair
}

type pair struct {
	index uint32
	value float64
}

func (v *vw) columns() []column { return v.names.columns(numbers) }

func (v *vw) next(to *row) error {
	text := ""
	for strings.TrimSpace(text) == "" {
		line, err := v.lines.next()
		if err == io.EOF && v.at == 0 {
			return v.errorf("the file is empty: write label | feature:value …")
		}
		if err != nil {
			return err
		}
		text = string(line)
	}
	head, body, ok := strings.Cut(text, "|")
	if !ok {
		return v.errorf("there is no | before the features")
	}
	to.line, to.fields = v.at, nil
	if err := v.head(to, head); err != nil {
		return err
	}
	v.pairs = v.pairs[:0]
	for group := range strings.SplitSeq(body, "|") {
		if err := v.group(group); err != nil {
			return err
		}
	}
	slices.SortStableFunc(v.pairs, func(a, b pair) int { return cmp.Compare(a.index, b.index) })
	to.index, to.value = to.index[:0], to.value[:0]
	for _, p := range v.pairs {
		if n := len(to.index); n > 0 && to.index[n-1] == p.index {
			to.value[n-1] += p.value
			continue
		}
		to.index, to.value = append(to.index, p.index), append(to.value, p.value)
	}
	return nil
}

// head reads label, importance and tag.
func (v *vw) head(to *row, text string) error {
	to.label, to.weight = "", 1
	words := strings.Fields(text)
	// A word that touches the bar is a tag, and so is what begins with a quote.
	if n := len(words); n > 0 && (strings.HasPrefix(words[n-1], "'") || n > 1 && !strings.HasSuffix(text, " ") && !strings.HasSuffix(text, "\t")) {
		words = words[:n-1]
	}
	if len(words) > 3 {
		return v.errorf("%d words before the first |: write label, importance and base at most", len(words))
	}
	if len(words) > 0 {
		to.label = words[0]
	}
	if len(words) > 1 {
		w, ok := number(words[1])
		if !ok || !(w >= 0 && w < 1e300) {
			return v.errorf("%q: the importance is a number from 0 on", words[1])
		}
		to.weight = w
	}
	return nil
}

// group reads the features of one namespace.
func (v *vw) group(text string) error {
	space, scale := "", 1.0
	if text != "" && text[0] != ' ' && text[0] != '\t' {
		word, rest, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
		name, factor, scaled := strings.Cut(word, ":")
		if scaled {
			x, ok := number(factor)
			if !ok {
				return v.errorf("%q: write |namespace:scale", word)
			}
			scale = x
		}
		space, text = name+"^", rest
	}
	for word := range strings.FieldsSeq(text) {
		name, value, given := strings.Cut(word, ":")
		x := 1.0
		if given {
			var ok bool
			if x, ok = number(value); !ok {
				return v.errorf("%q: write feature:value", word)
			}
		}
		i, err := v.names.add(space + name)
		if err != nil {
			return v.errorf("%w", err)
		}
		v.pairs = append(v.pairs, pair{uint32(i), x * scale})
	}
	return nil
}
