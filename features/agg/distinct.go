package agg

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
)

var distinctSpec = Spec{
	Name: "distinct",
	Doc: "Number of different values: exact up to cap (256 by default), beyond it an estimate by HyperLogLog with 4,096 " +
		"registers (standard error 1.04/√4096 = 1.6 %). 0 without events.",
	Value: MustValue, Text: true, Uses: []string{"cap"}, Windows: true, Always: true, Version: 1,
	Cost: "20 ns to add; to read, a merge of all tiles", Memory: "8 bytes a different value a tile, at most 8·cap or 4 KiB",
	Source: "Flajolet et al., HyperLogLog, AOFA 2007; estimator of Ertl, New cardinality estimation algorithms for HyperLogLog sketches, 2017",
	New: func(p Params) (Fold, error) {
		if p.Cap == 0 {
			p.Cap = 256
		}
		if p.Cap < 1 || p.Cap > 65536 {
			return Fold{}, fmt.Errorf("cap is %d; set it to 1 to 65536", p.Cap)
		}
		return one(values{p.Cap}, func(c []byte, _ Span) float64 {
			if len(c) == 0 {
				return 0
			}
			if c[0] == exactValues {
				return float64((len(c) - 1) / 8)
			}
			return hllEstimate(c[1:])
		}), nil
	},
}

// values is a set of hashes: nothing, or a mode byte and then the sorted hashes (u64 each), or the
// registers of a HyperLogLog. It grows.
type values struct{ cap int }

// Modes of values.
const (
	exactValues  = 0
	sketchValues = 1
)

func (v values) Name() string       { return "distinct(" + strconv.Itoa(v.cap) + ")" }
func (values) Width() int           { return 0 }
func (values) Init(c []byte) []byte { return c[:0] }

// hashOf spreads the bits of a value over 64 bits (splitmix64). 0 and −0 are one value.
func hashOf(x float64) uint64 {
	h := math.Float64bits(x+0) + 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

func (v values) Add(c []byte, r Row) []byte { return v.insert(c, hashOf(r.X)) }

func (v values) insert(c []byte, h uint64) []byte {
	if len(c) == 0 {
		c = append(c, exactValues)
	}
	if c[0] == sketchValues {
		hllAdd(c[1:], h)
		return c
	}
	set := c[1:]
	lo, hi := 0, len(set)/8
	for lo < hi {
		if mid := (lo + hi) / 2; u64(set, mid*8) < h {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo*8 < len(set) && u64(set, lo*8) == h {
		return c
	}
	if len(set)/8 == v.cap {
		c = v.sketch(c)
		hllAdd(c[1:], h)
		return c
	}
	c = binary.LittleEndian.AppendUint64(c, 0)
	copy(c[1+lo*8+8:], c[1+lo*8:])
	putU64(c, 1+lo*8, h)
	return c
}

// sketch turns an exact set into registers. The registers are built behind the set and moved down.
func (values) sketch(c []byte) []byte {
	n := len(c)
	c = slices.Grow(c, registers)[:n+registers]
	clear(c[n:])
	for at := 1; at < n; at += 8 {
		hllAdd(c[n:], u64(c, at))
	}
	c[0] = sketchValues
	copy(c[1:], c[n:])
	return c[:1+registers]
}

func (v values) Merge(c, o []byte) []byte {
	if len(o) == 0 {
		return c
	}
	if o[0] == exactValues {
		for at := 1; at < len(o); at += 8 {
			c = v.insert(c, u64(o, at))
		}
		return c
	}
	if len(c) == 0 {
		return append(c, o...)
	}
	if c[0] == exactValues {
		c = v.sketch(c)
	}
	for i, r := range o[1 : 1+registers] {
		c[1+i] = max(c[1+i], r)
	}
	return c
}

func (v values) Check(c []byte) error {
	if len(c) == 0 {
		return nil
	}
	set := c[1:]
	switch c[0] {
	case exactValues:
		if len(set)%8 != 0 || len(set)/8 > v.cap {
			return errCell
		}
		for at := 8; at < len(set); at += 8 {
			if u64(set, at) <= u64(set, at-8) {
				return errCell
			}
		}
		return nil
	case sketchValues:
		if len(set) != registers || slices.Max(set) > maxRank {
			return errCell
		}
		return nil
	}
	return errCell
}
