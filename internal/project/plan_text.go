package project

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteJSON writes the plan as indented JSON.
func (p *Plan) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(p)
}

// WriteText writes the plan as tables for people.
func (p *Plan) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "project %s, generation %s\n", p.Project, p.Generation)
	fmt.Fprintf(t, "%s events/s in, %.1f records written for each, %s a day in Freshet's topics before compression\n", short(p.EventsPerSecond), p.RecordsPerEvent, bytesText(p.BytesPerDay))
	fmt.Fprintf(t, "\nENTITY\tKEY\tBUCKETS\tCOLUMNS\tSTATE, QUIET\tSTATE, BUSY\n")
	for _, u := range p.Units {
		name := u.Entity
		if u.Table {
			name += " (table)"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\t%s\n", name, strings.Join(u.Key, ", "), u.Buckets, u.Columns, bytesText(float64(u.StateQuiet)), bytesText(float64(u.StateBusy)))
	}
	fmt.Fprintf(t, "\nTOPIC\tWRITTEN BY\tPARTITIONS\tREPLICAS\tPOLICY\tRETENTION\tRECORDS/S\tA DAY\n")
	for _, o := range p.Topics {
		by, policy, retention := "you", "yours", "yours"
		if o.Own {
			by, retention = "freshet", o.Settings["retention"]
		}
		if s := o.Settings["cleanup.policy"]; s != "" {
			policy = s
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\n", o.Name, by, o.Partitions, o.Replication, policy, strings.Replace(retention, "-1", "for ever", 1), short(o.RecordsPerSecond), bytesText(o.BytesPerDay))
	}
	fmt.Fprintf(t, "\nMODEL\tON\tMEMBERS\tCOLUMNS\tEXAMPLES/S\tWAIT\tWAITING\tWAITING BYTES\n")
	for _, m := range p.Models {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", m.Name, m.On, strings.Join(m.Members, ", "), m.Columns, short(m.ExamplesPerSecond), m.Wait, short(m.WaitingExamples), bytesText(m.WaitingBytes))
	}
	return t.Flush()
}

// WriteChanges writes what Compare found, one a line.
func WriteChanges(w io.Writer, changes []Change) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintln(w, "nothing changes")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "CHANGE\tHOW\tEFFECT\tNOTE\n")
	for _, c := range changes {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", c.What, c.How, c.Effect, c.Note)
	}
	return t.Flush()
}

// short writes a number with three significant digits.
func short(x float64) string {
	switch {
	case x >= 1e6:
		return fmt.Sprintf("%.3gM", x/1e6)
	case x >= 1e4:
		return fmt.Sprintf("%.0fk", x/1e3)
	}
	return fmt.Sprintf("%.4g", x)
}

func bytesText(x float64) string {
	for _, u := range []struct {
		name string
		unit float64
	}{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if x >= u.unit {
			return fmt.Sprintf("%.3g %s", x/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%.0f B", x)
}
