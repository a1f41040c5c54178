package project

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

const templateHead = `# yaml-language-server: $schema=freshet.schema.json
# A Freshet project. freshet validate checks this file, freshet plan says what it costs, freshet up runs it.
# Every key and its default: docs/reference/project-file.md
version: 1
`

// Template writes a commented freshet.yaml for the proposal; for nil, a small example project. Both pass
// Load and run without any service.
func Template(p *Proposal) []byte {
	if p == nil {
		return []byte(templateHead + exampleProject)
	}
	var b strings.Builder
	b.WriteString(templateHead)
	fmt.Fprintf(&b, "project: %s\nclock: events              # the data is in files; for live topics write wall\n\n", p.Project)
	p.writeSource(&b)
	if p.Key != "" {
		p.writeFeatures(&b)
	}
	p.writeModel(&b)
	return []byte(b.String())
}

func (p *Proposal) writeSource(b *strings.Builder) {
	fmt.Fprintf(b, "# Proposed from the first %d rows of %s: check types, time and what may be null (?).\nsources:\n  %s:\n    time: %s\n", p.Rows, p.File, p.Source, p.Time)
	if p.Behind > 0 {
		fmt.Fprintf(b, "    out_of_orderness: %s   # the greatest step back in time that was seen, rounded up\n", FormatDuration(p.Behind))
	}
	if p.Delimiter != 0 && p.Delimiter != ',' {
		fmt.Fprintf(b, "    delimiter: %q\n", string(p.Delimiter))
	}
	if len(p.Nulls) > 0 {
		fmt.Fprintf(b, "    nulls: [%s]\n", quoteAll(p.Nulls))
	}
	if p.Key != "" {
		fmt.Fprintf(b, "    key: %s\n", p.Key)
	}
	b.WriteString("    fields:\n")
	for _, f := range p.Fields {
		fmt.Fprintf(b, "      %s: %s\n", f.Name, fieldText(&f))
	}
	b.WriteByte('\n')
}

// fieldText writes a field the short way where that says all.
func fieldText(f *Field) string {
	kind := f.Kind.String()
	if f.Nullable {
		kind += "?"
	}
	plain := f.Format == "" || f.Format == "rfc3339"
	if plain && f.From == f.Name && f.Bytes == 0 {
		return kind
	}
	s := "{type: " + kind
	if f.From != f.Name {
		s += ", from: " + strconv.Quote(f.From)
	}
	if f.Bytes > 0 {
		s += fmt.Sprintf(", bytes: %d", f.Bytes)
	}
	if !plain {
		s += ", format: " + strconv.Quote(f.Format)
	}
	return s + "}"
}

func quoteAll(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = strconv.Quote(w)
	}
	return strings.Join(q, ", ")
}

// windows that suit how far the data reaches.
func (p *Proposal) windows() string {
	switch {
	case p.Span < time.Hour:
		return "[1m, 5m]"
	case p.Span < 7*24*time.Hour:
		return "[1h, 6h]"
	}
	return "[1d, 7d]"
}

func (p *Proposal) writeFeatures(b *strings.Builder) {
	fmt.Fprintf(b, "# What is counted and remembered for each %s, and read at the time of the question.\nfeatures:\n  by_%s:\n    key: %s\n", p.Key, p.Key, p.Key)
	fmt.Fprintf(b, "    events: {count: %s, over: %s}\n    idle: {since: %s}        # seconds since its last event\n", p.Source, p.windows(), p.Source)
	n := 0
	for _, f := range p.Fields {
		number := f.Kind == features.Double || f.Kind == features.Int && f.Name != p.ID
		if !number || f.Name == p.Label || f.Name == p.Key || n == 3 {
			continue
		}
		n++
		fmt.Fprintf(b, "    mean_%s: {mean: %s.%s, over: %s}\n", f.Name, p.Source, f.Name, p.windows())
	}
	if p.Label != "" && p.Task != models.Multiclass {
		fmt.Fprintf(b, "    before: {mean: %s, value: %s, over: lifetime}   # of the label; the event itself is not in it\n", p.Source, singleQuoted(p.LabelOf))
	}
	b.WriteByte('\n')
}

