package agg

import (
	"encoding/binary"
	"math"
)

func u64(b []byte, at int) uint64        { return binary.LittleEndian.Uint64(b[at:]) }
func putU64(b []byte, at int, v uint64)  { binary.LittleEndian.PutUint64(b[at:], v) }
func i64(b []byte, at int) int64         { return int64(u64(b, at)) }
func putI64(b []byte, at int, v int64)   { putU64(b, at, uint64(v)) }
func f64(b []byte, at int) float64       { return math.Float64frombits(u64(b, at)) }
func putF64(b []byte, at int, v float64) { putU64(b, at, math.Float64bits(v)) }

// nullBits is the NaN that stands for a null that counts as a value: a table's row whose field became
// null. Every other NaN of an input is an event that is left out.
const nullBits = 0x7ff8_0000_0000_0002

// Null returns the NaN of a null that replaces a value: last of a table's field is missing after it.
func Null() float64 { return math.Float64frombits(nullBits) }

// Skip reports whether an input's value leaves its event out of an aggregation.
func Skip(x float64) bool { return x != x && math.Float64bits(x) != nullBits }

// Rows is a run of packed rows in the order of (time, seq): time i64, seq u64, inputs f64 each.
type Rows struct {
	B      []byte
	Stride int // bytes of a row
	X, Y   int // offsets of the inputs in a row; 0: always 1
}

// Len returns the number of rows.
func (r Rows) Len() int { return len(r.B) / r.Stride }

// x returns the value of the row that begins at that offset.
func (r *Rows) x(at int) float64 {
	if r.X == 0 {
		return 1
	}
	return f64(r.B, at+r.X)
}

// Row returns row i.
func (r Rows) Row(i int) Row {
	b := r.B[i*r.Stride : (i+1)*r.Stride]
	row := Row{X: 1, Y: 1, Time: i64(b, 0), Seq: u64(b, 8)}
	if r.X > 0 {
		row.X = f64(b, r.X)
	}
	if r.Y > 0 {
		row.Y = f64(b, r.Y)
	}
	return row
}

// Cells is a run of records of one length that hold a cell of fixed width at one offset.
type Cells struct {
	B      []byte
	Stride int // bytes of a record
	At     int // offset of the cell in a record
}

// AddRows adds the rows of which no input is missing to cell, from the last to the first.
func AddRows(p Partial, cell []byte, rows Rows) []byte {
	if run, ok := p.(Runner); ok {
		run.AddRun(cell, rows)
		return cell
	}
	for i := rows.Len() - 1; i >= 0; i-- {
		if r := rows.Row(i); !Skip(r.X) && !Skip(r.Y) {
			cell = p.Add(cell, r)
		}
	}
	return cell
}

// Pack returns rows, which must be in order, in packed form with both inputs.
func Pack(rows []Row) Rows {
	p := Rows{Stride: 32, X: 16, Y: 24, B: make([]byte, 32*len(rows))}
	for i, r := range rows {
		b := p.B[i*p.Stride:]
		putPlace(b, r.Time, r.Seq, r.X)
		putF64(b, p.Y, r.Y)
	}
	return p
}
