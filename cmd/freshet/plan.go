package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
)

func (c *cli) plan() *cobra.Command {
	var rates []string
	var against string
	var topics bool
	cmd := &cobra.Command{
		Use:   "plan [FILE] [--rate SOURCE=N/s] [--against OLD.yaml] [--topics]",
		Short: "Say what a project costs and keeps, and what a change would rebuild",
		Example: "  freshet plan --rate departed=400/s --rate 50/m\n" +
			"  freshet plan --against freshet.yaml.old\n" +
			"  freshet plan --topics",
		Args: arguments(0, 1, "at most one file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if topics {
				return c.planTopics(fileArg(args))
			}
			return c.runPlan(fileArg(args), rates, against)
		},
	}
	cmd.Flags().StringArrayVar(&rates, "rate", nil, "events of a source: SOURCE=N/s, /m, /h or /d; without SOURCE= of all others (default: 1/s)")
	cmd.Flags().StringVar(&against, "against", "", "the project file that runs now: say what changes")
	cmd.Flags().BoolVar(&topics, "topics", false, "only the topics: a table, and the commands that make them, for clusters where Freshet may not")
	return cmd
}

// plannedTopic is the JSON of a topic.
type plannedTopic struct {
	Name       string   `json:"name"`
	Partitions int32    `json:"partitions"`
	Replicas   int16    `json:"replicas"`
	Settings   []string `json:"settings"`
	Command    string   `json:"command"`
}

// planTopics writes the topics that the project needs, and how to make them.
func (c *cli) planTopics(path string) error {
	prog, err := c.compiled(path)
	if err != nil {
		return err
	}
	specs := app.Needed(prog)
	if !c.json() {
		return stage.WriteTopics(c.stdout, specs)
	}
	var list []plannedTopic
	for i := range specs {
		s := &specs[i]
		list = append(list, plannedTopic{s.Name, s.Partitions, s.Replicas, s.Settings(), s.Command()})
	}
	return c.writeJSON(list)
}

// planned is the JSON of plan.
type planned struct {
	project.Plan
	Changes []project.Change `json:"changes,omitempty"`
}

func (c *cli) runPlan(path string, rates []string, against string) error {
	p, err := c.load(path)
	if err != nil {
		return err
	}
	opt, err := planOptions(p, rates)
	if err != nil {
		return err
	}
	out := planned{Plan: project.PlanOf(p, opt)}
	if against != "" {
		old, err := c.load(against)
		if err != nil {
			return err
		}
		out.Changes = project.Compare(old, p)
	}
	if c.json() {
		return c.writeJSON(out)
	}
	if err := out.WriteText(c.stdout); err != nil || against == "" {
		return err
	}
	fmt.Fprintf(c.stdout, "\nAgainst %s:\n", against)
	return project.WriteChanges(c.stdout, out.Changes)
}

func planOptions(p *project.Project, rates []string) (project.PlanOptions, error) {
	opt := project.PlanOptions{Rates: map[string]float64{}}
	var known []string
	for _, in := range p.Inputs() {
		known = append(known, in.Name)
	}
	for _, text := range rates {
		name, value, named := strings.Cut(text, "=")
		if !named {
			value = text
		}
		rate, err := parseRate(value)
		if err != nil {
			return opt, usagef("--rate %s: %w", text, err)
		}
		switch {
		case !named:
			opt.Rate = rate
		case p.Input(name) == nil:
			return opt, usagef("--rate %s: the project has no source %q%s", text, name, didYouMean(name, known))
		default:
			opt.Rates[name] = rate
		}
	}
	return opt, nil
}

// parseRate reads 400, 400/s, 30/m, 5/h or 100/d as events a second.
func parseRate(text string) (float64, error) {
	number, unit, _ := strings.Cut(text, "/")
	x, err := strconv.ParseFloat(number, 64)
	seconds := map[string]float64{"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
	if err != nil || !(x >= 0) || x > 1e12 || seconds == 0 {
		return 0, fmt.Errorf("%q is no rate; write a number with /s, /m, /h or /d", text)
	}
	return x / seconds, nil
}
