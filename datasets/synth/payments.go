package synth

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// Record is one record of a source topic.
type Record struct {
	Source  string // payments, disputes or cards
	Time    int64  // event time, µs since the Unix epoch
	Arrival int64  // when it reaches its topic, µs; records are sorted by it
	Key     []byte // of the Kafka record: the card
	Value   []byte // JSON; nil removes the row of a table
}

// Options say how many payments are made and how untidy they are. The zero value of a field stands for the
// default that it names.
type Options struct {
	Seed       uint64        // of all randomness
	Payments   int           // number of payments, fraudulent ones included; 20,000
	Cards      int           // number of cards; 500
	Start      time.Time     // event time of the first payment; 2024-01-01T00:00Z
	Gap        time.Duration // mean time between payments; 5s
	OutOfOrder time.Duration // payments arrive up to this long after their event time; 0: in order
	LabelDelay time.Duration // mean time from a payment to its verdict; 6h
	Duplicates float64       // share of payments that arrive twice, in [0, 1]
}

func (o Options) filled() Options {
	o.Payments = cmp.Or(o.Payments, 20_000)
	o.Cards = cmp.Or(o.Cards, 500)
	o.Gap = cmp.Or(o.Gap, 5*time.Second)
	o.LabelDelay = cmp.Or(o.LabelDelay, 6*time.Hour)
	if o.Start.IsZero() {
		o.Start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return o
}

// Fraction of the payments after which the drifts begin.
const (
	// FraudChanges is a sudden concept drift: until here fraud is a payment of six times the card's usual
	// amount; from here on it is a burst of five usual amounts within two minutes.
	FraudChanges = 1.0 / 3
	// PricesRise is a gradual data drift: from here on all amounts grow steadily, to twice theirs at the end.
	PricesRise = 2.0 / 3
)

// Payments returns the records of a card issuer, sorted by arrival:
//
//   - cards, a table: {"card","limit","country"}, all rows before the first payment; at half of the
//     payments the first card's row is removed (a record without value) and comes back at once;
//   - payments: {"id","at","card","merchant","amount","country"}; about 4 % are fraud;
//   - disputes: {"id","at","card","fraud"}, the verdict on each payment, LabelDelay later on average
//     (exponential, at least a minute); 2 % never get one.
//
// Everything is made at once: about 400 bytes a payment.
func Payments(o Options) []Record {
	g := &generator{Options: o.filled()}
	g.rnd = rand.New(rand.NewPCG(g.Seed, 0x5eed))
	g.cards()
	for at := g.Start.UnixMicro(); g.made < g.Payments; at += g.wait(g.Gap) {
		g.visit(at)
	}
	slices.SortStableFunc(g.out, func(a, b Record) int { return cmp.Compare(a.Arrival, b.Arrival) })
	return g.out
}

type generator struct {
	Options
	rnd      *rand.Rand
	usual    []float64 // amount that each card usually pays
	made     int
	returned bool // the first card's row was removed and came back
	out      []Record
}

var countries = [...]string{"DE", "FR", "IN", "NG", "US"}

func (g *generator) cards() {
	before := g.Start.Add(-time.Hour).UnixMicro()
	for c := range g.Cards {
		g.usual = append(g.usual, 10*math.Exp(g.rnd.NormFloat64()))
		g.row(c, before)
	}
}

func (g *generator) row(card int, at int64) {
	b := append([]byte(`{"card":`), quote(cardName(card))...)
	b = append(b, `,"limit":`...)
	b = strconv.AppendInt(b, int64(500+500*(card%10)), 10)
	b = append(b, `,"country":"`...)
	b = append(b, countries[card%len(countries)]...)
	b = append(b, `"}`...)
	g.out = append(g.out, Record{"cards", at, at, []byte(cardName(card)), b})
}

// visit lets one card pay, or be robbed, at a time.
func (g *generator) visit(at int64) {
	card := g.rnd.IntN(g.Cards)
	if !g.returned && g.made >= g.Payments/2 {
		g.returned = true
		g.out = append(g.out, Record{"cards", at, at, []byte(cardName(0)), nil})
		g.row(0, at)
	}
	late := float64(g.made) >= FraudChanges*float64(g.Payments)
	switch {
	case !late && g.rnd.Float64() < 0.04:
		g.pay(card, at, 6, true)
	case late && g.rnd.Float64() < 0.04/5:
		for i := range 5 {
			g.pay(card, at+int64(i)*25_000_000, 1, true)
		}
	default:
		g.pay(card, at, 1, false)
	}
}

func (g *generator) pay(card int, at int64, times float64, fraud bool) {
	if g.made == g.Payments {
		return
	}
	share := float64(g.made) / float64(g.Payments)
	g.made++
	price := 1 + max(0, share-PricesRise)/(1-PricesRise)
	amount := g.usual[card] * times * price * math.Exp(0.3*g.rnd.NormFloat64())
	id := "p" + strconv.Itoa(g.made)
	b := head(id, at, card)
	b = append(b, `,"merchant":"m`...)
	b = strconv.AppendInt(b, int64(g.rnd.IntN(200)), 10)
	b = append(b, `","amount":`...)
	b = strconv.AppendFloat(b, amount, 'f', 2, 64)
	b = append(b, `,"country":"`...)
	b = append(b, countries[(card+btoi(g.rnd.Float64() < 0.1))%len(countries)]...)
	b = append(b, `"}`...)
	r := Record{"payments", at, at + g.delay(), []byte(cardName(card)), b}
	g.out = append(g.out, r)
	if g.Duplicates > 0 && g.rnd.Float64() < g.Duplicates {
		r.Arrival += 1_000_000
		g.out = append(g.out, r)
	}
	if g.rnd.Float64() < 0.02 {
		return
	}
	verdict := at + 60_000_000 + g.wait(g.LabelDelay)
	b = append(head(id, verdict, card), `,"fraud":`...)
	b = append(strconv.AppendBool(b, fraud), '}')
	g.out = append(g.out, Record{"disputes", verdict, verdict, []byte(cardName(card)), b})
}

// delay draws how long after its event time a payment arrives.
func (g *generator) delay() int64 {
	if g.OutOfOrder <= 0 {
		return 0
	}
	return g.rnd.Int64N(g.OutOfOrder.Microseconds() + 1)
}

// wait draws an exponential time of that mean, in µs.
func (g *generator) wait(mean time.Duration) int64 {
	return int64(g.rnd.ExpFloat64() * float64(mean.Microseconds()))
}

func head(id string, at int64, card int) []byte {
	b := append([]byte(`{"id":`), quote(id)...)
	b = append(b, `,"at":`...)
	b = time.UnixMicro(at).UTC().AppendFormat(b, `"2006-01-02T15:04:05.000000Z"`)
	b = append(b, `,"card":`...)
	return append(b, quote(cardName(card))...)
}

func cardName(card int) string { return "c" + strconv.Itoa(card) }

func quote(s string) string { return `"` + s + `"` }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
