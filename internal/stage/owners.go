package stage

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Owners are the members of the group by which the partitions of an output topic find their owners.
type Owners struct {
	Of      map[int32]string // member that owns a partition
	Standby []string         // members that own none
}

// AskOwners asks the brokers who owns what, by group. Groups that nobody has joined yet have no members.
func AskOwners(ctx context.Context, adm *kadm.Client, groups ...string) (map[string]Owners, error) {
	described, err := adm.DescribeGroups(ctx, groups...)
	if err != nil {
		return nil, fmt.Errorf("ask who owns the outputs: %w", explain(err))
	}
	out := make(map[string]Owners, len(groups))
	for _, g := range groups {
		o := Owners{Of: map[int32]string{}}
		for _, m := range described[g].Members {
			owns := false
			if c, ok := m.Assigned.AsConsumer(); ok {
				for _, t := range c.Topics {
					for _, p := range t.Partitions {
						o.Of[p], owns = m.ClientID, true
					}
				}
			}
			if !owns {
				o.Standby = append(o.Standby, m.ClientID)
			}
		}
		out[g] = o
	}
	return out, nil
}
