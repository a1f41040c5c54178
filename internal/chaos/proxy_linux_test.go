package chaos

import (
	"context"
	"fmt"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Directions of a proxied connection, as toxiproxy names them.
const (
	requests = "upstream"
	answers  = "downstream"
)

// proxy stands between the processes and a server.
type proxy struct {
	t *testing.T
	p *toxiproxy.Proxy
}

func newProxy(t *testing.T, name, listen, to string) *proxy {
	t.Helper()
	zerolog.SetGlobalLevel(zerolog.Disabled) // one toxic logs each of its interruptions to standard output
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &proxy{t, toxiproxy.NewProxy(server, name, listen, to)}
	p.up()
	t.Cleanup(p.p.Stop)
	return p
}

// up lets connections in.
func (p *proxy) up() {
	p.t.Helper()
	if err := p.p.Start(); err != nil {
		p.t.Fatalf("proxy %s: %v", p.p.Name, err)
	}
}

// cut ends all connections and refuses new ones until up.
func (p *proxy) cut() { p.p.Stop() }

// move ends all connections and leads new ones to another server.
func (p *proxy) move(to string) {
	p.t.Helper()
	if err := p.p.Update(&toxiproxy.Proxy{Listen: p.p.Listen, Upstream: to, Enabled: true}); err != nil {
		p.t.Fatalf("proxy %s: %v", p.p.Name, err)
	}
}

// hold lets no byte through in a direction, with the connections open, until heal.
func (p *proxy) hold(direction string) { p.add("timeout", direction, `{"timeout": 0}`) }

// slow delays every piece by so many ms, and a fifth of that more or less.
func (p *proxy) slow(direction string, ms int) {
	p.add("latency", direction, fmt.Sprintf(`{"latency": %d, "jitter": %d}`, ms, ms/5))
}

// thin lets so many KB through in a second.
func (p *proxy) thin(direction string, kb int) {
	p.add("bandwidth", direction, fmt.Sprintf(`{"rate": %d}`, kb))
}

func (p *proxy) add(kind, direction, attributes string) {
	p.t.Helper()
	text := fmt.Sprintf(`{"name": "%s_%s", "type": "%s", "stream": "%s", "toxicity": 1, "attributes": %s}`, kind, direction, kind, direction, attributes)
	if _, err := p.p.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		p.t.Fatalf("proxy %s: %v", p.p.Name, err)
	}
}

// heal takes all of that away; connections that were held are closed, since bytes of them are lost.
func (p *proxy) heal() { p.p.Toxics.ResetToxics(context.Background()) }
