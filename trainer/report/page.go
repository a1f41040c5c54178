package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

// Document is a report: a head, and sections with figures and tables.
type Document struct {
	Title    string
	Kind     string // above the title
	Lead     string
	Facts    []Fact
	Sections []Section
}

// Fact is a name with its value. Code values are shown in a fixed-width font.
type Fact struct {
	Name, Value string
	Code        bool
}

// Section is a part of a report. ID is its anchor: lower-case letters and dashes.
type Section struct {
	ID, Title string
	Text      string
	Good, Bad []string // lines that say what is met, and what is not
	Code      string   // a block to copy
	Notes     []string
	Facts     []Fact
	Figures   []Figure
	Tables    []Table
}

// Figure is a chart with its legend and its numbers.
type Figure struct {
	Title   string
	Caption string
	Chart   template.HTML
	Legend  []Key
	Table   Table
	Half    bool // two stand side by side
}

// Key is one series of a legend.
type Key struct {
	Name  string
	Color int
	Faint bool
}

// Class is the class of the series' colour.
func (k Key) Class() string {
	if k.Faint {
		return series(k.Color) + " faint"
	}
	return series(k.Color)
}

// Table is numbers. The first column names the row; Text says which of the others are text, the rest is set right.
type Table struct {
	Caption string
	Head    []string
	Text    map[int]bool
	Rows    [][]string
	Strong  map[int]bool // rows that stand out
	Open    bool         // shown at once, instead of on demand; on paper all are shown
}

// Right reports whether a column is set right.
func (t Table) Right(column int) bool { return column > 0 && !t.Text[column] }

//go:embed style.css
var style string

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"style": func() template.CSS { return template.CSS(style) }, // a file of this package
}).Parse(pageText))

// Write writes a document as one HTML file. It asks for nothing from elsewhere, and its content security policy forbids it to.
func Write(w io.Writer, d *Document) error {
	if err := page.Execute(w, d); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
