package main

import (
	"testing"
	"time"
)

func minute(t *testing.T, at string) int {
	t.Helper()
	v, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	return int(v.Sub(epoch) / time.Minute)
}

func TestClockNext(t *testing.T) {
	clocks := map[string]*clock{}
	for _, c := range []struct{ zone, from, hhmm, want string }{
		{"America/Chicago", "2013-01-01T14:04:00Z", "830", "2013-01-01T14:30:00Z"},
		{"America/Chicago", "2013-01-01T14:30:00Z", "830", "2013-01-01T14:30:00Z"},
		{"America/Chicago", "2013-01-01T14:31:00Z", "830", "2013-01-02T14:30:00Z"},
		{"America/New_York", "2013-01-02T04:10:00Z", "2400", "2013-01-02T05:00:00Z"},
		{"Pacific/Honolulu", "2013-07-01T20:00:00Z", "1200", "2013-07-01T22:00:00Z"},
		{"America/New_York", "2013-03-10T06:00:00Z", "330", "2013-03-10T07:30:00Z"},    // summer time begins
		{"America/New_York", "2013-03-10T06:00:00Z", "230", "2013-03-11T06:30:00Z"},    // no such time that night
		{"America/New_York", "2013-11-03T05:00:00Z", "130", "2013-11-03T05:30:00Z"},    // the first of two
		{"America/Puerto_Rico", "2013-07-01T12:00:00Z", "900", "2013-07-01T13:00:00Z"}, // no summer time
	} {
		k, err := clockOf(clocks, c.zone)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := k.next(minute(t, c.from), c.hhmm), minute(t, c.want); got != want {
			t.Errorf("%s reads %s first at %v after %s, want %s", c.zone, c.hhmm, epoch.Add(time.Duration(got)*time.Minute), c.from, c.want)
		}
	}
	if _, err := clockOf(clocks, zoneOf["XXX"]); err == nil {
		t.Error("an airport without a zone has a clock")
	}
}

func TestZones(t *testing.T) {
	if len(zoneOf) != 105 {
		t.Errorf("%d airports have a zone, want 105", len(zoneOf))
	}
	for airport, zone := range zoneOf {
		if _, err := time.LoadLocation(zone); err != nil || len(airport) != 3 {
			t.Errorf("%s: zone %q: %v", airport, zone, err)
		}
	}
}
