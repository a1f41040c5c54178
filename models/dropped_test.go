package models_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

type cache struct{ evicted uint64 }

func (c *cache) Dropped(d *models.Drops) { d.Add("entries_evicted", c.evicted) }

// A component that is made of others counts theirs too.
type tiers struct{ hot, cold cache }

func (t *tiers) Dropped(d *models.Drops) { d.Of(&t.hot, &t.cold, nil, "no component") }

func ExampleDroppedBy() {
	t := &tiers{hot: cache{evicted: 7}, cold: cache{evicted: 2}}
	fmt.Println(models.DroppedBy(t), models.DroppedBy(t).Count("entries_evicted"), models.DroppedBy(42).Total())
	// Output: entries_evicted 9 9 0
}

func TestDrops(t *testing.T) {
	var d models.Drops
	d.Add("b", 1)
	d.Add("a", 2)
	d.Add("c", 0)
	d.Add("b", 3)
	want := models.Drops{{What: "a", Count: 2}, {What: "b", Count: 4}, {What: "c"}}
	if !slices.Equal(d, want) || d.Total() != 6 || d.Count("none") != 0 {
		t.Errorf("%v", d)
	}
	if b, err := json.Marshal(d); err != nil || string(b) != `{"a":2,"b":4,"c":0}` || d.String() != "a 2, b 4" || (models.Drops{}).String() != "–" {
		t.Errorf("%s, %s, %v", b, d, err)
	}
	var sum models.Drops
	sum.Of(d, d)
	if sum.Count("b") != 8 {
		t.Errorf("twice the counts are %v", sum)
	}
	var again models.Drops
	if err := codec.Load(&again, codec.Save(&d)); err != nil || !slices.Equal(again, want) {
		t.Errorf("loaded %v, %v", again, err)
	}
}

func TestDropsRefuseDamage(t *testing.T) {
	for _, bad := range []models.Drops{{{What: "b"}, {What: "a"}}, {{What: "a"}, {What: "a"}}, {{What: "Up"}}, {{What: ""}}, {{What: "a__b"}}, {{What: "_a"}}, {{What: "a_"}}, {{What: strings.Repeat("a", 65)}}} {
		var d models.Drops
		if err := codec.Load(&d, codec.Save(&bad)); err == nil || len(d) > 0 {
			t.Errorf("%v was loaded: %v", bad, err)
		}
	}
}

func FuzzDrops(f *testing.F) {
	f.Add(codec.Save(&models.Drops{{What: "leaves_deactivated", Count: 3}, {What: "splits_refused"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d models.Drops
		if codec.Load(&d, b) != nil {
			return
		}
		for _, x := range d {
			if !models.DropName(x.What) {
				t.Fatalf("loaded the name %q", x.What)
			}
		}
		var again models.Drops
		if err := codec.Load(&again, codec.Save(&d)); err != nil || !slices.Equal(again, d) {
			t.Fatalf("%v became %v, %v", d, again, err)
		}
	})
}
