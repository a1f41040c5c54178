package serving

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Error is a refusal of a call: what is wrong and how to mend it. Everything that a handler returns
// and that is no Error is a fault of the service.
type Error struct {
	Code    codes.Code
	Reason  string // stable, in upper snake case, for programs
	Message string // what and where
	Hint    string // how to mend it
	Retry   time.Duration
}

// Error returns the message and the hint.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

// GRPCStatus makes an Error a gRPC status with ErrorInfo and, when a retry helps, RetryInfo.
func (e *Error) GRPCStatus() *status.Status {
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: e.Reason, Domain: "freshet", Metadata: map[string]string{"hint": e.Hint}}}
	if e.Retry > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.Retry)})
	}
	s := status.New(e.Code, e.Error())
	if d, err := s.WithDetails(details...); err == nil {
		return d
	}
	return s
}

func invalid(reason, message, hint string) error {
	return &Error{Code: codes.InvalidArgument, Reason: reason, Message: message, Hint: hint}
}

func notFound(reason, message, hint string) error {
	return &Error{Code: codes.NotFound, Reason: reason, Message: message, Hint: hint}
}

func unavailable(reason, message, hint string) error {
	return &Error{Code: codes.Unavailable, Reason: reason, Message: message, Hint: hint, Retry: time.Second}
}

func exhausted(reason, message, hint string, retry time.Duration) error {
	return &Error{Code: codes.ResourceExhausted, Reason: reason, Message: message, Hint: hint, Retry: retry}
}

// toStatus is the one table from errors to gRPC: refusals say what they are, the end of a context is
// its own code, a store or log that is away is UNAVAILABLE, and everything else is INTERNAL with its
// text kept for the log.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	var io *ioError
	switch {
	case errors.As(err, &e):
		return e.GRPCStatus().Err()
	case errors.Is(err, context.DeadlineExceeded):
		return (&Error{Code: codes.DeadlineExceeded, Reason: "DEADLINE", Message: "the deadline of the call has passed",
			Hint: "allow more time, or send fewer rows"}).GRPCStatus().Err()
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "the call was cancelled")
	case errors.As(err, &io):
		return unavailable(io.reason, io.message, "try again; the log of the server says more").(*Error).GRPCStatus().Err()
	}
	if s, ok := status.FromError(err); ok {
		return s.Err()
	}
	return status.Error(codes.Internal, "internal error; the log of the server says more")
}

// ioError is a failure of the store or the log.
type ioError struct {
	reason, message string
	err             error
}

func (e *ioError) Error() string { return e.message + ": " + e.err.Error() }
func (e *ioError) Unwrap() error { return e.err }

// list joins names for a hint, the first 20 of them.
func list(names []string) string {
	if len(names) > 20 {
		return fmt.Sprintf("%s … (%d in all)", strings.Join(names[:20], ", "), len(names))
	}
	return strings.Join(names, ", ")
}

// clip shortens text from a request for a message.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}

// wireError is a status as a message: for streams and HTTP.
func wireError(err error) *freshetv1.Error {
	s := status.Convert(err)
	e := &freshetv1.Error{Code: codeName(s.Code()), Message: s.Message()}
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetMetadata()["hint"] != "" {
			e.Hint = info.GetMetadata()["hint"]
			e.Message = strings.TrimSuffix(e.Message, "; "+e.Hint)
		}
	}
	return e
}

var codeNames = [...]string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL",
	"UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}

func codeName(c codes.Code) string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "UNKNOWN"
}
