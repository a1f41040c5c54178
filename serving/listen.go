package serving

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Listen opens a TCP address such as 127.0.0.1:7070. setting is the name under which a user can
// change it, such as serving.grpc; errors name both.
func Listen(address, setting string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: another process has the port; stop it, or set %s to another address (port 0: any free one)", address, setting)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("listen on %s: this machine has no such address; set %s to 127.0.0.1 or 0.0.0.0 with a port", address, setting)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listen on %s: not permitted; set %s to a port of 1024 or above", address, setting)
	}
	return nil, fmt.Errorf("listen on %s: %w; set %s to host:port", address, err, setting)
}

// Loopback reports whether only this machine can reach the address.
func Loopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return !ok || t.IP.IsLoopback()
}

// TLS names PEM files. They are read again when they change, so that they can be renewed without a restart.
type TLS struct {
	Cert, Key string
	CA        string // not empty: clients must show a certificate that it signed
}
