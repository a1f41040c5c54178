package unit

import (
	"time"

	"github.com/freshet-ml/freshet/features"
)

// Feature is one declared feature of an entity: an aggregation of one source. Expressions are over the
// fields of that source.
type Feature struct {
	Name   string // within the entity; columns are named after it
	Agg    string // name in the catalogue of features/agg: count, mean, last, open …; or of a keyed model
	Source int    // index into the project's sources
	Value  string // expression of the aggregated value; empty where the aggregation takes none
	Where  string // boolean expression; events for which it is false or missing are left out; empty: all
	At     string // time field at which the event takes effect; empty: its event time
	Per    string // ratio: expression of the denominator; empty: the number of events

	// Over lists the windows. Empty: lifetime. Suffix says that the columns are called Name_1h, Name_6h …
	// (a project file gave a list); otherwise the one column is called Name.
	Over   []time.Duration
	Suffix bool
	Exact  bool          // keep raw events for the whole window, up to a stated cap
	Lag    time.Duration // read as of this long before the asked time; windowed features only

	K        int           // last_k, first_k: how many values (columns Name_1, Name_2 …, best first); lag: how many events ago
	HalfLife time.Duration // decayed_*: time in which a weight halves
	Weight   float64       // decayed_mean by event: weight of the newest value in (0, 1); 0: by HalfLife

	Due   string        // open: time field from which the thing counts as open; empty: its event time
	Until []int         // open: sources whose events end it
	By    string        // open: field that names the thing, in Source and in all of Until
	Keep  time.Duration // open: forget a thing this long after it was due; 0: 24h

	Cap int // distinct: exact up to this many values, then HyperLogLog; 0: 256

	Keyed Keyed // keyed models only
}

// Keyed is the keyed model of a feature whose Agg is none of the catalogue.
type Keyed struct {
	Model  features.Keyed // nil: the feature is no keyed model
	Text   string         // all that the model's states and answers depend on, for the fingerprint
	Inputs []string       // expressions of what comes with the value: Model.Shape().Inputs − 1 of them

	// Grouped lets new entities start from others of their group: those of the bucket that have the same values of the fields Group, of which there may be none. Model is
	// then a features.Grouped. All grouped models of an entity type have the same group.
	Grouped bool
	Group   []string
}

// Entity is one declared entity type: what its features are grouped by.
type Entity struct {
	Name     string
	Key      []string      // field names, present in every source of its features
	Keep     time.Duration // an entity idle for longer at the watermark is absent; 0: never
	Buckets  int           // how many parts the entities of this type are dealt to; 0: 16
	Features []Feature
}
