package app

import (
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/trainer"
)

// Lineage draws what runs: which sources feed which entity types, which of these a trigger's vectors are made of, and the models
// that learn from them. Triggers stand between features and models, since models of one trigger share their vectors.
func Lineage(p *program.Program) *freshetv1.LineageResponse {
	l := &lineage{p: p, out: &freshetv1.LineageResponse{}}
	for _, in := range p.Project.Inputs() {
		l.node(kindOf(in), in.Name, p.Project.Definition(kindOf(in), in.Name), nil, in.Key)
	}
	for e, prog := range p.Entities {
		var columns []string
		for _, c := range prog.Columns() {
			columns = append(columns, c.Name)
		}
		name := prog.Name()
		if in := p.Project.Input(name); in != nil && in.Table {
			l.out.Nodes[l.at(kindOf(in)+":"+name)].Columns = columns
			continue
		}
		l.node("entity", name, p.Project.Definition("entity", name), columns, prog.Entity().Key)
		for s := range p.Sources {
			if p.Entities[e].Takes(s) {
				l.edge(l.input(p.Sources[s].Name), "entity:"+name, "feeds")
			}
		}
	}
	for _, t := range p.Triggers {
		l.trigger(t)
	}
	return l.out
}

type lineage struct {
	p   *program.Program
	out *freshetv1.LineageResponse
}

func kindOf(in *project.Source) string {
	if in.Table {
		return "table"
	}
	return "source"
}

func (l *lineage) node(kind, name, definition string, columns, key []string) {
	l.out.Nodes = append(l.out.Nodes, &freshetv1.LineageNode{Id: kind + ":" + name, Kind: kind, Name: name, Definition: definition, Columns: columns, Key: key})
}

func (l *lineage) at(id string) int {
	return slices.IndexFunc(l.out.Nodes, func(n *freshetv1.LineageNode) bool { return n.Id == id })
}

// edge adds an edge between nodes that are there.
func (l *lineage) edge(from, to, what string) {
	if l.at(from) < 0 || l.at(to) < 0 {
		return
	}
	same := func(e *freshetv1.LineageEdge) bool { return e.From == from && e.To == to && e.What == what }
	if !slices.ContainsFunc(l.out.Edges, same) {
		l.out.Edges = append(l.out.Edges, &freshetv1.LineageEdge{From: from, To: to, What: what})
	}
}

// input is the id of a source or table.
func (l *lineage) input(name string) string {
	if in := l.p.Project.Input(name); in != nil {
		return kindOf(in) + ":" + name
	}
	return ""
}

// origin is the id of the node that gives a column.
func (l *lineage) origin(column string) string {
	owner, member, _ := strings.Cut(column, ".")
	switch {
	case owner == "derived":
		return "derived:" + member
	case l.p.Project.Entity(owner) != nil:
		return "entity:" + owner
	}
	return l.input(owner)
}

func (l *lineage) trigger(t *trainer.Trigger) {
	id := "trigger:" + t.Name
	var columns []string
	for _, c := range t.Vector.Schema.Columns {
		if name, first := c.Base(); first {
			columns = append(columns, name)
		}
	}
	l.node("trigger", t.Name, triggerText(t), columns, nil)
	if !t.Request {
		l.edge(l.input(t.Name), id, "asks")
	}
	for _, c := range columns {
		if name, is := strings.CutPrefix(c, "derived."); is {
			l.derived(name)
		}
		l.edge(l.origin(c), id, "feeds")
	}
	for i := range t.Members {
		m := &t.Members[i]
		definition, name := "", m.Name
		switch {
		case m.Baseline:
			definition = "pipeline: " + m.Pipeline
		case m.Name == m.Of:
			definition = l.p.Project.Definition("model", name)
		default:
			definition = l.p.Project.Definition("model", m.Of+"/"+strings.TrimPrefix(name, m.Of+"/"))
		}
		var reads []string
		for _, c := range m.Columns {
			if name, first := t.Vector.Schema.Columns[c].Base(); first {
				reads = append(reads, name)
			}
		}
		l.node("model", name, definition, reads, nil)
		l.edge(id, "model:"+name, "learns")
		if m.Label >= 0 {
			l.edge(l.input(l.p.Sources[t.Labels[m.Label].Source].Name), id, "labels")
		}
	}
}

func triggerText(t *trainer.Trigger) string {
	if t.Request {
		return "each Predict call for " + t.Name + " is an example"
	}
	return "each event of " + t.Name + " is an example"
}

// derived adds a derived feature and what it is made of, once.
func (l *lineage) derived(name string) {
	id := "derived:" + name
	if l.at(id) >= 0 {
		return
	}
	for i := range l.p.Project.Derived {
		d := &l.p.Project.Derived[i]
		if d.Name != name {
			continue
		}
		l.node("derived", name, l.p.Project.Definition("derived", name), []string{"derived." + name}, nil)
		for _, of := range slices.Concat(d.Cross, program.Names(d.Expr)) {
			l.edge(l.origin(of), id, "feeds")
		}
	}
}
