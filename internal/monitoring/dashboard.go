package monitoring

import (
	"encoding/json"
	"strings"
)

// UID is what links to the dashboard name; it does not change.
const UID = "freshet"

// Row is one question, with the panels that answer it.
type Row struct {
	Question string
	Panels   []Panel
}

// Panel is one chart.
type Panel struct {
	Title       string
	Description string // what is good, what is bad, where to go from here
	Kind        string // timeseries, stat, table, heatmap or state-timeline
	Unit        string // of Grafana: s, short, percentunit, ops, bytes
	Width       int    // of 24
	Queries     []Query
	Link        string // runbook page; empty: none
	Steps       []Step // colours of values; none: no judgement
}

// Query is a PromQL expression with a legend. $project and $model are variables of the dashboard.
type Query struct {
	Expr, Legend string
	Instant      bool
}

// Step is a colour from a value on.
type Step struct {
	From  float64
	Color string
}

const (
	runbooks = "https://github.com/freshet-ml/freshet/blob/main/docs/runbooks/"
	height   = 8
)

// JSON is the dashboard as Grafana reads it.
func JSON() ([]byte, error) {
	b, err := json.MarshalIndent(dashboard(), "", "  ")
	return append(b, '\n'), err
}

type object = map[string]any

func dashboard() object {
	return object{
		"uid": UID, "title": "Freshet", "schemaVersion": 39, "version": 1, "editable": true, "graphTooltip": 1, "refresh": "30s",
		"description": "What flows, how fresh and how good it is. Generated from internal/monitoring; do not edit here.",
		"tags":        []string{"freshet"}, "timezone": "browser", "time": object{"from": "now-6h", "to": "now"},
		"templating":  object{"list": variables()},
		"annotations": object{"list": annotations()},
		"links": []object{
			{"type": "link", "title": "Page of the service", "url": "${page}", "targetBlank": true, "icon": "external link"},
			{"type": "link", "title": "Runbooks", "url": runbooks + "README.md", "targetBlank": true, "icon": "doc"},
		},
		"panels": panels(),
	}
}

func variables() []object {
	prom := object{"type": "prometheus", "uid": "$datasource"}
	return []object{
		{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0},
		{"name": "project", "label": "Project", "type": "query", "datasource": prom, "refresh": 2, "sort": 1,
			"query": object{"query": "label_values(freshet_project_info, project)", "refId": "project"}},
		{"name": "model", "label": "Model", "type": "query", "datasource": prom, "refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".*",
			"query":   object{"query": `label_values(freshet_model_info{project="$project"}, model)`, "refId": "model"},
			"current": object{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}}},
		{"name": "page", "label": "Address of the service", "type": "textbox", "query": "http://127.0.0.1:7071",
			"current": object{"text": "http://127.0.0.1:7071", "value": "http://127.0.0.1:7071"}},
	}
}

// Annotations are the marks over all charts: changes of the loss, and restarts of stages.
var Annotations = []struct{ Name, Color, Expr, Title string }{
	{"Drift of the loss", "orange", `increase(freshet_drift_events_total{project="$project",model=~"$model",level="drift"}[1m]) > 0`, "{{model}}: {{detector}} saw the loss change"},
	{"Warnings of drift", "yellow", `increase(freshet_drift_events_total{project="$project",model=~"$model",level="warning"}[1m]) > 0`, "{{model}}: {{detector}} suspects a change of the loss"},
	{"Restarts", "red", `increase(freshet_stage_restarts_total{project="$project"}[1m]) > 0`, "{{stage}} {{of}} restarted"},
}

func annotations() []object {
	out := make([]object, 0, len(Annotations))
	for _, a := range Annotations {
		out = append(out, object{"name": a.Name, "enable": true, "iconColor": a.Color, "expr": a.Expr, "titleFormat": a.Title, "step": "1m",
			"datasource": object{"type": "prometheus", "uid": "$datasource"}})
	}
	return out
}

func panels() []object {
	var out []object
	y, id := 0, 1
	for _, r := range Rows {
		out = append(out, object{"id": id, "type": "row", "title": r.Question, "collapsed": false, "panels": []object{},
			"gridPos": object{"x": 0, "y": y, "w": 24, "h": 1}})
		id++
		y++
		x := 0
		for i := range r.Panels {
			p := &r.Panels[i]
			if x+p.Width > 24 {
				x, y = 0, y+height
			}
			out = append(out, p.object(id, x, y))
			id++
			x += p.Width
		}
		y += height
	}
	return out
}

func (p *Panel) object(id, x, y int) object {
	defaults := object{"unit": p.Unit, "min": nil, "custom": object{}}
	if p.Kind == "timeseries" {
		defaults["custom"] = object{"fillOpacity": 8, "showPoints": "never", "spanNulls": false}
	}
	if len(p.Steps) > 0 {
		steps := []object{{"color": "green", "value": nil}}
		for _, s := range p.Steps {
			steps = append(steps, object{"color": s.Color, "value": s.From})
		}
		defaults["thresholds"] = object{"mode": "absolute", "steps": steps}
	} else {
		defaults["color"] = object{"mode": "palette-classic"}
	}
	out := object{"id": id, "type": p.Kind, "title": p.Title, "description": p.Description,
		"datasource":  object{"type": "prometheus", "uid": "$datasource"},
		"gridPos":     object{"x": x, "y": y, "w": p.Width, "h": height},
		"fieldConfig": object{"defaults": defaults, "overrides": []object{}}, "options": p.options(), "targets": p.targets()}
	if p.Link != "" {
		out["links"] = []object{{"title": "Runbook", "url": runbooks + p.Link + ".md", "targetBlank": true}}
	}
	return out
}

func (p *Panel) options() object {
	switch p.Kind {
	case "stat":
		return object{"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}, "colorMode": "value", "graphMode": "area", "textMode": "auto"}
	case "table":
		return object{"showHeader": true}
	case "heatmap":
		return object{"calculate": false, "yAxis": object{"unit": p.Unit}, "legend": object{"show": true}, "tooltip": object{"mode": "single"}}
	}
	return object{"legend": object{"displayMode": "table", "placement": "bottom", "calcs": []string{"lastNotNull", "max"}}, "tooltip": object{"mode": "multi", "sort": "desc"}}
}

func (p *Panel) targets() []object {
	out := make([]object, 0, len(p.Queries))
	for i, q := range p.Queries {
		t := object{"refId": string(rune('A' + i)), "expr": q.Expr, "legendFormat": q.Legend, "range": !q.Instant, "instant": q.Instant,
			"datasource": object{"type": "prometheus", "uid": "$datasource"}}
		switch p.Kind {
		case "heatmap", "table":
			t["format"] = p.Kind
		default:
			t["format"] = "time_series"
		}
		out = append(out, t)
	}
	return out
}

// Fill replaces the variables of a query as Grafana does, for all models.
func Fill(expr, project, rate string) string {
	return strings.NewReplacer("$project", project, "$model", ".*", "$__rate_interval", rate, "$__range", rate).Replace(expr)
}
