package realtest

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Ports come from a range below the one from which systems hand out ports of clients, so that no connection takes one between its
// choice and the start of the server.
const firstPort, ports = 12_000, 20_000

const loopback = "127.0.0.1"

var errNoPort = errors.New("no free port on loopback")

// freePorts returns n different ports that are free now.
func freePorts(n int) ([]int, error) {
	var list []int
	seen := map[int]bool{}
	for range 1000 {
		p := firstPort + rand.IntN(ports)
		if seen[p] {
			continue
		}
		seen[p] = true
		l, err := net.Listen("tcp", address(p))
		if err != nil {
			continue
		}
		_ = l.Close()
		if list = append(list, p); len(list) == n {
			return list, nil
		}
	}
	return nil, errNoPort
}

// FreeAddress returns a loopback address with a port that is free now.
func FreeAddress(t testing.TB) string {
	t.Helper()
	list, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return address(list[0])
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
