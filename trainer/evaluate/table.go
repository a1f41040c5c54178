package evaluate

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/spelling"
	"github.com/freshet-ml/freshet/models"
)

// maxClasses bounds the classes of a target: more distinct texts are an identifier.
const maxClasses = 1000

// table is what the first reading of a file found.
type table struct {
	task    models.Task
	schema  *features.Schema
	from    []int // by column of the schema: the column of the file, -1 for one that a sparse file does not have
	to      []int // by column of the file: the column of the schema, -1 for none; of sparse files
	sparse  bool
	target  int // -1: the label of a sparse file
	time    int // -1: none
	key     int // -1: none
	labels  []string
	class   map[string]float64
	rows    int64
	labeled int64
}

// survey reads the file once: which columns hold numbers only, which labels there are, how many rows.
type survey struct {
	o        *Options
	name     string
	header   []string
	columns  []column
	texts    []bool   // the column holds a field that is no number
	odd      []string // the first such field, with its line
	values   []map[uint64]struct{}
	labels   map[string]struct{}
	many     bool   // more labels than a classification may have
	oddLabel string // of a sparse file: the first label that is no number, with its line
	saved    *header
	table
}

// sparseLabel is the name of the target of sparse formats.
const sparseLabel = "label"

// look surveys the data; saved is what a loaded state says of the columns and classes, nil without one.
func look(s *source, o *Options, saved *header) (*table, error) {
	r, err := s.rows()
	if err != nil {
		return nil, err
	}
	defer r.close()
	v := &survey{o: o, name: r.name, columns: r.columns(), labels: map[string]struct{}{}, saved: saved}
	v.sparse = s.format == "libsvm" || s.format == "vw"
	for _, c := range v.columns {
		v.header = append(v.header, c.name)
	}
	n := len(v.header)
	v.texts, v.odd, v.values = make([]bool, n), make([]string, n), make([]map[uint64]struct{}, n)
	if err := v.find(s.format); err != nil {
		return nil, err
	}
	var record row
	for o.Limit == 0 || v.rows < o.Limit {
		err := r.next(&record)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := v.row(&record); err != nil {
			return nil, err
		}
		if err := s.pace.row(v.rows); err != nil {
			return nil, err
		}
	}
	if v.rows == 0 {
		return nil, fmt.Errorf("%s: there is no row after the first line, which names the columns", r.name)
	}
	if err := v.decideTask(); err != nil {
		return nil, err
	}
	return v.finish()
}

// find finds the columns that the options name.
func (v *survey) find(format string) error {
	if err := v.findTarget(format); err != nil {
		return err
	}
	v.time, v.key = -1, -1
	var err error
	if v.o.Time != "" {
		if v.time, err = v.column("time", v.o.Time); err != nil {
			return err
		}
	}
	if v.o.Key != "" {
		if v.key, err = v.column("key", v.o.Key); err != nil {
			return err
		}
	}
	if v.sparse && (v.time >= 0 || v.key >= 0) {
		return fmt.Errorf("%s: rows of libsvm and vw have no column of times or keys", v.name)
	}
	for what, list := range map[string][]string{"drop": v.o.Drop, "categorical": v.o.Categorical, "numeric": v.o.Numeric, "text": v.o.Text} {
		for _, c := range list {
			i, err := v.column(what, c)
			if err != nil {
				return err
			}
			if i == v.target && what == "drop" {
				return fmt.Errorf("drop: %s is the target", c)
			}
			if v.sparse && (what == "categorical" || what == "text") {
				return fmt.Errorf("%s: %s: the features of libsvm and vw are numbers", what, c)
			}
			if what == "text" && (slices.Contains(v.o.Categorical, c) || slices.Contains(v.o.Numeric, c)) {
				return fmt.Errorf("text: %s is among the categorical or numeric columns too", c)
			}
		}
	}
	for _, c := range v.o.Numeric {
		if slices.Contains(v.o.Categorical, c) {
			return fmt.Errorf("numeric: %s is among the categorical columns too", c)
		}
	}
	return nil
}

// findTarget finds the column to predict; some formats have one of their own.
func (v *survey) findTarget(format string) error {
	target := v.o.Target
	switch {
	case v.sparse:
		v.target = -1
		if target != "" && target != sparseLabel {
			return fmt.Errorf("target: %s: what libsvm and vw files predict is named %s", target, sparseLabel)
		}
		return nil
	case target == "" && (format == "arff" || format == generatorPrefix):
		v.target = len(v.header) - 1
		return nil
	case target == "":
		return fmt.Errorf("target: none given: name the column to predict with --target; %s has %s", v.name, v.listed())
	}
	var err error
	v.target, err = v.column("target", target)
	return err
}

