// Package doctor checks the surroundings of a project: what the service would trip over, before it does. It
// changes nothing. It stands beside the flow.
package doctor

import (
	"context"
	"time"

	"github.com/freshet-ml/freshet/internal/program"
)

// Level is how good or bad a finding is; greater is worse.
type Level int

// The levels.
const (
	OK   Level = iota
	Warn       // works, and will surprise
	Fail       // does not work
)

// String is ok, warn or fail.
func (l Level) String() string { return [...]string{"ok", "warn", "fail"}[l] }

// MarshalText writes String.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Check is one finding.
type Check struct {
	Name  string `json:"name"` // such as topic flights.events
	Level Level  `json:"level"`
	Found string `json:"found"`
	Mend  string `json:"mend,omitempty"`
}

// Options say what to check.
type Options struct {
	Program *program.Program
	Brokers []string      // instead of the project's
	Timeout time.Duration // of each question
	Now     func() time.Time
}

// Run makes all checks, one after the other, and returns what they found.
func Run(ctx context.Context, o Options) []Check {
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &doctor{Options: o}
	for _, check := range []func(context.Context){d.kafka, d.retention, d.redis, d.checkpoints, d.ports} {
		check(ctx)
	}
	return d.checks
}

type doctor struct {
	Options
	checks []Check
}

func (d *doctor) ok(name, found string)         { d.add(name, OK, found, "") }
func (d *doctor) warn(name, found, mend string) { d.add(name, Warn, found, mend) }
func (d *doctor) fail(name, found, mend string) { d.add(name, Fail, found, mend) }

func (d *doctor) add(name string, level Level, found, mend string) {
	d.checks = append(d.checks, Check{Name: name, Level: level, Found: found, Mend: mend})
}

// asking bounds one question.
func (d *doctor) asking(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d.Timeout)
}
