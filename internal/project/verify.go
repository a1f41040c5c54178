package project

import (
	"errors"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
)

// resolve checks a pipeline against the catalogue of models.
func resolve(spec models.Spec, task models.Task) error {
	_, err := catalog.Resolve(spec, task)
	return err
}

// remembering names the component of a pipeline that remembers entities, "" if none does; false for a pipeline that is wrong, which is said elsewhere.
func remembering(pipeline any, task models.Task) (name string, ok bool) {
	spec, err := models.ParseSpec(pipeline)
	if err != nil {
		return "", false
	}
	plan, err := catalog.Resolve(spec, task)
	if err != nil {
		return "", false
	}
	if c := plan.Entity(); c != nil {
		name = c.Name
	}
	return name, true
}

// rememberers names the components that remember entities.
func rememberers() (names []string) {
	for i := range catalog.All {
		if catalog.All[i].Entities {
			names = append(names, catalog.All[i].Name)
		}
	}
	return names
}

// compiles lets the compilers of sources and features judge a project in which nothing else was found,
// so that a project that validates also runs.
func (c *checker) compiles() {
	if len(c.d.problems) > 0 {
		return
	}
	specs, err := c.p.SourceSpecs()
	if err != nil {
		c.d.add(Pos{}, "sources", err.Error(), "", "")
		return
	}
	inputs := c.p.Inputs()
	for i := range specs {
		if _, err := ingest.NewDecoder(&specs[i]); err != nil {
			path := sectionOf(inputs[i]) + "." + inputs[i].Name
			c.each(err, path, "source "+inputs[i].Name+": ")
		}
	}
	sources := c.p.FeatureSources()
	for _, e := range c.p.Entities() {
		if _, err := unit.Compile(e, sources, c.p.UnitOptions()); err != nil {
			section := "features."
			switch {
			case c.p.Input(e.Name) != nil:
				section = "tables."
			case c.p.Model(e.Name) != nil:
				section = "models."
			}
			c.each(err, section+e.Name, "feature "+e.Name)
		}
	}
	if len(c.d.problems) == 0 {
		c.textPipelines()
	}
}

// textPipelines checks that the pipelines of models that use texts read their words before anything else takes them.
func (c *checker) textPipelines() {
	for i := range c.p.Models {
		m := &c.p.Models[i]
		if m.Task == models.Forecast {
			continue
		}
		path := "models." + m.Name
		c.textPipeline(m, m.Use, m.Pipeline, path)
		for k := range m.Challengers {
			ch := &m.Challengers[k]
			at := path + ".challengers." + ch.Name
			if c.given(at+".use") || c.given(at+".pipeline") {
				c.textPipeline(m, ch.Use, ch.Pipeline, at)
			}
		}
	}
}

// textPipeline builds a pipeline for the columns that it is to see, if a text is among them.
func (c *checker) textPipeline(m *Model, use []string, pipeline any, path string) {
	columns, _ := c.p.Use(m, use)
	schema := &features.Schema{}
	texts := false
	for _, col := range columns {
		if col.Kind == features.Text {
			texts = true
			schema.Columns = append(schema.Columns, features.TextColumns(col.Name, features.TextSlots(col.Bytes))...)
			continue
		}
		schema.Columns = append(schema.Columns, features.Column{Name: col.Name, Kind: col.Kind})
	}
	spec, err := models.ParseSpec(pipeline)
	if err != nil || !texts {
		return
	}
	plan, err := catalog.Resolve(spec, m.Task)
	if err != nil {
		return
	}
	_, err = plan.Build(models.Env{Schema: schema, Task: m.Task, Classes: max(2, len(m.Classes)), Seed: 1})
	var errs models.SpecErrors
	switch {
	case errors.As(err, &errs):
		for i := range errs {
			if errs[i].Mend == models.TextMend {
				errs[i].Mend += ", such as pipeline: " + textExample(m.Task)
			}
		}
		c.specErrors(errs, path+".pipeline", path+".pipeline")
	case err != nil:
		c.bad(path+".pipeline", err.Error(), "", "")
	}
}

// textExample is a pipeline that reads texts.
func textExample(task models.Task) string {
	switch task {
	case models.Binary:
		return "[word_ngrams, logistic_regression]"
	case models.Multiclass:
		return "[word_ngrams, softmax_regression]"
	case models.Regression:
		return "[word_ngrams, linear_regression]"
	}
	return "[word_ngrams, half_space_trees]"
}

// each reports every line of a joined error at path, or at the feature that it names.
func (c *checker) each(err error, path, prefix string) {
	for line := range strings.Lines(err.Error()) {
		reason := strings.TrimSpace(strings.TrimPrefix(line, prefix))
		at := path
		if rest, ok := strings.CutPrefix(reason, "."); ok {
			name, after, _ := strings.Cut(rest, ": ")
			at, reason = path+"."+name, after
		}
		c.bad(at, strings.TrimPrefix(reason, ": "), "", "")
	}
}
