// Package monitoring holds the Grafana dashboard as code, and the tests of everything in deploy/prometheus,
// deploy/grafana and docs/runbooks: alert rules fire and do not fire (promtool), every alert has a page, and
// every query of the dashboard answers from a real Prometheus that scrapes a real run.
//
// go test ./internal/monitoring -update writes deploy/grafana/dashboards/freshet.json.
package monitoring
