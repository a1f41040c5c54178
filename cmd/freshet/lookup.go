package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving/client"
)

// lookupFlags are the flags of freshet lookup.
type lookupFlags struct {
	target
	asOf       string
	maxAge     time.Duration
	allowStale bool
}

func (c *cli) lookup() *cobra.Command {
	f := &lookupFlags{}
	cmd := &cobra.Command{
		Use:   "lookup ENTITY[.FEATURE] KEY=VALUE ...",
		Short: "Look up the features of an entity",
		Example: "  freshet lookup origin origin=JFK\n" +
			"  freshet lookup route.mean_delay_6h origin=JFK carrier=B6 --as-of 2013-07-01T12:00:00Z",
		Args: arguments(2, -1, "an entity type or one of its features, and KEY=VALUE for each key field"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.runLookup(cmd, f, args[0], args[1:]) },
	}
	f.target.flags(cmd)
	cmd.Flags().StringVar(&f.asOf, "as-of", "", "read features as they were at this time")
	durationFlag(cmd.Flags(), &f.maxAge, "max-age", 0, "mark values of entities that have been quiet for longer (0: never)")
	cmd.Flags().BoolVar(&f.allowStale, "allow-stale", false, "answer also while features are being rebuilt")
	return cmd
}

func (c *cli) runLookup(cmd *cobra.Command, f *lookupFlags, what string, args []string) error {
	if err := assignments(args); err != nil {
		return err
	}
	if !strings.Contains(what, ".") {
		what += ".*"
	}
	req := &freshetv1.GetFeaturesRequest{Features: []string{what}, AllowStale: f.allowStale}
	var err error
	if req.AsOf, err = asOf(f.asOf); err != nil {
		return err
	}
	if f.maxAge > 0 {
		req.MaxAge = durationpb.New(f.maxAge)
	}
	cl, err := c.dial(cmd, &f.target)
	if err != nil {
		return err
	}
	defer cl.Close()
	kinds, err := keyKinds(cmd.Context(), cl)
	if err != nil {
		return err
	}
	keys := map[string]*freshetv1.Value{}
	for _, a := range args {
		name, text, _ := strings.Cut(a, "=")
		if keys[name], err = client.Parse(kinds.of(name), text); err != nil {
			return usagef("key %s: %w", name, err)
		}
	}
	req.Rows = []*freshetv1.EntityRow{{Keys: keys}}
	answer, err := cl.GetFeatures(cmd.Context(), req)
	if err != nil {
		return err
	}
	if c.json() {
		return c.writeProto(answer)
	}
	return c.writeFeatures(answer)
}

// keyKinds returns the kinds of fields by name, as the models' triggers declare them. What no model knows
// is a string.
func keyKinds(ctx context.Context, cl *client.Client) (kindsOf, error) {
	list, err := cl.ListModels(ctx, &freshetv1.ListModelsRequest{})
	if err != nil {
		return nil, err
	}
	kinds, seen := kindsOf{}, map[string]bool{}
	for _, m := range list.GetModels() {
		if seen[m.GetOn()] && m.GetOn() != "request" || m.GetRole() != freshetv1.Model_CHAMPION {
			continue
		}
		seen[m.GetOn()] = true
		about, err := cl.GetModel(ctx, &freshetv1.GetModelRequest{Name: m.GetName()})
		if err != nil {
			return nil, err
		}
		for _, f := range about.GetFields() {
			kinds[f.GetName()] = f.GetKind()
		}
	}
	return kinds, nil
}

// kindsOf are the kinds of fields by name.
type kindsOf map[string]string

func (k kindsOf) of(name string) string {
	if kind, ok := k[name]; ok {
		return kind
	}
	return "string"
}

func (c *cli) writeFeatures(r *freshetv1.GetFeaturesResponse) error {
	fresh := map[string]*freshetv1.EntityFreshness{}
	for _, e := range r.GetEntities() {
		fresh[e.GetEntity()] = e.GetRows()[0]
	}
	t := c.table("FEATURE", "VALUE", "STATUS", "WINDOW", "NEWEST EVENT", "AGE")
	for _, col := range r.GetColumns() {
		entity, _, _ := strings.Cut(col.GetName(), ".")
		e := fresh[entity]
		t.row(col.GetName(), featureValue(col), strings.ToLower(col.GetStatuses()[0].String()), windowText(col), when(e.GetEventTime()), lasting(e.GetAge()))
	}
	if err := t.flush(); err != nil {
		return err
	}
	note := "as of " + when(r.GetAsOf())
	if r.GetStale() {
		note += "; STALE: features are being rebuilt"
	}
	c.note("%s", note)
	return nil
}

func featureValue(col *freshetv1.FeatureColumn) string {
	v := col.GetValues()[0]
	if x, ok := v.GetKind().(*freshetv1.Value_Double); ok && col.GetKind() == freshetv1.FeatureColumn_NUMERIC {
		return decimals(x.Double)
	}
	return client.Format(v)
}

func windowText(col *freshetv1.FeatureColumn) string {
	if col.GetWindow() == nil {
		return "all"
	}
	text := lasting(col.GetWindow())
	if col.GetHop().AsDuration() > 0 {
		text += fmt.Sprintf(" (+%s)", lasting(col.GetHop()))
	}
	if col.GetLag().AsDuration() > 0 {
		text += ", " + lasting(col.GetLag()) + " ago"
	}
	return text
}
