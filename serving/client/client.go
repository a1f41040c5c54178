// Package client asks a running Freshet over gRPC. It is what the commands predict, lookup, feedback,
// models and status are made of; programs may use the generated freshet.v1 client directly as well.
package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/freshet-ml/freshet/internal/wire"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Options say how to reach a service.
type Options struct {
	TLS     *tls.Config   // nil: plain text
	Token   string        // shown as a bearer token; empty: none
	Timeout time.Duration // of each call whose context brings no deadline; 0: 5s
}

// Client is a connection to a service. It is safe for concurrent use; Close it.
type Client struct {
	freshetv1.FreshetClient
	conn *grpc.ClientConn
}

// maxAnswer bounds one response, bytes.
const maxAnswer = 64 << 20

// Dial returns a client of the service at an address such as 127.0.0.1:7070. It connects at the first
// call. Errors of calls are *Error.
func Dial(address string, o Options) (*Client, error) {
	creds := insecure.NewCredentials()
	if o.TLS != nil {
		creds = credentials.NewTLS(o.TLS)
	}
	timeout := o.Timeout
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds),
		grpc.WithInitialWindowSize(wire.StreamWindow), grpc.WithInitialConnWindowSize(wire.ConnectionWindow), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer), grpc.ForceCodecV2(wire.New())),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			if _, ok := ctx.Deadline(); !ok {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, timeout)
				defer cancel()
			}
			return explain(address, call(withToken(ctx, o.Token), method, req, reply, cc, opts...))
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			s, err := open(withToken(ctx, o.Token), desc, cc, method, opts...)
			return s, explain(address, err)
		}))
	if err != nil {
		return nil, fmt.Errorf("address %s: %w", address, err)
	}
	return &Client{FreshetClient: freshetv1.NewFreshetClient(conn), conn: conn}, nil
}

func withToken(ctx context.Context, token string) context.Context {
	if token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Conn returns the connection, for other services such as health.
func (c *Client) Conn() *grpc.ClientConn { return c.conn }

// Error is the error of a call: what is wrong, and how to mend it.
type Error struct {
	Code    codes.Code
	Reason  string // stable, for programs; empty if the service gave none
	Message string // hint included
	Retry   time.Duration
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// GRPCStatus returns the status, so that status.Code works on an Error.
func (e *Error) GRPCStatus() *status.Status { return status.New(e.Code, e.Message) }

// explain makes the error of a call readable.
func explain(address string, err error) error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	e := &Error{Code: s.Code(), Message: s.Message()}
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			e.Reason = d.GetReason()
		case *errdetails.RetryInfo:
			e.Retry = d.GetRetryDelay().AsDuration()
		}
	}
	if e.Code == codes.Unavailable && e.Reason == "" {
		e.Message = fmt.Sprintf("no answer from %s (%s); is the service running? freshet up starts it", address, s.Message())
	}
	return e
}
