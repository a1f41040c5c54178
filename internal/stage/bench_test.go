package stage_test

import (
	"context"
	"errors"
	"testing"

	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

// Items of 100 bytes through one partition of the embedded broker, written and read at once; one op is
// one item that is known to count and was read.
func BenchmarkThroughput(b *testing.B) {
	for name, size := range map[string]int{"frames of 8 kB": 8 << 10, "frames of 64 kB": 64 << 10, "frames of 384 kB": frame.MaxPayload} {
		b.Run(name, func(b *testing.B) {
			tr, _ := start(b, 1)
			b.ReportAllocs()
			b.SetBytes(100)
			got := make(chan error, 1)
			go func() { got <- drain(tr, b.N) }()
			w, _ := open(b, tr)
			if err := fill(w, b.N, size); err != nil {
				b.Fatal(err)
			}
			if err := <-got; err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
		})
	}
}

func fill(w *stage.Writer, n, size int) error {
	ctx := context.Background()
	var p frame.Pack
	item := make([]byte, 100)
	for i := range n {
		ok, err := p.Add(item)
		if err != nil || !ok {
			return errors.Join(errors.New("full"), err)
		}
		if p.Size()+110 > size || i == n-1 {
			after := []frame.Input{{Name: "in", Pos: frame.Position{Offset: int64(i)}}}
			if _, err := w.Append(ctx, &p, after); err != nil {
				return err
			}
			p.Reset()
		}
	}
	return w.Drain(ctx)
}

func drain(tr stage.Transport, n int) error {
	ctx := context.Background()
	r, err := stage.OpenReader(ctx, tr, topic, 0, frame.Position{})
	if err != nil {
		return err
	}
	defer r.Close()
	for seen := 0; seen < n; {
		c, err := r.Next(ctx)
		if err != nil {
			return err
		}
		for it := c.Each(); it.Next(); {
			seen++
		}
	}
	return nil
}

// From Append to the knowledge that the frame counts, one frame at a time.
func BenchmarkCounted(b *testing.B) {
	tr, _ := start(b, 1)
	w, _ := open(b, tr)
	ctx := context.Background()
	p, after := pack(0, 1)
	for b.Loop() {
		n, err := w.Append(ctx, p, after)
		if err == nil {
			err = w.WaitCounted(ctx, n)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenReader(b *testing.B) {
	tr, _ := start(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		r, err := stage.OpenReader(context.Background(), tr, topic, 0, frame.Position{})
		if err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

func BenchmarkOpenWriter(b *testing.B) {
	tr, _ := start(b, 1)
	w, _ := open(b, tr)
	for range 300 {
		appendItems(b, w, 10)
	}
	if err := w.Drain(context.Background()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		w, _, err := stage.OpenWriter(context.Background(), tr, stage.WriterOptions{Topic: topic})
		if err != nil {
			b.Fatal(err)
		}
		w.Close()
	}
}
