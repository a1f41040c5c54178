package main

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

func (c *cli) models() *cobra.Command {
	t := &target{}
	var fromCatalog bool
	cmd := &cobra.Command{
		Use:   "models [NAME] [--catalog]",
		Short: "List the models of the running service, or the catalogue",
		Long: "Lists the models of the running service with version, freshness and scores, or tells all about one. With\n" +
			"--catalog it lists what a pipeline can be made of, without any service; with a NAME its parameters.",
		Example: "  freshet models\n  freshet models late --output json\n  freshet models --catalog logistic_regression",
		Args:    arguments(0, 1, "at most one name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if fromCatalog {
				return c.runCatalog(args)
			}
			return c.runModels(cmd, t, args)
		},
	}
	t.flags(cmd)
	cmd.Flags().BoolVar(&fromCatalog, "catalog", false, "the catalogue of this build instead of a service")
	return cmd
}

func (c *cli) runModels(cmd *cobra.Command, t *target, args []string) error {
	cl, err := c.dial(cmd, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	if len(args) > 0 {
		about, err := cl.GetModel(cmd.Context(), &freshetv1.GetModelRequest{Name: args[0]})
		if err != nil {
			return err
		}
		if c.json() {
			return c.writeProto(about)
		}
		return c.writeModel(about)
	}
	list, err := cl.ListModels(cmd.Context(), &freshetv1.ListModelsRequest{})
	if err != nil {
		return err
	}
	if c.json() {
		return c.writeProto(list)
	}
	out := c.table("MODEL", "ROLE", "TASK", "ON", "STATE", "LEARNED", "TRAINED UNTIL", "STALENESS", "VERSION", "SCORES")
	for _, m := range list.GetModels() {
		out.row(m.GetName(), role(m), m.GetTask(), m.GetOn(), modelState(m), count(int64(m.GetLearned())), when(m.GetTrainedUntil()),
			lasting(m.GetStaleness()), fmt.Sprint(m.GetVersion().GetSeq()), topScores(m.GetScores()))
	}
	return out.flush()
}

func role(m *freshetv1.Model) string { return strings.ToLower(m.GetRole().String()) }

func modelState(m *freshetv1.Model) string {
	s := strings.ReplaceAll(strings.ToLower(m.GetState().String()), "_", " ")
	if m.GetFrozen() {
		s += ", frozen"
	}
	return s
}

// headline are the scores that a short list shows, those that say most first.
var headline = []string{"roc_auc", "log_loss", "mase", "mae", "crps", "coverage_95", "rmse", "accuracy", "kappa", "r2"}

// scores writes all scores that are defined.
func scores(list []*freshetv1.Score) string {
	var out []string
	for _, s := range list {
		if !math.IsNaN(s.GetValue()) {
			out = append(out, fmt.Sprintf("%s %.4g", s.GetName(), s.GetValue()))
		}
	}
	return strings.Join(out, ", ")
}

// topScores writes the first three scores of the headline.
func topScores(list []*freshetv1.Score) string {
	var top []*freshetv1.Score
	for _, name := range headline {
		for _, s := range list {
			if s.GetName() == name && len(top) < 3 {
				top = append(top, s)
			}
		}
	}
	return scores(top)
}

// dropped writes what is not 0 of what a model's bounds have cost.
func dropped(list []*freshetv1.Drop) string {
	var out []string
	for _, d := range list {
		if d.GetCount() > 0 {
			out = append(out, fmt.Sprintf("%s %s", d.GetWhat(), count(int64(d.GetCount()))))
		}
	}
	return strings.Join(out, ", ")
}

// drifts says how often the loss has changed, and what its detector says now.
func drifts(r *freshetv1.GetModelResponse) string {
	text := count(int64(r.GetDrifts()))
	d := r.GetModel().GetDrift()
	if d.GetDetector() != "" {
		text += " by " + d.GetDetector()
	}
	if direction(d) == "" {
		return text
	}
	text += fmt.Sprintf("; %s: the loss %s", d.GetLevel(), direction(d))
	if d.GetAt() != nil {
		text += ", " + when(d.GetAt())
	}
	return text
}

func (c *cli) writeModel(r *freshetv1.GetModelResponse) error {
	m := r.GetModel()
	t := c.table()
	t.row("model", m.GetName())
	if m.GetOf() != m.GetName() {
		t.row("challenges", m.GetOf())
	}
	t.row("role", role(m))
	t.row("task", m.GetTask())
	t.row("on", m.GetOn())
	t.row("pipeline", m.GetPipeline())
	t.row("state", modelState(m))
	t.row("version", version(m.GetVersion()))
	t.row("trained until", when(m.GetTrainedUntil()))
	t.row("staleness", lasting(m.GetStaleness()))
	t.row("learned", fmt.Sprintf("%s; %s wait for their label", things(int64(m.GetLearned()), "label"), things(int64(r.GetPending()), "answer")))
	t.row("label", labelText(r.GetLabel()))
	t.row("drifts", drifts(r))
	t.row("saved state", fmt.Sprintf("%s bytes, sha256 %s", count(int64(r.GetStateBytes())), orNone(r.GetStateSha256())))
	if text := dropped(r.GetDropped()); text != "" {
		t.row("dropped", text)
	}
	t.row("scores", scores(m.GetScores()))
	for _, f := range r.GetFields() {
		text := f.GetName() + " " + f.GetKind()
		if f.GetNullable() {
			text += "?"
		}
		if len(f.GetKeys()) > 0 {
			text += ", key of " + strings.Join(f.GetKeys(), ", ")
		}
		t.row("field", text)
	}
	for _, col := range r.GetColumns() {
		t.row("column", col.GetName()+" "+col.GetKind())
	}
	for _, month := range r.GetMonths() {
		t.row(month.GetMonth(), fmt.Sprintf("%s labels, %s", count(int64(month.GetLabels())), topScores(month.GetScores())))
	}
	return t.flush()
}

func labelText(l *freshetv1.LabelSpec) string {
	if l == nil || l.GetFrom() == "" {
		return "none"
	}
	if l.GetFeedback() {
		return "feedback calls"
	}
	return fmt.Sprintf("%s of %s by %s, within %s, else %s", l.GetValue(), l.GetFrom(), l.GetBy(), lasting(l.GetWait()), orNone(l.GetMissing()))
}

// component is the JSON of one entry of the catalogue.
type component struct {
	Name   string      `json:"name"`
	Kind   models.Kind `json:"kind"`
	Tasks  []string    `json:"tasks"`
	Doc    string      `json:"doc"`
	Cost   string      `json:"cost,omitempty"`
	Memory string      `json:"memory,omitempty"`
	Source string      `json:"source,omitempty"`
	Fold   int         `json:"fold_version"`
	Params []parameter `json:"params"`
}

type parameter struct {
	Name    string   `json:"name"`
	Default any      `json:"default"`
	Allowed string   `json:"allowed,omitempty"`
	Choices []string `json:"choices,omitempty"`
	Unit    string   `json:"unit,omitempty"`
	Doc     string   `json:"doc"`
}

func describe(m *models.Component) component {
	out := component{Name: m.Name, Kind: m.Kind, Doc: m.Doc, Cost: m.Cost, Memory: m.Memory, Source: m.Source, Fold: m.Fold,
		Tasks: []string{}, Params: []parameter{}}
	for _, t := range m.Tasks {
		out.Tasks = append(out.Tasks, t.String())
	}
	for _, p := range m.Params {
		def := p.Default
		if s, ok := def.(models.Spec); ok {
			def = specText(s)
		}
		out.Params = append(out.Params, parameter{Name: p.Name, Default: def, Allowed: p.Range.String(), Choices: p.Choices, Unit: p.Unit, Doc: p.Doc})
	}
	return out
}

func specText(s models.Spec) string {
	var list []string
	for _, stage := range s.Stages {
		var params []string
		for name, v := range stage.Params {
			params = append(params, fmt.Sprintf("%s: %v", name, v))
		}
		sort.Strings(params)
		text := stage.Name
		if len(params) > 0 {
			text += "{" + strings.Join(params, ", ") + "}"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

func (c *cli) runCatalog(args []string) error {
	if len(args) > 0 {
		m := catalog.All.Find(args[0])
		if m == nil {
			var known []string
			for i := range catalog.All {
				known = append(known, catalog.All[i].Name)
			}
			return usagef("the catalogue has no %q%s", args[0], didYouMean(args[0], known))
		}
		return c.writeComponent(describe(m))
	}
	list := []component{}
	for i := range catalog.All {
		list = append(list, describe(&catalog.All[i]))
	}
	if c.json() {
		return c.writeJSON(map[string]any{"components": list})
	}
	t := c.table("NAME", "KIND", "TASKS", "PARAMETERS")
	for _, m := range list {
		var params []string
		for _, p := range m.Params {
			params = append(params, p.Name)
		}
		t.row(m.Name, string(m.Kind), tasksText(m), strings.Join(params, ", "))
	}
	return t.flush()
}

func tasksText(m component) string {
	if len(m.Tasks) == 0 {
		return "all"
	}
	return strings.Join(m.Tasks, ", ")
}

func (c *cli) writeComponent(m component) error {
	if c.json() {
		return c.writeJSON(m)
	}
	fmt.Fprintf(c.stdout, "%s, %s, tasks: %s\n%s\n", m.Name, m.Kind, tasksText(m), m.Doc)
	for _, fact := range [][2]string{{"Cost per event", m.Cost}, {"Memory", m.Memory}, {"Source", m.Source}} {
		if fact[1] != "" {
			fmt.Fprintf(c.stdout, "%s: %s\n", fact[0], fact[1])
		}
	}
	if len(m.Params) == 0 {
		return nil
	}
	fmt.Fprintln(c.stdout)
	t := c.table("PARAMETER", "DEFAULT", "ALLOWED", "MEANING")
	for _, p := range m.Params {
		allowed := p.Allowed
		if len(p.Choices) > 0 {
			allowed = strings.Join(p.Choices, ", ")
		}
		t.row(p.Name, fmt.Sprint(p.Default), allowed, p.Doc)
	}
	return t.flush()
}