func (v *survey) listed() string {
	const most = 40
	if len(v.header) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(v.header[:most], ", "), len(v.header)-most)
	}
	return strings.Join(v.header, ", ")
}

func (v *survey) column(what, column string) (int, error) {
	if i := slices.Index(v.header, column); i >= 0 {
		return i, nil
	}
	mend := spelling.DidYouMean(column, v.header)
	if mend == "" {
		mend = "its columns are " + v.listed()
	}
	return 0, fmt.Errorf("%s: no column %q in %s: %s", what, column, v.name, mend)
}

func (v *survey) row(r *row) error {
	v.rows++
	for i, f := range r.fields {
		if missing(f) {
			continue
		}
		if !v.texts[i] {
			x, ok := number(f)
			if !ok || i == v.target && math.IsInf(x, 0) {
				v.texts[i] = true
				v.odd[i] = fmt.Sprintf("%s:%d: %q", v.name, r.line, strings.Clone(f))
			}
		}
		if err := v.count(i, f); err != nil {
			return err
		}
	}
	y := r.label
	if !v.sparse {
		y = r.fields[v.target]
	}
	if missing(y) {
		return nil
	}
	v.labeled++
	if _, ok := v.labels[y]; !ok && !v.many {
		if err := v.declared(r.line, y); err != nil {
			return err
		}
		v.labels[strings.Clone(y)] = struct{}{}
		v.many = len(v.labels) > maxClasses
	}
	if x, ok := number(y); v.sparse && (!ok || math.IsInf(x, 0)) && v.oddLabel == "" {
		v.oddLabel = fmt.Sprintf("%s:%d: %q", v.name, r.line, strings.Clone(y))
	}
	return nil
}

// declared refuses a label that the declared classes, or those of a loaded state, leave out.
func (v *survey) declared(line int, y string) error {
	all, by := v.o.Classes, "declared"
	if v.saved != nil {
		all, by = v.saved.Classes, "loaded state's"
	}
	if len(all) == 0 || slices.Contains(all, y) {
		return nil
	}
	if x, ok := number(y); ok { // 1 and 1.0 are one label
		for _, c := range all {
			if z, ok := number(c); ok && x == z {
				return nil
			}
		}
	}
	return fmt.Errorf("%s:%d: target %s: %q is none of the %s classes %s: mend it, or declare it", v.name, line, v.targetName(), y, by, strings.Join(all, ", "))
}

// count holds a column of texts to the bound of categories.
func (v *survey) count(i int, f string) error {
	if i == v.target || i == v.time || i == v.key || slices.Contains(v.o.Text, v.header[i]) || !v.texts[i] && !slices.Contains(v.o.Categorical, v.header[i]) || slices.Contains(v.o.Drop, v.header[i]) {
		return nil
	}
	most := cmp.Or(v.o.MaxCategories, DefaultCategories)
	if v.values[i] == nil {
		v.values[i] = map[uint64]struct{}{}
	}
	if v.values[i][features.Hash(f)] = struct{}{}; len(v.values[i]) > most {
		return fmt.Errorf("column %s: more than %d distinct values, such as %s: this looks like an identifier, a time or a broken number: --drop it, name it with --time or --key, or raise --max-categories",
			v.header[i], most, cmp.Or(v.odd[i], strconv.Quote(f)))
	}
	return nil
}

func (v *survey) targetName() string {
	if v.target < 0 {
		return sparseLabel
	}
	return v.header[v.target]
}

