package chaos

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // health checks of clients
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving/client"
)

// calls ask for predictions all the time, as clients do that check health and go round both servers.
type calls struct {
	conn *grpc.ClientConn
	end  func()

	mu     sync.Mutex
	took   []time.Duration // of answers
	failed int
	last   time.Time
	gap    time.Duration // longest time between two answers
}

// answered is what clients saw for a while.
type answered struct {
	calls, failed int
	p50, p99, gap time.Duration
}

func newCalls(f *fleet) *calls {
	f.t.Helper()
	r := manual.NewBuilderWithScheme("fleet")
	r.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: f.ports[servers[0]][0]}, {Addr: f.ports[servers[1]][0]}}})
	conn, err := grpc.NewClient("fleet:///servers", grpc.WithResolvers(r), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": "late"}}`))
	f.ok(err)
	c := &calls{conn: conn}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	c.end = sync.OnceFunc(func() { stop(); wg.Wait(); _ = conn.Close() })
	f.t.Cleanup(c.end)
	row := &freshetv1.Row{Fields: map[string]*freshetv1.Value{"id": client.String("x"), "carrier": client.String("UA"), "flight": client.Int(1545),
		"tail": client.String("N14228"), "origin": client.String("EWR"), "dest": client.String("IAH"), "departs": client.Time(time.Date(2013, 6, 1, 12, 0, 0, 0, time.UTC)),
		"block": client.Int(227), "distance": client.Double(1400)}}
	wg.Go(func() {
		for tick := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; {
			c.one(ctx, row)
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return c
}

func (c *calls) one(ctx context.Context, row *freshetv1.Row) {
	call, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	began := time.Now()
	_, err := freshetv1.NewFreshetClient(c.conn).Predict(call, &freshetv1.PredictRequest{Model: "late", Rows: []*freshetv1.Row{row}})
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case ctx.Err() != nil:
	case err != nil:
		c.failed++
	default:
		c.took = append(c.took, now.Sub(began))
		if !c.last.IsZero() {
			c.gap = max(c.gap, now.Sub(c.last))
		}
		c.last = now
	}
}

// since returns what was seen since it was last asked.
func (c *calls) since() answered {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.took)
	a := answered{calls: len(c.took) + c.failed, failed: c.failed, gap: c.gap}
	if n := len(c.took); n > 0 {
		a.p50, a.p99 = c.took[n/2], c.took[n*99/100]
	}
	if !c.last.IsZero() {
		a.gap = max(a.gap, time.Since(c.last)) // answers may still fail to come
	}
	c.took, c.failed, c.gap = c.took[:0], 0, 0
	return a
}
