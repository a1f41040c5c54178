package backtest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/trainer"
)

// TestVisibleOrderIsASort compares the order in which items become visible with a sort of all of them at once.
func TestVisibleOrderIsASort(t *testing.T) {
	p := &trainer.Program{Sources: []features.Source{{Name: "a"}, {Name: "b"}, {Name: "c"}}, Triggers: []*trainer.Trigger{{Source: 1}}}
	rapid.Check(t, func(t *rapid.T) {
		by := Availability{Mode: AtDelay, Delay: time.Duration(rapid.IntRange(0, 5).Draw(t, "delay")) * time.Microsecond}
		if rapid.Bool().Draw(t, "append") {
			by = Availability{Mode: AtAppend}
		}
		type placed struct {
			it           features.Item
			at, appended int64
		}
		var all []placed
		offsets := map[lane]int64{}
		for range rapid.IntRange(0, 40).Draw(t, "items") {
			id := lane{rapid.IntRange(0, 2).Draw(t, "source"), int32(rapid.IntRange(0, 1).Draw(t, "partition"))}
			x := placed{it: features.Item{Kind: features.EventItem, Source: id.source, Partition: id.partition, Time: int64(rapid.IntRange(1, 20).Draw(t, "time"))}}
			x.appended = x.it.Time + int64(rapid.IntRange(-2, 9).Draw(t, "lag"))
			all = append(all, x)
		}
		// The order of event times, in which offsets are given out and items come in.
		slices.SortStableFunc(all, func(a, b placed) int {
			return cmp.Or(cmp.Compare(a.it.Time, b.it.Time), cmp.Compare(a.it.Source, b.it.Source), cmp.Compare(a.it.Partition, b.it.Partition))
		})
		newest := map[lane]int64{}
		for i := range all {
			x := &all[i]
			id := lane{x.it.Source, x.it.Partition}
			x.it.Offset = offsets[id]
			offsets[id]++
			x.at = x.it.Time
			switch {
			case by.Mode == AtAppend:
				x.at = max(x.at, x.appended)
			case x.it.Source != 1:
				x.at += by.Delay.Microseconds()
			}
			x.at = max(x.at, newest[id]) // a record is not seen before the one before it
			newest[id] = x.at
		}
		list := Items(func(_ context.Context, visit Visit) error {
			for i := range all {
				if err := visit(&all[i].it, all[i].appended); err != nil {
					return err
				}
			}
			return nil
		})
		var got, want []string
		name := func(it *features.Item) string { return fmt.Sprintf("%d/%d/%d", it.Source, it.Partition, it.Offset) }
		err := available(list, &Candidate{Program: p}, by)(t.Context(), func(it *features.Item, _ int64) error {
			got = append(got, name(it))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.SortStableFunc(all, func(a, b placed) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.it.Source, b.it.Source), cmp.Compare(a.it.Partition, b.it.Partition), cmp.Compare(a.it.Offset, b.it.Offset))
		})
		for i := range all {
			want = append(want, name(&all[i].it))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %v, want %v", by, got, want)
		}
	})
}
