package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/cli/connect"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
)

// kafka checks the brokers and all topics.
func (d *doctor) kafka(ctx context.Context) {
	p := d.Program.Project
	t, err := connect.Transport(&p.Kafka, d.Brokers)
	switch {
	case errors.Is(err, connect.ErrEmbedded):
		d.ok("brokers", "embedded in the process that runs the project")
		return
	case err != nil:
		d.fail("brokers", err.Error(), "correct the section kafka: of the project file")
		return
	}
	ctx, cancel := d.asking(ctx)
	defer cancel()
	topics := app.TopicsOf(d.Program)
	own := topics.Specs(int16(p.Kafka.Replication), p.Kafka.Retention)
	var specs []stage.TopicSpec
	for _, in := range p.Inputs() {
		specs = append(specs, stage.TopicSpec{Name: in.Topic, Partitions: int32(in.Partitions), Keep: true})
	}
	errs, err := stage.CheckTopics(ctx, t, append(specs, own...)...)
	if err != nil {
		d.fail("brokers "+strings.Join(t.Brokers, ", "), err.Error(), "check the address, the network, and kafka.tls and kafka.sasl of the project file")
		return
	}
	d.ok("brokers "+strings.Join(t.Brokers, ", "), "reachable")
	for i, in := range p.Inputs() {
		d.source(in, errs[i])
	}
	d.own(ctx, t, own, errs[len(specs):])
}

// source judges a topic of the user.
func (d *doctor) source(in *project.Source, err error) {
	name := "topic " + in.Topic
	switch {
	case err == nil:
		d.ok(name, fmt.Sprintf("there, partitions: %d", in.Partitions))
	case errors.Is(err, stage.ErrNoTopic):
		d.warn(name, "not there", fmt.Sprintf("make it with %d partitions; freshet produce does", in.Partitions))
	case errors.Is(err, stage.ErrReplaced):
		found, _, _ := strings.Cut(err.Error(), ";")
		d.fail(name, found, "set partitions: of "+in.Name+" to what the topic has")
	case errors.Is(err, stage.ErrSettings) && (in.Table || !strings.Contains(err.Error(), "cleanup.policy")):
		d.ok(name, fmt.Sprintf("there, partitions: %d", in.Partitions)) // compaction and small messages are its owner's affair
	case errors.Is(err, stage.ErrSettings):
		d.warn(name, err.Error(), "a compacted topic of events loses events; set cleanup.policy to delete")
	default:
		d.fail(name, err.Error(), "see whether this user may describe the topic")
	}
}

// own judges Freshet's own topics: one line where all is well.
func (d *doctor) own(ctx context.Context, t stage.Transport, specs []stage.TopicSpec, errs []error) {
	there := 0
	var missing []stage.TopicSpec
	for i, err := range errs {
		switch {
		case err == nil:
			there++
		case errors.Is(err, stage.ErrNoTopic):
			missing = append(missing, specs[i])
		case errors.Is(err, stage.ErrReplaced):
			d.fail("topic "+specs[i].Name, err.Error(), "")
		case errors.Is(err, stage.ErrSettings):
			d.fail("topic "+specs[i].Name, err.Error(), "change the setting of the topic")
		default:
			d.fail("topic "+specs[i].Name, err.Error(), "see whether this user may describe the topic")
		}
	}
	switch {
	case len(missing) > 0 && !d.Program.Project.Kafka.CreateTopics:
		d.fail("own topics", fmt.Sprintf("%d of %d are missing, and kafka.create_topics is false", len(missing), len(specs)), "make them: freshet plan --topics prints how")
	case len(missing) > 0 && !d.could(ctx, t, missing):
	case there+len(missing) == len(errs):
		d.ok("own topics", fmt.Sprintf("%d there, %d will be made", there, len(missing)))
	}
}

// could asks the brokers whether they would make the topics that are missing, and says which they would not.
func (d *doctor) could(ctx context.Context, t stage.Transport, missing []stage.TopicSpec) bool {
	tried, err := stage.TryTopics(ctx, t, missing...)
	if err != nil {
		d.fail("own topics", err.Error(), "check the rights of this user, or make the topics: freshet plan --topics prints how")
		return false
	}
	for i, err := range tried {
		if err != nil {
			d.fail("topic "+missing[i].Name, "cannot be made: "+err.Error(), "lower kafka.replication to the number of brokers, or grant this user Create; "+
				"or make it: freshet plan --topics prints how")
			return false
		}
	}
	return true
}

// retention checks that a rebuild can see as far back as the longest window.
func (d *doctor) retention(context.Context) {
	p := d.Program.Project
	longest, name := time.Duration(0), ""
	for i := range p.Features {
		for _, f := range p.Features[i].Features {
			for _, w := range f.Over {
				if w+f.Lag > longest {
					longest, name = w+f.Lag, p.Features[i].Name+"."+f.Name
				}
			}
		}
	}
	switch {
	case p.Kafka.Retention == 0 || longest == 0:
		d.ok("retention", "nothing that a rebuild needs is deleted")
	case longest > p.Kafka.Retention:
		d.warn("retention", fmt.Sprintf("%s looks back %s, and Freshet's logs are kept %s: a change of features could not be rebuilt", name,
			project.FormatDuration(longest), project.FormatDuration(p.Kafka.Retention)), "set kafka.retention to "+project.FormatDuration(longest)+" or more")
	default:
		d.ok("retention", fmt.Sprintf("logs are kept %s, the longest window is %s", project.FormatDuration(p.Kafka.Retention), project.FormatDuration(longest)))
	}
}
