// Package metrics defines every Prometheus metric of Freshet in one place, so that names, units, labels
// and help texts agree and docs/reference/metrics.md is generated from them. Stages are handed a
// *Metrics and set what is theirs; the HTTP server exposes the registry.
//
// Names are freshet_<area>_<noun>_<unit> in base units. Nothing is labelled by entity, id or request. Every
// sample carries the project, so that one Prometheus can watch several.
package metrics

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
)

// Def documents one metric.
type Def struct {
	Area   string // who sets it
	Name   string
	Type   string // counter, gauge or histogram
	Labels []string
	Help   string
}

// Metrics holds one registry and every metric in it. It is safe for concurrent use. Hot paths resolve
// their labelled children once (WithLabelValues) and keep them.
type Metrics struct {
	Serving
	Sequencing
	Units
	Joining
	Learning
	Stages
	Process

	registry *prometheus.Registry
	defs     []Def
	mu       sync.Mutex
	hooks    []func()
	project  string
}

// New returns a fresh set of metrics in a registry of its own, with those of the Go runtime and the
// process beside them.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.Sequencing.define(&area{m: m, name: "sequencer"})
	m.Units.define(&area{m: m, name: "feature units"})
	m.Joining.define(&area{m: m, name: "joiner"})
	m.Learning.define(&area{m: m, name: "learners"})
	m.Serving.define(&area{m: m, name: "serving"})
	m.Stages.define(&area{m: m, name: "all stages"})
	m.Process.define(&area{m: m, name: "every process"})
	return m
}

// Registry is where other collectors of the process are registered.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// OnScrape calls f before each collection, for gauges that are cheaper to compute when asked for.
func (m *Metrics) OnScrape(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hooks = append(m.hooks, f)
}

// Name gives every sample the label project. Empty: none.
func (m *Metrics) Name(project string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.project = project
}

// Gather collects all metrics; it makes Metrics a prometheus.Gatherer.
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) {
	m.mu.Lock()
	hooks, project := m.hooks, m.project
	m.mu.Unlock()
	for _, f := range hooks {
		f()
	}
	families, err := m.registry.Gather()
	if project != "" {
		for _, f := range families {
			for _, sample := range f.GetMetric() {
				sample.Label = with(sample.GetLabel(), "project", project)
			}
		}
	}
	return families, err
}

// with returns a copy of sorted labels with one more; the registry's own may be shared between scrapes.
func with(labels []*dto.LabelPair, name, value string) []*dto.LabelPair {
	at, there := slices.BinarySearchFunc(labels, name, func(l *dto.LabelPair, name string) int { return strings.Compare(l.GetName(), name) })
	if there {
		return labels
	}
	return slices.Insert(slices.Clip(slices.Clone(labels)), at, &dto.LabelPair{Name: &name, Value: &value})
}

// Defs returns the documentation of every metric, in the order of the flow.
func (m *Metrics) Defs() []Def { return m.defs }

// area registers the metrics of one part of the service.
type area struct {
	m    *Metrics
	name string
}

func (a *area) add(kind, name, help string, labels []string, c prometheus.Collector) {
	a.m.registry.MustRegister(c)
	a.m.defs = append(a.m.defs, Def{Area: a.name, Name: name, Type: kind, Labels: labels, Help: help})
}

func (a *area) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	a.add("counter", name, help, labels, c)
	return c
}

func (a *area) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	c := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	a.add("gauge", name, help, labels, c)
	return c
}

func (a *area) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	c := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	a.add("histogram", name, help, labels, c)
	return c
}

// Markdown writes the reference page of all metrics.
func Markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Metrics\n\nServed at `/metrics` of the HTTP port. Generated from `internal/metrics`; do not edit.\n\n")
	b.WriteString("Every sample has the label `project`, the name in the project file. Nothing is labelled by entity, id or request: the number of\n" +
		"series follows from the project (sources, entity types, triggers, models, the 20 features that drifted most) and the partitions.\n" +
		"Which process exports what follows from its roles; rules that add up over processes are in `deploy/prometheus`.\n\n")
	b.WriteString("gRPC calls are counted under the usual names `grpc_server_handled_total`, `grpc_server_handling_seconds`,\n" +
		"`grpc_server_started_total`; the Go runtime and the process under `go_*` and `process_*`.\n")
	last := ""
	for _, d := range New().Defs() {
		if d.Area != last {
			last = d.Area
			fmt.Fprintf(&b, "\n## Set by: %s\n\n| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n", d.Area)
		}
		labels := "–"
		if len(d.Labels) > 0 {
			labels = "`" + strings.Join(d.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, d.Type, labels, d.Help)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
