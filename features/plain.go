package features

// Names of Freshet's own plain sources. Their topics are <project>.served and so on; they take their
// place in the order as soon as they are seen, and move neither head nor watermark.
const (
	ServedSource   = "$served"
	FeedbackSource = "$feedback"
	ControlSource  = "$control"
)

// Positions of the fields of the plain sources.
const (
	ServedModel  = 0 // the request model that answered
	ServedID     = 1 // prediction id
	ServedVector = 2 // the union vector as served, 8 bytes a slot, little endian
	ServedAnswer = 3 // the champion's answer, packed like the vector
	ServedAt     = 4 // version (seq of the example log) that answered
	ServedSchema = 5 // ID of the vector's schema

	FeedbackModel = 0 // the model that the feedback is for
	FeedbackID    = 1 // prediction id
	FeedbackValue = 2 // number, or null when Class is given
	FeedbackClass = 3 // class, or null

	ControlVerb  = 0 // freeze, thaw, promote, rollback, erase
	ControlModel = 1 // the model; empty: all of the trigger's
	ControlArg   = 2 // what the verb takes: a version, a key
)

// PlainSources returns the declarations of Freshet's own sources, which stand after the project's.
func PlainSources() []Source {
	return []Source{
		{Name: ServedSource, Plain: true, Fields: []Field{{"model", String, false}, {"id", String, false},
			{"vector", String, false}, {"answer", String, false}, {"version", Int, false}, {"schema", Int, false}}},
		{Name: FeedbackSource, Plain: true, Fields: []Field{{"model", String, false}, {"id", String, false},
			{"value", Double, true}, {"class", String, true}}},
		{Name: ControlSource, Plain: true, Fields: []Field{{"verb", String, false}, {"model", String, false}, {"arg", String, true}}},
	}
}
