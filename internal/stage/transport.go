package stage

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
)

// Transport says how to reach the brokers. The zero value of every field but Brokers is usable.
type Transport struct {
	Brokers  []string         // host:port
	ClientID string           // "freshet" when empty
	TLS      *tls.Config      // nil: plain text
	SASL     []sasl.Mechanism // tried in order

	// Dial opens connections instead of a TCP dialer; TLS is then the dialer's own affair.
	Dial func(ctx context.Context, network, host string) (net.Conn, error)
	// Local is for brokers in this process or on this machine: metadata and retries are asked for
	// after milliseconds instead of seconds, and nothing is compressed.
	Local bool
	// FetchBytes bounds what one reader holds of one partition before decompression; when 0, 4 MiB, and 1 MiB of a
	// Local broker: near ones gain nothing by more, and the embedded one keeps a buffer of the largest answer for every
	// connection.
	FetchBytes int32
	// Hooks are given to every client, for metrics.
	Hooks []kgo.Hook
}

const (
	defaultFetchBytes = 4 << 20
	localFetchBytes   = 1 << 20
	inflateLimit      = 64 << 20 // a batch that inflates beyond this is refused
	recordLimit       = 1 << 20  // bytes of a produced batch; the topics take as much
)

// Client opens a client with these and further options. Whoever needs more than this package offers,
// such as the reader of source topics, starts from here.
func (t *Transport) Client(more ...kgo.Opt) (*kgo.Client, error) {
	cl, err := kgo.NewClient(append(t.options(), more...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return cl, nil
}

func (t *Transport) options() []kgo.Opt {
	id := t.ClientID
	if id == "" {
		id = "freshet"
	}
	fetch := t.FetchBytes
	switch {
	case fetch <= 0 && t.Local:
		fetch = localFetchBytes
	case fetch <= 0:
		fetch = defaultFetchBytes
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(t.Brokers...), kgo.ClientID(id), kgo.DisableClientMetrics(),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.MaxDecompressBatchBytes(inflateLimit),
		kgo.FetchMaxBytes(fetch), kgo.FetchMaxPartitionBytes(fetch),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0), kgo.ProducerBatchMaxBytes(recordLimit),
		kgo.StopProducerOnDataLossDetected(),
		kgo.WithHooks(t.Hooks...),
	}
	if t.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(t.TLS))
	}
	if t.Dial != nil {
		opts = append(opts, kgo.Dialer(t.Dial))
	}
	if len(t.SASL) > 0 {
		opts = append(opts, kgo.SASL(t.SASL...))
	}
	if t.Local {
		opts = append(opts,
			kgo.MetadataMinAge(20*time.Millisecond),
			kgo.RetryBackoffFn(localBackoff),
			kgo.ProducerBatchCompression(kgo.NoCompression()))
	}
	return opts
}

// localBackoff grows from 10 to 250 ms.
func localBackoff(fails int) time.Duration {
	return min(10*time.Millisecond<<min(fails, 5), 250*time.Millisecond)
}

// poll waits for records of a direct consumer. What kgo can mend by itself does not come up here.
func poll(ctx context.Context, cl *kgo.Client, limit int) (kgo.Fetches, error) {
	fetches := cl.PollRecords(ctx, limit)
	for _, e := range fetches.Errors() {
		if errors.Is(e.Err, context.Canceled) || errors.Is(e.Err, context.DeadlineExceeded) {
			if ctx.Err() != nil {
				continue
			}
		}
		return nil, fmt.Errorf("fetch %s/%d: %w", e.Topic, e.Partition, explain(e.Err))
	}
	return fetches, nil
}
