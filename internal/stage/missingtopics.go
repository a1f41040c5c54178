package stage

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// MissingTopicsError is topics that are not there and that Freshet does not make.
type MissingTopicsError struct {
	Topics []TopicSpec
	Why    string // they are not made
}

// Error names the topics.
func (e *MissingTopicsError) Error() string {
	var names []string
	for i := range e.Topics {
		names = append(names, e.Topics[i].Name)
	}
	return fmt.Sprintf("topics are missing, and %s: %s", e.Why, strings.Join(names, ", "))
}

// WriteTopics writes topics for whoever makes them: as a table, and as commands of Kafka's own tool. Settings are those that
// EnsureTopics checks.
func WriteTopics(w io.Writer, specs []TopicSpec) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPIC\tPARTITIONS\tREPLICAS\tSETTINGS")
	for i := range specs {
		s := &specs[i]
		replicas := "default"
		if s.Replicas > 0 {
			replicas = fmt.Sprint(s.Replicas)
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", s.Name, s.Partitions, replicas, strings.Join(s.Settings(), " "))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for i := range specs {
		if _, err := fmt.Fprintln(w, specs[i].Command()); err != nil {
			return err
		}
	}
	return nil
}

// Command is the call of Kafka's own tool that makes the topic. The shell's BROKERS says where.
func (s *TopicSpec) Command() string {
	words := []string{`kafka-topics.sh --bootstrap-server "$BROKERS" --create --topic`, s.Name, "--partitions", fmt.Sprint(s.Partitions)}
	if s.Replicas > 0 {
		words = append(words, "--replication-factor", fmt.Sprint(s.Replicas))
	}
	for _, c := range s.Settings() {
		words = append(words, "--config", c)
	}
	return strings.Join(words, " ")
}
