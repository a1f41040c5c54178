package realtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Service is what a test can need, by the name that FRESHET_WITHOUT takes.
type Service string

// The services.
const (
	Kafka      Service = "kafka"
	Redis      Service = "redis"
	Valkey     Service = "valkey"
	S3         Service = "s3"
	Prometheus Service = "prometheus" // prometheus and promtool; tests run them themselves
)

// Services are all of them.
func Services() []Service { return []Service{Kafka, Redis, Valkey, S3, Prometheus} }

// Versions of what is not a package of the system. .ci/services names the same.
const (
	KafkaVersion   = "4.3.1"
	gatewayVersion = "1.8.0"
)

// commands are the programs of each service.
var commands = map[Service][]string{
	Kafka:      {"java"},
	Redis:      {"redis-server"},
	Valkey:     {"valkey-server"},
	Prometheus: {"prometheus", "promtool"},
}

// Need skips the test when it is left out by name, or when the machine lacks the service: `make test` fails on the latter.
func Need(t testing.TB, list ...Service) {
	t.Helper()
	for _, s := range list {
		if LeftOut(s) {
			t.Skipf("left out by name: %s (FRESHET_WITHOUT)", s)
		}
		if why := Missing(s); why != "" {
			t.Skipf("missing service %s: %s; .ci/services %s installs it, FRESHET_WITHOUT=%s leaves it out", s, why, s, s)
		}
	}
}

// LeftOut reports whether FRESHET_WITHOUT names the service.
func LeftOut(s Service) bool {
	names := strings.FieldsFunc(os.Getenv("FRESHET_WITHOUT"), func(r rune) bool { return r == ',' || r == ' ' })
	return slices.Contains(names, string(s))
}

// Missing says what of a service the machine lacks; "" when all is there.
func Missing(s Service) string {
	for _, c := range commands[s] {
		if _, err := exec.LookPath(c); err != nil {
			return "no " + c + " on the path"
		}
	}
	file := ""
	switch s {
	case Kafka:
		file = filepath.Join(kafkaDir(), "kafka_2.13-"+KafkaVersion+".jar")
	case S3:
		file = gatewayFile()
	default:
		return ""
	}
	if _, err := os.Stat(file); err != nil {
		return "no " + file
	}
	return ""
}

// CacheDir is where .ci/services puts what is not a package of the system: FRESHET_TEST_CACHE, or freshet-test in the user's
// cache folder.
func CacheDir() string {
	if dir := os.Getenv("FRESHET_TEST_CACHE"); dir != "" {
		return dir
	}
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		base = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	return filepath.Join(base, "freshet-test")
}

func kafkaDir() string     { return filepath.Join(CacheDir(), "kafka-"+KafkaVersion) }
func gatewayFile() string  { return filepath.Join(CacheDir(), "versitygw-"+gatewayVersion) }
func kafkaArchive() string { return filepath.Join(CacheDir(), "kafka-"+KafkaVersion+".jsa") }

// kafkaPath is the class path: named jar by jar in a fixed order, since the archive of classes holds for one order only.
func kafkaPath() (string, error) {
	jars, err := filepath.Glob(filepath.Join(kafkaDir(), "*.jar"))
	if err != nil || len(jars) == 0 {
		return "", fmt.Errorf("jars of Kafka in %s: %d, %w", kafkaDir(), len(jars), err)
	}
	slices.Sort(jars)
	return strings.Join(jars, ":"), nil
}
