package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/spelling"
)

// flagError says what is wrong with a flag: its value and how one looks, or the nearest name that there is.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	var empty *pflag.ValueRequiredError
	path := cmd.CommandPath()
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		mend := looks(f.Value.Type())
		if errors.Is(invalid, strconv.ErrRange) {
			mend = "it is too large or too small"
		}
		return usagef("--%s %q: %s; see %s --help", f.Name, invalid.GetValue(), mend, path)
	case errors.As(err, &empty):
		return usagef("--%s: no value is given: %s; see %s --help", empty.GetFlag().Name, looks(empty.GetFlag().Value.Type()), path)
	}
	return usagef("%w; see %s --help", err, path)
}

// looks says what the value of a flag looks like, by the name of its type.
func looks(kind string) string {
	switch kind {
	case "int", "int64":
		return "give a whole number, such as 10"
	case "uint", "uint32", "uint64":
		return "give a whole number from 0 on, such as 10"
	case "intSlice":
		return "give whole numbers, separated by commas, such as 24,168"
	case numbersType:
		return "give numbers, separated by commas, such as 0.1,0.5,0.9"
	case "float64":
		return "give a number, such as 0.5"
	case durationType:
		return "give a number with a unit (ms, s, m, h, d or w), such as 10s or 7d"
	case "bool":
		return "write true or false, or the flag alone"
	}
	return "give one behind it"
}

func unknownFlag(cmd *cobra.Command, err *pflag.NotExistError) error {
	var list []string
	add := func(f *pflag.Flag) { list = append(list, f.Name) }
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	name, dashes := err.GetSpecifiedName(), "--"
	if err.GetSpecifiedShortnames() != "" {
		dashes = "-"
	}
	if near := spelling.Nearest(name, list); near != "" {
		return usagef("unknown flag %s%s; did you mean --%s? See %s --help", dashes, name, near, cmd.CommandPath())
	}
	return usagef("unknown flag %s%s; see %s --help", dashes, name, cmd.CommandPath())
}

const (
	durationType = "duration"
	numbersType  = "numbers"
)

// duration is the value of a flag that is written like the durations of a project file: 500ms, 90s, 7d.
type duration time.Duration

func durationFlag(flags *pflag.FlagSet, to *time.Duration, name string, value time.Duration, usage string) {
	*to = value
	flags.Var((*duration)(to), name, usage)
}

// String is empty for no time at all: then the help names no default.
func (d *duration) String() string {
	if *d == 0 {
		return ""
	}
	return project.FormatDuration(time.Duration(*d))
}

func (d *duration) Type() string { return durationType }

func (d *duration) Set(text string) error {
	if text == "0" {
		*d = 0
		return nil
	}
	x, err := project.ParseDuration(text)
	*d = duration(x)
	return err
}

// numbersValue is the value of a flag that takes several, separated by commas; given again, more are added.
type numbersValue struct {
	to    *[]float64
	given bool
}

func numbersFlag(flags *pflag.FlagSet, to *[]float64, name string, value []float64, usage string) {
	*to = value
	flags.Var(&numbersValue{to: to}, name, usage)
}

func (n *numbersValue) String() string {
	if n.to == nil {
		return ""
	}
	texts := make([]string, len(*n.to))
	for i, x := range *n.to {
		texts[i] = strconv.FormatFloat(x, 'g', -1, 64)
	}
	return strings.Join(texts, ",")
}

func (n *numbersValue) Type() string { return numbersType }

func (n *numbersValue) Set(text string) error {
	if !n.given {
		*n.to, n.given = nil, true
	}
	for _, t := range strings.Split(text, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%q is no number", t)
		}
		*n.to = append(*n.to, x)
	}
	return nil
}
