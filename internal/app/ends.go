package app

import (
	"context"
	"time"

	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

// endsEvery is how often a process looks how far the logs go that other processes write.
const endsEvery = 5 * time.Second

// ends notes how far the events log and the example logs go, for the lag of the stages that read them: where roles
// are shared, the writer may be another process. It looks at the newest record alone, which may turn out not to count:
// the number is for watching, not for folding.
func (a *App) ends(ctx context.Context) error {
	topics := []string{a.Topics.Events}
	for _, t := range a.o.Program.Triggers {
		topics = append(topics, a.Topics.Logs[t.Name])
	}
	tick := time.NewTicker(endsEvery)
	defer tick.Stop()
	for {
		for _, topic := range topics {
			if n, err := items(ctx, a.o.Transport, topic); err == nil { // else the last number stands; the stages tell of a broker that is away
				a.watch.reached(topic, n)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// items returns how many items a log of frames holds since it began, as its newest record says.
func items(ctx context.Context, t stage.Transport, topic string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, endsEvery)
	defer cancel()
	log, err := stage.OpenLog(t, topic, 0)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	end, err := log.End(ctx)
	if err != nil {
		return 0, err
	}
	first, err := log.First(ctx)
	if err != nil {
		return 0, err
	}
	var n uint64
	err = log.Scan(ctx, max(first, end-1), end, func(_ int64, record []byte) error {
		var f frame.Frame
		if f.Decode(record) == nil {
			n = f.NextSeq()
		}
		return nil
	})
	return n, err
}
