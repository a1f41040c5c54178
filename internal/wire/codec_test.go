package wire_test

import (
	"bytes"
	"testing"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/freshet-ml/freshet/internal/wire"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

func text(s string) *freshetv1.Value {
	return &freshetv1.Value{Kind: &freshetv1.Value_String_{String_: s}}
}

// messages holds every message that the codec has code of its own for, and one that it has not.
func messages() []proto.Message {
	at := &timestamppb.Timestamp{Seconds: 1_370_000_000, Nanos: 5}
	ask := &freshetv1.PredictRequest{Model: "late", Version: &freshetv1.Version{Log: "l", Seq: 1 << 40}, AsOf: at, AllowStale: true, Rows: []*freshetv1.Row{
		{Id: "é", Fields: map[string]*freshetv1.Value{"origin": text("EWR")}}, {Vector: []float64{1, -0.5, 1e300}}}}
	answer := &freshetv1.PredictResponse{Model: "late", Version: ask.Version, TrainedUntil: at, ModelAge: durationpb.New(-5), Stale: true,
		Predictions: []*freshetv1.Prediction{{PredictionId: "é", Answer: &freshetv1.Prediction_Probability{Probability: 0.25}, NotFound: []string{"plane"}, NewestEvent: at}}}
	return []proto.Message{ask, answer, &freshetv1.PredictStreamRequest{Sequence: 7, Request: ask},
		&freshetv1.PredictStreamResponse{Sequence: 7, Result: &freshetv1.PredictStreamResponse_Response{Response: answer}},
		&freshetv1.GetFeaturesRequest{Features: []string{"origin.*"}, Rows: []*freshetv1.EntityRow{{Keys: map[string]*freshetv1.Value{"origin": text("EWR")}}}},
		&freshetv1.GetFeaturesResponse{AsOf: at}, &freshetv1.FeedbackRequest{}, &freshetv1.PredictRequest{}}
}

// Whatever one codec writes the other reads.
func TestTheBytesAreThoseOfProtocolBuffers(t *testing.T) {
	ours, standard := wire.New(), encoding.GetCodecV2("proto")
	big := &freshetv1.PredictRequest{Rows: []*freshetv1.Row{{Vector: make([]float64, 10_000)}}} // beyond what is pooled
	for _, m := range append(messages(), big) {
		for name, c := range map[string][2]encoding.CodecV2{"to standard": {ours, standard}, "from standard": {standard, ours}} {
			data, err := c[0].Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			got := m.ProtoReflect().New().Interface()
			if err := c[1].Unmarshal(data, got); err != nil || !proto.Equal(got, m) {
				t.Errorf("%s: %v, %v, want %v", name, err, got, m)
			}
			data.Free()
		}
	}
}

func TestTextsMustBeUTF8(t *testing.T) {
	bad := "\xff\xfe"
	for _, m := range []proto.Message{
		&freshetv1.PredictRequest{Model: bad}, &freshetv1.PredictRequest{Version: &freshetv1.Version{Log: bad}},
		&freshetv1.PredictRequest{Rows: []*freshetv1.Row{{Id: bad}}},
		&freshetv1.PredictRequest{Rows: []*freshetv1.Row{{Fields: map[string]*freshetv1.Value{bad: text("x")}}}},
		&freshetv1.PredictStreamRequest{Request: &freshetv1.PredictRequest{Rows: []*freshetv1.Row{{Fields: map[string]*freshetv1.Value{"x": text(bad)}}}}},
		&freshetv1.GetFeaturesRequest{Features: []string{bad}},
		&freshetv1.GetFeaturesRequest{Rows: []*freshetv1.EntityRow{{Keys: map[string]*freshetv1.Value{"x": text(bad)}}}},
	} {
		data, err := wire.New().Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := wire.New().Unmarshal(data, m.ProtoReflect().New().Interface()); err == nil {
			t.Errorf("%v was taken", m)
		}
	}
}

// A damaged message gives an error or a message, as with the standard codec, and never a panic.
func FuzzUnmarshal(f *testing.F) {
	for i, m := range messages() {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, data)
		f.Add(i, data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, i int, data []byte) {
		all := messages()
		m := all[(i%len(all)+len(all))%len(all)]
		got := m.ProtoReflect().New().Interface()
		if err := wire.New().Unmarshal(mem.BufferSlice{mem.SliceBuffer(bytes.Clone(data))}, got); err != nil {
			return
		}
		want := m.ProtoReflect().New().Interface()
		if proto.Unmarshal(data, want) == nil && !proto.Equal(known(t, got), known(t, want)) {
			t.Errorf("%x is %v, with the standard codec %v", data, got, want)
		}
	})
}

// known is the message without fields that it does not have; the codecs keep those of times differently.
func known(t *testing.T, m proto.Message) proto.Message {
	data, err := proto.Marshal(m)
	if err != nil {
		t.Skip("a text of an answer is not UTF-8, which the standard codec refuses")
	}
	out := m.ProtoReflect().New().Interface()
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
	return out
}
