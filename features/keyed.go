package features

// Keyed is a model that lives in the state of each entity, like an aggregation: forecasters, per-entity detectors, hidden
// states. It is implemented in models (models/forecast) and handed to features/unit with its feature. It holds parameters only, so one
// value serves all entities and any number of goroutines.
type Keyed interface {
	// Shape returns what does not change: what an answer consists of, how large a state gets, which arithmetic it has.
	Shape() KeyedShape
	// Update takes in the values x at the event time t (µs) and returns the entity's new state; late says that they came too late and were
	// left out (the state may count that). state is what the last Update returned, empty for a new entity; Update may change it in place and may
	// return it. x is borrowed and has Shape().Inputs values; NaN is missing. It must be a function of its
	// arguments. Bytes that are no such state count as empty. It does not allocate once a state has its size.
	Update(state []byte, t int64, x []float64) (next []byte, late bool)
	// Read appends what the state says at the time t (µs) to dst: always a value for each of Shape().Columns, NaN where there is
	// nothing to say. It never changes state, which is borrowed. It does not allocate if dst has room.
	Read(dst []float64, state []byte, t int64) []float64
	// Check returns an error if state, loaded from a store, cannot have come from Update. Empty is a new entity. Cost: one pass.
	Check(state []byte) error
}

// Grouped is a Keyed whose new entities start from what others of their group have shown. A group is the entities of one bucket with the same values of some fields; its
// state lies beside theirs and belongs to the same writer, so that a start depends on nothing but the order of the log.
type Grouped interface {
	Keyed
	// UpdateIn is Update with the state of the entity's group, borrowed: what the last UpdateIn of any of its entities returned as known, empty for a new group. known is the group's
	// new state, which the caller owns; nil where the group has learned nothing, as from most values. Bytes that are no such state count as empty.
	UpdateIn(state, group []byte, t int64, x []float64) (next, known []byte, late bool)
	// CheckGroup is Check for the state of a group.
	CheckGroup(group []byte) error
}

// KeyedShape is what a Keyed model has in common for all entities.
type KeyedShape struct {
	Columns    []string // what stands behind the name of the feature in each column, such as _1; at least one
	Inputs     int      // values that Update takes, at least 1; where the first is missing, there is nothing to take in
	MaxBytes   int      // no state is longer
	GroupBytes int      // no state of a group is longer; 0: new entities start from nothing
	Version    int      // fold version: raised when arithmetic or the bytes of states change
}