// decideTask finds the task, and the classes in their order.
func (v *survey) decideTask() error {
	odd := v.oddLabel
	if v.target >= 0 && v.texts[v.target] {
		odd = v.odd[v.target]
	}
	numeric := odd == ""
	found := len(v.labels)
	for _, c := range v.o.Classes {
		v.labels[c] = struct{}{}
		if _, ok := number(c); !ok {
			numeric = false
		}
	}
	v.task = v.o.Task
	v.table.labels, v.class = classes(v.labels, numeric)
	if v.saved != nil {
		return v.continued(found, odd)
	}
	n := len(v.table.labels)
	if v.task == 0 {
		switch {
		case n == 2:
			v.task = models.Binary
		case numeric && len(v.o.Classes) == 0 && (v.target < 0 || v.columns[v.target].kind != category):
			v.task = models.Regression
		default:
			v.task = models.Multiclass
		}
	}
	target := v.targetName()
	switch {
	case found == 0:
		return fmt.Errorf("target %s: no row of %s has a value there", target, v.name)
	case found == 1 && len(v.o.Classes) == 0:
		return fmt.Errorf("target %s: every row of %s has the value %s: there is nothing to learn", target, v.name, v.table.labels[0])
	}
	switch v.task {
	case models.Regression:
		if !numeric {
			return fmt.Errorf("target %s: %s is no finite number: mend it, or choose --task binary or multiclass", target, odd)
		}
		v.table.labels = nil
	case models.Binary, models.Anomaly:
		if n != 2 {
			return fmt.Errorf("target %s: %s values, and the task %s wants two: choose --task multiclass or regression", target, v.howMany(), v.task)
		}
	case models.Multiclass:
		if v.many {
			return fmt.Errorf("target %s: %s distinct values: this looks like a name or an identifier, not a class: choose another --target, or --task regression", target, v.howMany())
		}
	default:
		return fmt.Errorf("task %s: evaluate takes binary, multiclass, regression and anomaly", v.task)
	}
	return nil
}

// continued takes task and classes from the loaded state.
func (v *survey) continued(found int, odd string) error {
	task, _ := models.ParseTask(v.saved.Task)
	if v.task != 0 && v.task != task {
		return fmt.Errorf("task %s: the loaded state is of the task %s", v.task, task)
	}
	v.task = task
	if task == models.Regression {
		if odd != "" {
			return fmt.Errorf("target %s: %s is no finite number: mend it", v.targetName(), odd)
		}
		v.table.labels = nil
		return nil
	}
	v.table.labels = v.saved.Classes
	set := map[string]struct{}{}
	for _, c := range v.saved.Classes {
		set[c] = struct{}{}
	}
	for y := range v.labels {
		set[y] = struct{}{}
	}
	numeric := true
	for c := range set {
		if _, ok := number(c); !ok {
			numeric = false
		}
	}
	_, v.class = classes(set, numeric)
	if found == 0 {
		return fmt.Errorf("target %s: no row of %s has a value there", v.targetName(), v.name)
	}
	return nil
}

func (v *survey) howMany() string {
	if v.many {
		return fmt.Sprintf("more than %d", maxClasses)
	}
	return fmt.Sprint(len(v.table.labels))
}

// classes orders labels by number if all are numbers, else by text, and gives each its class. Texts of one number, such as 1 and 1.0, are one
// class, named by the first of them as texts are ordered.
func classes(set map[string]struct{}, numeric bool) (labels []string, class map[string]float64) {
	texts := slices.Sorted(maps.Keys(set))
	value := func(s string) float64 {
		x, _ := number(s)
		return x
	}
	if numeric {
		slices.SortStableFunc(texts, func(a, b string) int { return cmp.Compare(value(a), value(b)) })
	}
	class = make(map[string]float64, len(texts))
	for i, t := range texts {
		if i == 0 || !numeric || value(t) > value(texts[i-1]) {
			labels = append(labels, t)
		}
		class[t] = float64(len(labels) - 1)
	}
	return labels, class
}

// finish makes the schema: every column but the target, the time, the key and those dropped; numeric if all of its values are.
func (v *survey) finish() (*table, error) {
	t := &v.table
	t.schema = &features.Schema{}
	for i, c := range v.columns {
		if i == t.target || i == t.time || i == t.key || slices.Contains(v.o.Drop, c.name) {
			continue
		}
		if slices.Contains(v.o.Text, c.name) {
			for _, slot := range features.TextColumns(c.name, features.DefaultTextSlots) {
				t.schema.Columns, t.from = append(t.schema.Columns, slot), append(t.from, i)
			}
			continue
		}
		k, err := v.kind(i)
		if err != nil {
			return nil, err
		}
		t.schema.Columns = append(t.schema.Columns, features.Column{Name: c.name, Kind: k})
		t.from = append(t.from, i)
	}
	if v.saved != nil {
		if err := v.match(); err != nil {
			return nil, err
		}
	}
	if len(t.from) == 0 {
		return nil, fmt.Errorf("%s: no column is left for the model to see", v.name)
	}
	t.to = make([]int, len(v.columns))
	for i := range t.to {
		t.to[i] = -1
	}
	for i, at := range t.from {
		if at >= 0 {
			t.to[at] = i
		}
	}
	return t, nil
}

