package chaos

import (
	"flag"
	"testing"
	"time"
)

var controls = flag.Bool("controls", false, "run the controls, which take minutes")

// scripts is the package whose scripts a control replaces.
const scripts = "github.com/freshet-ml/freshet/internal/stage/redis."

const (
	// loadUnfenced and commitUnfenced compare neither owner nor position.
	loadUnfenced = `local out, a = {}, 1 for i = 1, #KEYS do local n = tonumber(ARGV[a + 2]) ` +
		`out[i] = {"OK", redis.call("HMGET", KEYS[i], unpack(ARGV, a + 3, a + 2 + n))} a = a + 3 + n end return out`
	commitUnfenced = `local out, a = {}, 1 for i = 1, #KEYS do local n = tonumber(ARGV[a + 2]) ` +
		`redis.call("HSET", KEYS[i], unpack(ARGV, a + 3, a + 2 + n)) out[i] = "OK" a = a + 3 + n end return out`
	// commitApart compares, and writes each field of an entity by a command of its own, the position last.
	commitApart = `local out, a = {}, 1 for i = 1, #KEYS do local have = redis.call("HMGET", KEYS[i], "!ep", "!off") local n = tonumber(ARGV[a + 2]) ` +
		`if have[1] ~= ARGV[a] then out[i] = "FENCED" elseif (have[2] or "") ~= ARGV[a + 1] then out[i] = "STALE" else ` +
		`for k = a + 7, a + 2 + n, 2 do redis.call("HSET", KEYS[i], ARGV[k], ARGV[k + 1]) end ` +
		`redis.call("HSET", KEYS[i], unpack(ARGV, a + 3, a + 6)) out[i] = "OK" end a = a + 3 + n end return out`
)

func link(name, text string) string { return "-X '" + scripts + name + "=" + text + "'" }

// Each control breaks one rule and meets the faults that the rule is for: the same comparison must find it wrong.
func TestControlsFail(t *testing.T) {
	if !*controls {
		t.Skip("the controls take minutes: make chaos runs them")
	}
	for _, c := range []struct {
		name   string
		flags  []string
		blind  bool
		faults []string
		times  int
		sign   []string // what must be wrong, one of them
	}{
		{"no fencing", []string{"-ldflags", link("loadText", loadUnfenced) + " " + link("commitText", commitUnfenced)}, false,
			[]string{"store rolled back under sleepers", "features asleep"}, 4, []string{"hash of states", "hash of the example log"}},
		{"several writes in one script", []string{"-ldflags", link("commitText", commitApart)}, false,
			[]string{"file torn, killed again"}, 6, []string{"hash of states", "hash of the example log"}},
		{"arrival order", nil, true, nil, 1, []string{"events out of their order"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, build(t, t.TempDir(), c.flags...), *seed, c.blind)
			f.feed.run()
			if !c.blind {
				f.begin(2000)
			}
			for range c.times {
				for _, x := range faults() {
					for _, name := range c.faults {
						if x.name == name {
							x.do(f)
							f.note("%s", x.name)
							f.rest(2, 4)
						}
					}
				}
			}
			if c.blind {
				f.rest(10, 10)
			}
			f.feed.end()
			f.ok(f.feed.err)
			_, ok := f.fresh(20 * time.Second)
			f.calls.end()
			w := f.verify(2000)
			f.note("wrong, as it must be, after %v (came to its end: %t): %v", time.Since(f.began).Round(time.Second), ok, w)
			found := 0
			for _, s := range c.sign {
				found += w.counts[s]
			}
			if found == 0 {
				t.Errorf("none of %q is found: the control shows nothing", c.sign)
			}
		})
	}
}
