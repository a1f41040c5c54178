package project

import (
	"strings"

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