func (v *survey) kind(i int) (features.ColumnKind, error) {
	c := v.columns[i]
	switch {
	case slices.Contains(v.o.Numeric, c.name):
		if v.texts[i] {
			return 0, fmt.Errorf("numeric: column %s: %s is no number: mend it, or leave the column to be a category", c.name, v.odd[i])
		}
		return features.Numeric, nil
	case slices.Contains(v.o.Categorical, c.name), c.kind == category, v.texts[i]:
		return features.Categorical, nil
	}
	return features.Numeric, nil
}

// match brings the columns into the order and the kinds of the loaded state.
func (v *survey) match() error {
	t, found := &v.table, map[string]int{}
	for i, c := range t.schema.Columns {
		found[c.Name] = i
	}
	schema := v.saved.schema()
	from := make([]int, len(schema.Columns))
	for i, want := range schema.Columns {
		at, ok := found[want.Name]
		delete(found, want.Name)
		switch {
		case !ok && t.sparse:
			from[i] = -1
			continue
		case !ok:
			return fmt.Errorf("load: %w: %s has no column %s", models.ErrOtherSchema, v.name, want.Name)
		case want.Kind == features.Numeric && t.schema.Columns[at].Kind != want.Kind:
			return fmt.Errorf("load: %w: column %s of %s holds a text (%s), and numbers in the state", models.ErrOtherSchema, want.Name, v.name, v.odd[t.from[at]])
		}
		from[i] = t.from[at]
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		return fmt.Errorf("load: %w: column %s of %s is not in the state: --drop it", models.ErrOtherSchema, name, v.name)
	}
	t.schema, t.from = schema, from
	return nil
}

// denseColumns is up to how many columns sparse files are given to the model as dense rows, which most models read faster.
const denseColumns = 1024

// fill writes the features of a row; a field that is missing or infinite is NaN.
func (t *table) fill(dst *models.Row, r *row) {
	if t.sparse {
		t.fillSparse(dst, r)
		return
	}
	for i, c := range t.schema.Columns {
		f := r.fields[t.from[i]]
		if c.Kind == features.Text && !missing(f) {
			if i == 0 || t.from[i] != t.from[i-1] {
				features.AppendText(dst.Value[i:i], f, features.DefaultTextSlots)
			}
			continue
		}
		dst.Value[i] = math.NaN()
		switch {
		case missing(f):
		case c.Kind == features.Categorical:
			dst.Value[i] = features.Category(f)
		default:
			if x, ok := number(f); ok && !math.IsInf(x, 0) {
				dst.Value[i] = x
			}
		}
	}
}

func (t *table) fillSparse(dst *models.Row, r *row) {
	dense := len(t.schema.Columns) <= denseColumns
	if dense {
		clear(dst.Value)
	} else {
		dst.Index, dst.Value = dst.Index[:0], dst.Value[:0]
	}
	for j, from := range r.index {
		at, x := t.to[from], r.value[j]
		if at < 0 {
			continue
		}
		if math.IsInf(x, 0) {
			x = math.NaN()
		}
		if dense {
			dst.Value[at] = x
		} else {
			dst.Index, dst.Value = append(dst.Index, uint32(at)), append(dst.Value, x)
		}
	}
	if !dense && !slices.IsSorted(dst.Index) { // a loaded state may have another order of columns
		sort.Sort(byIndex(*dst))
	}
}

// label is the number that stands for the target of a row, NaN if it is missing.
func (t *table) label(r *row) float64 {
	f := r.label
	if !t.sparse {
		f = r.fields[t.target]
	}
	if missing(f) {
		return math.NaN()
	}
	if t.task == models.Regression {
		y, _ := number(f)
		return y
	}
	return t.class[f]
}

// byIndex sorts a sparse row.
type byIndex models.Row

func (b byIndex) Len() int           { return len(b.Index) }
func (b byIndex) Less(i, j int) bool { return b.Index[i] < b.Index[j] }
func (b byIndex) Swap(i, j int) {
	b.Index[i], b.Index[j] = b.Index[j], b.Index[i]
	b.Value[i], b.Value[j] = b.Value[j], b.Value[i]
}
