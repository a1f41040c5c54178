package serving

import "crypto/tls"

// UnmarshalJSON and MarshalJSON are the codec of the HTTP API, for its fuzz test.
var (
	UnmarshalJSON = unmarshal
	MarshalJSON   = marshal
)

// Certificate returns the function that TLS asks for the certificate in these files.
func Certificate(files TLS) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	c := &certificate{files: files}
	_, err := c.get(nil)
	return c.get, err
}
