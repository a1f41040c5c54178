package ingest

import (
	"math"
	"strconv"
)

// Header is one header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record of a source topic. Value nil means null, which is not the same as empty.
// The memory of Key and Value must never be written again: values that are decoded borrow it.
type Record struct {
	Source    int      // index into the project's sources
	Partition int32    // of the source topic
	Offset    int64    // in the partition
	TopicID   [16]byte // Kafka's topic id, zero where there is none
	Timestamp int64    // of the record, ms since the epoch
	Key       []byte
	Value     []byte
	Headers   []Header
}

// MarkHeader is the header that makes a record a time mark. Its value is a decimal number of µs since
// the epoch, or "+inf".
const MarkHeader = "__freshet.time"

// NoMoreTime is the time of the mark "+inf": nothing follows in this partition.
const NoMoreTime int64 = math.MaxInt64

// MarkOf returns T when the record is a time mark: nothing older than T follows in its partition. Key
// and value of a mark mean nothing. A record whose mark header cannot be read is no mark and is
// refused by every Decoder (reason bad_mark). Cost: one comparison a header, no allocation.
func MarkOf(rec *Record) (int64, bool) {
	v, ok := markHeader(rec)
	if !ok {
		return 0, false
	}
	if string(v) == "+inf" {
		return NoMoreTime, true
	}
	t, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || t == math.MinInt64 {
		return 0, false
	}
	return t, true
}

func markHeader(rec *Record) ([]byte, bool) {
	for i := range rec.Headers {
		if rec.Headers[i].Key == MarkHeader {
			return rec.Headers[i].Value, true
		}
	}
	return nil, false
}

// MarkRecord returns key and headers of the mark T, in µs or NoMoreTime. In a compacted topic the mark
// has a key of its own, so that compaction keeps the newest one; elsewhere the key is null.
func MarkRecord(t int64, compacted bool) (key []byte, headers []Header) {
	text := "+inf"
	if t != NoMoreTime {
		text = strconv.FormatInt(t, 10)
	}
	if compacted {
		key = []byte(MarkHeader)
	}
	return key, []Header{{Key: MarkHeader, Value: []byte(text)}}
}
