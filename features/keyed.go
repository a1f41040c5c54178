package features

// Keyed is a model that lives in the state of each entity, like an aggregation: forecasters, per-entity detectors, hidden
// states. It is implemented in models (models/forecast) and handed to features/unit by cmd. It holds parameters only, so one
// value serves all entities and any number of goroutines.
type Keyed interface {
	// Update takes in the values x at the event time t (µs) and returns the entity's new state. state is what the last Update
	// returned, empty for a new entity; Update may change it in place and may return it. x is borrowed; NaN is missing. It must be a function of its
	// arguments. Bytes that are no such state count as empty.
	Update(state []byte, t int64, x []float64) []byte
	// Read appends what the state says at the time t (µs) to dst: always the same number of values, NaN where there is
	// nothing to say. It never changes state; state and x are borrowed. It does not allocate if dst has room.
	Read(dst []float64, state []byte, t int64, x []float64) []float64
}