func (p *Proposal) writeModel(b *strings.Builder) {
	if p.Label == "" || p.ID == "" {
		need, id := "a label and an id, a field that is different in every event", p.ID
		if id == "" {
			id = "id"
		} else {
			need = "a label; " + id + " can be its id"
		}
		b.WriteString("# No model yet: it needs " + need + `. For example:
# models:
#   answer:
#     task: binary
#     on: ` + p.Source + `
#     id: ` + id + `
#     use: [` + p.Source + `.*]
#     label: {from: ` + p.Source + `, by: ` + id + `, value: outcome == "yes", wait: 1d}
`)
		if p.Key == "" {
			fmt.Fprintf(b, "features:\n  by_%s: {key: %s, events: {count: %s}}\n", p.ID, p.ID, p.Source)
		}
		return
	}
	b.WriteString("# The question, from what it is answered, and where the truth comes from.\nmodels:\n  " + modelName(p.Label, p.Source) + ":\n")
	fmt.Fprintf(b, "    task: %s\n", p.Task)
	if len(p.Classes) > 0 {
		fmt.Fprintf(b, "    classes: [%s]\n", quoteAll(p.Classes))
	}
	fmt.Fprintf(b, "    on: %s\n    id: %s\n    use: [%s.*", p.Source, p.ID, p.Source)
	if p.Key != "" {
		fmt.Fprintf(b, ", by_%s.*", p.Key)
	}
	b.WriteString("]\n")
	if p.hasText() {
		fmt.Fprintf(b, "    # Texts are read by their words: word_ngrams counts them, before a model that takes many columns.\n    pipeline: %s\n", p.textPipeline())
	}
	b.WriteString("    # The label stands in the same event, so it is learned right after the answer. If it comes later,\n    # from another source, say from which and how long to wait for it.\n")
	fmt.Fprintf(b, "    label: {from: %s, by: %s, value: %s, wait: 0s}\n", p.Source, p.ID, singleQuoted(p.LabelOf))
	fmt.Fprintf(b, "    # The same question without streaming features, to see what they bring.\n    challengers:\n      static: {use: [%s.*]}\n", p.Source)
}

func (p *Proposal) hasText() bool {
	return slices.ContainsFunc(p.Fields, func(f Field) bool { return f.Kind == features.FreeText })
}

// textPipeline is textExample for texts beside numbers and categories.
func (p *Proposal) textPipeline() string {
	rest := strings.TrimPrefix(textExample(p.Task), "[")
	if slices.ContainsFunc(p.Fields, func(f Field) bool { return f.Kind == features.String && f.Name != p.ID && f.Name != p.Label }) {
		rest = "one_hot, " + rest
	}
	return "[standard_scaler, " + rest
}

func singleQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func modelName(label, source string) string {
	if label == source {
		return label + "_model"
	}
	return label
}

const exampleProject = `project: shop

# What happens: one topic each, JSON unless format: says otherwise. ? after a type: may be null.
sources:
  orders:                  # {"at": "2026-01-02T15:04:05Z", "id": "o1", "user": "u1", "amount": 12.5, "country": "CH"}
    time: at               # event time, RFC 3339
    key: user
    fields: {id: string, user: string, amount: double, country: string?}
    expect: [amount >= 0]  # others are refused and go to the dead-letter topic
  returns:                 # {"at": "2026-01-09T10:00:00Z", "id": "o1", "user": "u1"}
    time: at
    key: user
    fields: {id: string, user: string}

# What is known about a user now: the newest record of each key. Use it as users.tier.
tables:
  users: {key: user, fields: {tier: string, since: time?}}

# What is counted and remembered for each user, and read at the time of the question.
features:
  user:
    key: user
    orders:  {count: orders, over: [1h, 7d]}
    spent:   {mean: orders.amount, over: 30d}
    returns: {count: returns, over: 30d}
    idle:    {since: orders}               # seconds since the last order

# The question: will this order come back? The truth comes days later, or never.
models:
  returned:
    task: binary
    on: orders                             # each order is answered as it comes
    id: id
    use: [user.*, users.tier, orders.*]
    label: {from: returns, by: id, value: "true", wait: 14d, missing: negative}
    challengers:
      static: {use: [orders.*]}            # the same without streaming features
`
