package synth

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

type payment struct {
	ID, Card, Merchant, Country string
	At                          time.Time
	Amount                      float64
	Fraud                       *bool
}

func decode(t *testing.T, r Record) payment {
	t.Helper()
	var p payment
	if err := json.Unmarshal(r.Value, &p); err != nil {
		t.Fatalf("%s: %v", r.Value, err)
	}
	return p
}

func hash(records []Record) string {
	h := sha256.New()
	for _, r := range records {
		fmt.Fprintf(h, "%s %d %d %s %s\n", r.Source, r.Time, r.Arrival, r.Key, r.Value)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

func TestSameSeedSameBytes(t *testing.T) {
	a, b := Payments(Options{Seed: 1}), Payments(Options{Seed: 1})
	if hash(a) != hash(b) {
		t.Error("the same seed gives other records")
	}
	if hash(a) == hash(Payments(Options{Seed: 2})) {
		t.Error("another seed gives the same records")
	}
}

func TestStreams(t *testing.T) {
	const n = 5_000
	bound := time.Minute
	records := Payments(Options{Seed: 3, Payments: n, OutOfOrder: bound, Duplicates: 0.01})
	count := map[string]int{}
	ids, verdicts := map[string]int{}, map[string]time.Time{}
	fraud, removed, backwards := 0, 0, 0
	var newest int64
	for i, r := range records {
		count[r.Source]++
		if i > 0 && r.Arrival < records[i-1].Arrival {
			t.Fatal("records are not sorted by arrival")
		}
		if r.Value == nil {
			removed++
			continue
		}
		p := decode(t, r)
		if p.Card != string(r.Key) {
			t.Fatalf("key %q of %s", r.Key, r.Value)
		}
		switch r.Source {
		case "payments":
			ids[p.ID]++
			if late := r.Arrival - r.Time; late < 0 || ids[p.ID] == 1 && late > bound.Microseconds() {
				t.Fatalf("arrives %d µs after its time", late)
			}
			if r.Time < newest {
				backwards++
			}
			newest = max(newest, r.Time)
		case "disputes":
			verdicts[p.ID] = p.At
			if *p.Fraud {
				fraud++
			}
		}
		if r.Source != "cards" && p.At.UnixMicro() != r.Time {
			t.Fatalf("event time %d of %s", r.Time, r.Value)
		}
	}
	if len(ids) != n || count["payments"] == n || count["cards"] != 502 || removed != 1 {
		t.Errorf("%d ids, %v records, %d rows removed", len(ids), count, removed)
	}
	if share := float64(len(verdicts)) / n; share < 0.97 || share > 0.99 {
		t.Errorf("%.3f of the payments have a verdict, want .98", share)
	}
	if share := float64(fraud) / n; share < 0.025 || share > 0.055 {
		t.Errorf("%.3f is fraud, want about .04", share)
	}
	if backwards == 0 {
		t.Error("nothing is out of order")
	}
}

// TestDrift checks the documented drifts: what tells fraud before FraudChanges tells nothing after it, and the
// other way round; and amounts double after PricesRise.
func TestDrift(t *testing.T) {
	records := Payments(Options{Seed: 4, Payments: 30_000})
	slices.SortStableFunc(records, func(a, b Record) int { return bytes.Compare([]byte(a.Source), []byte(b.Source)) })
	fraud := map[string]bool{}
	usual, recent := map[string][2]float64{}, map[string][]int64{}
	var hits, cases [2][2]int // [rule][before, after]
	var amount [2]float64
	made := 0
	for _, r := range records {
		if r.Source == "cards" {
			continue
		}
		p := decode(t, r)
		if r.Source == "disputes" {
			fraud[p.ID] = *p.Fraud
			continue
		}
		made++
		part := 0
		if made > 10_000 {
			part = 1
		}
		u := usual[p.Card]
		last := recent[p.Card]
		burst := len(last) >= 2 && r.Time-last[len(last)-2] <= 120_000_000
		large := u[1] > 3 && p.Amount > 3*u[0]/u[1]
		usual[p.Card] = [2]float64{u[0] + p.Amount, u[1] + 1}
		recent[p.Card] = append(last, r.Time)
		for rule, says := range []bool{large, burst} {
			if fraud[p.ID] {
				cases[rule][part]++
				if says {
					hits[rule][part]++
				}
			}
		}
		if made > 15_000 && made <= 20_000 {
			amount[0] += p.Amount
		} else if made > 25_000 {
			amount[1] += p.Amount
		}
	}
	recall := func(rule, part int) float64 { return float64(hits[rule][part]) / float64(cases[rule][part]) }
	if recall(0, 0) < 0.6 || recall(0, 1) > 0.1 || recall(1, 0) > 0.1 || recall(1, 1) < 0.5 {
		t.Errorf("large amounts find %.2f, then %.2f; bursts %.2f, then %.2f", recall(0, 0), recall(0, 1), recall(1, 0), recall(1, 1))
	}
	if ratio := amount[1] / amount[0]; ratio < 1.5 || ratio > 2.1 {
		t.Errorf("the last sixth pays %.2f times as much as before prices rise, want about 1.75", ratio)
	}
}

func ExamplePayments() {
	for _, r := range Payments(Options{Seed: 1, Payments: 1, Cards: 1}) {
		fmt.Println(r.Source)
	}
	// Output:
	// cards
	// cards
	// cards
	// payments
	// disputes
}
