package app

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/stage"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Limits of what is read and shown of the dead-letter topic.
const (
	lettersRead = 1000             // newest letters that are read
	letterText  = 2000             // bytes of key and value that are shown
	lettersKept = 2 * time.Second  // how long what was read is shown again
	letterIdle  = 2 * time.Second  // how long a record that was announced is waited for
	lettersHeld = 16 * 1024 * 1024 // bytes of keys and values after which reading ends
)

// letterBox reads the newest dead letters, for one caller at a time, and shows them for a while.
type letterBox struct {
	mu    sync.Mutex
	at    time.Time
	total uint64
	list  []*freshetv1.DeadLetter // the newest first
}

// read returns the letters on the topic, and the newest of them.
func (b *letterBox) read(ctx context.Context, t stage.Transport, topic string) (uint64, []*freshetv1.DeadLetter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.at) < lettersKept {
		return b.total, b.list, nil
	}
	log, err := stage.OpenLog(t, topic, 0)
	if err != nil {
		return 0, nil, err
	}
	defer log.Close()
	first, err := log.First(ctx)
	if err != nil {
		return 0, nil, err
	}
	end, err := log.End(ctx)
	if err != nil {
		return 0, nil, err
	}
	list, err := tailLetters(ctx, t, topic, max(first, end-lettersRead), end)
	if err != nil {
		return 0, nil, err
	}
	slices.Reverse(list)
	b.at, b.total, b.list = time.Now(), uint64(end-first), list
	return b.total, b.list, nil
}

// tailLetters reads the records from an offset up to another. Offsets may have holes; a second without records ends it.
func tailLetters(ctx context.Context, t stage.Transport, topic string, from, to int64) ([]*freshetv1.DeadLetter, error) {
	if from >= to {
		return nil, nil
	}
	cl, err := t.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(from)}}), kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	var list []*freshetv1.DeadLetter
	held := 0
	for next := from; next < to && held < lettersHeld; {
		waiting, stop := context.WithTimeout(ctx, letterIdle)
		f := cl.PollRecords(waiting, lettersRead)
		idle := waiting.Err() != nil
		stop()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if idle && f.NumRecords() == 0 {
			break
		}
		for _, e := range f.Errors() {
			if e.Err != nil && !idle {
				return nil, stage.Explain(e.Err)
			}
		}
		f.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if r.Offset < to && !r.Attrs.IsControl() {
				held += len(r.Key) + len(r.Value)
				list = append(list, letter(r))
			}
		})
	}
	return list, nil
}

// letter reads a dead letter. What of it is sensitive was hashed before it was written.
func letter(r *kgo.Record) *freshetv1.DeadLetter {
	out := &freshetv1.DeadLetter{}
	for _, h := range r.Headers {
		name, ours := strings.CutPrefix(h.Key, ingest.ErrorHeader)
		if !ours {
			continue
		}
		text, _ := shown(h.Value)
		switch name {
		case "source":
			out.Source = text
		case "topic":
			out.Topic = text
		case "partition":
			n, _ := strconv.ParseUint(text, 10, 32)
			out.Partition = uint32(n)
		case "offset":
			out.Offset, _ = strconv.ParseUint(text, 10, 64)
		case "stage":
			out.Stage = text
		case "reason":
			out.Reason = text
		case "field":
			out.Field = text
		case "message":
			out.Message = text
		case "redacted":
			out.Redacted = text
		}
	}
	var cutKey, cutValue bool
	out.Key, cutKey = shown(r.Key)
	out.Value, cutValue = shown(r.Value)
	out.Cut = cutKey || cutValue
	out.At = stamp(r.Timestamp.UnixMicro())
	return out
}

// shown makes bytes text of a bounded length.
func shown(b []byte) (text string, cut bool) {
	if len(b) > letterText {
		b, cut = b[:letterText], true
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), cut
}

// DeadLetters reads the newest refused records.
func (a *App) DeadLetters(ctx context.Context, source, reason string, limit int) (*freshetv1.DeadLettersResponse, error) {
	total, list, err := a.letters.read(ctx, a.o.Transport, a.Topics.DeadLetters)
	if err != nil {
		return nil, err
	}
	out := &freshetv1.DeadLettersResponse{Total: total, Read: uint64(len(list))}
	counts := map[[3]string]*freshetv1.RefusalCount{}
	for _, l := range list {
		id := [3]string{l.Source, l.Stage, l.Reason}
		c := counts[id]
		if c == nil {
			c = &freshetv1.RefusalCount{Source: l.Source, Stage: l.Stage, Reason: l.Reason, Newest: l.At}
			counts[id], out.Reasons = c, append(out.Reasons, c)
		}
		c.Letters++
		if len(out.Letters) < limit && (source == "" || l.Source == source) && (reason == "" || l.Reason == reason) {
			out.Letters = append(out.Letters, l)
		}
	}
	slices.SortStableFunc(out.Reasons, func(x, y *freshetv1.RefusalCount) int { return int(y.Letters) - int(x.Letters) })
	return out, nil
}
