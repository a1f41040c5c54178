// Package wire turns the messages of the API into bytes for gRPC. It stands at both ends of a call. The messages of
// predictions and lookups use generated code instead of reflection, which costs a third; all others use the standard codec.
// The bytes are those of Protocol Buffers either way.
package wire

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the standard codec
	"google.golang.org/grpc/mem"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Flow control of both ends, bytes that may be under way unread. Windows of a fixed size keep gRPC from measuring the delay of the
// connection with a ping and its answer beside each call, which costs a small call a tenth.
const (
	StreamWindow     = 1 << 20 // of one call
	ConnectionWindow = 4 << 20 // of all calls of a connection
)

// Codec is a grpc codec named proto. It is safe for all goroutines.
type Codec struct{ standard encoding.CodecV2 }

// New returns the codec.
func New() Codec { return Codec{encoding.GetCodecV2("proto")} }

// fast is what the generator of vtprotobuf adds to a message.
type fast interface {
	SizeVT() int
	MarshalToSizedBufferVT(b []byte) (int, error)
	UnmarshalVT(b []byte) error
}

// hot returns the generated code of a message of a prediction or a lookup, nil for others.
func hot(v any) fast {
	switch m := v.(type) {
	case *freshetv1.PredictRequest:
		return m
	case *freshetv1.PredictResponse:
		return m
	case *freshetv1.PredictStreamRequest:
		return m
	case *freshetv1.PredictStreamResponse:
		return m
	case *freshetv1.GetFeaturesRequest:
		return m
	case *freshetv1.GetFeaturesResponse:
		return m
	}
	return nil
}

// Name is that of the content type.
func (Codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (c Codec) Marshal(v any) (mem.BufferSlice, error) {
	m := hot(v)
	if m == nil {
		return c.standard.Marshal(v)
	}
	size := m.SizeVT()
	if mem.IsBelowBufferPoolingThreshold(size) {
		b := make([]byte, size)
		n, err := m.MarshalToSizedBufferVT(b)
		if err != nil {
			return nil, fmt.Errorf("encode %T: %w", v, err)
		}
		return mem.BufferSlice{mem.SliceBuffer(b[size-n:])}, nil
	}
	pool := mem.DefaultBufferPool()
	b := pool.Get(size)
	if _, err := m.MarshalToSizedBufferVT((*b)[:size]); err != nil {
		pool.Put(b)
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return mem.BufferSlice{mem.NewBuffer(b, pool)}, nil
}

// Unmarshal implements encoding.CodecV2. Like the standard codec it refuses texts of a request that are not UTF-8.
func (c Codec) Unmarshal(data mem.BufferSlice, v any) error {
	m := hot(v)
	if m == nil {
		return c.standard.Unmarshal(data, v)
	}
	b := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer b.Free()
	if err := m.UnmarshalVT(b.ReadOnlyData()); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return valid(v)
}

// valid checks the texts of a request.
func valid(v any) error {
	ok := true
	switch m := v.(type) {
	case *freshetv1.PredictRequest:
		ok = validPredict(m)
	case *freshetv1.PredictStreamRequest:
		ok = m.GetRequest() == nil || validPredict(m.GetRequest())
	case *freshetv1.GetFeaturesRequest:
		for _, name := range m.GetFeatures() {
			ok = ok && utf8.ValidString(name)
		}
		for _, row := range m.GetRows() {
			ok = ok && validValues(row.GetKeys())
		}
	}
	if !ok {
		return fmt.Errorf("decode %T: a text is not UTF-8", v)
	}
	return nil
}

func validPredict(m *freshetv1.PredictRequest) bool {
	ok := utf8.ValidString(m.GetModel()) && utf8.ValidString(m.GetVersion().GetLog())
	for _, row := range m.GetRows() {
		ok = ok && utf8.ValidString(row.GetId()) && validValues(row.GetFields())
	}
	return ok
}

func validValues(values map[string]*freshetv1.Value) bool {
	for name, v := range values {
		if !utf8.ValidString(name) {
			return false
		}
		if s, ok := v.GetKind().(*freshetv1.Value_String_); ok && !utf8.ValidString(s.String_) {
			return false
		}
	}
	return true
}
