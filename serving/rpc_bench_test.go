package serving_test

import (
	"fmt"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving/client"
)

// empty answers without doing anything: what the transport alone costs.
type empty struct {
	freshetv1.UnimplementedFreshetServer
}

func (empty) PredictStream(s grpc.BidiStreamingServer[freshetv1.PredictStreamRequest, freshetv1.PredictStreamResponse]) error {
	for {
		req, err := s.Recv()
		if err != nil {
			return err
		}
		if err := s.Send(&freshetv1.PredictStreamResponse{Sequence: req.GetSequence()}); err != nil {
			return err
		}
	}
}

func BenchmarkRPC(b *testing.B) {
	r := ready(b)
	c, _ := r.serve(client.Options{})
	for _, rows := range []int{1, 100} {
		req := ask("late")
		for range rows {
			req.Rows = append(req.Rows, flight(nil))
		}
		b.Run(fmt.Sprintf("predict/rows=%d", rows), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Predict(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("stream", func(b *testing.B) { benchStream(b, c) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	r.ok(err)
	g := grpc.NewServer()
	freshetv1.RegisterFreshetServer(g, empty{})
	go func() { _ = g.Serve(l) }()
	defer g.Stop()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	r.ok(err)
	defer conn.Close()
	b.Run("empty-stream", func(b *testing.B) { benchStream(b, freshetv1.NewFreshetClient(conn)) })
}

// benchStream asks and waits in turn.
func benchStream(b *testing.B, c freshetv1.FreshetClient) {
	s, err := c.PredictStream(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	req := &freshetv1.PredictStreamRequest{Request: ask("late", flight(nil))}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Send(req); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			b.Fatal(err)
		}
	}
	_ = s.CloseSend()
}
