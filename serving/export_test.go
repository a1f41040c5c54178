package serving

// UnmarshalJSON and MarshalJSON are the codec of the HTTP API, for its fuzz test.
var (
	UnmarshalJSON = unmarshal
	MarshalJSON   = marshal
)
