// Package realtest starts real services for tests: Kafka brokers, Redis, Valkey, a Redis Cluster and an S3 gateway. It
// stands beside the flow, for tests alone.
//
// Every service is started fresh for the test that asks, on free loopback ports, with its data in the test's own folder. A Start
// function returns when the service has answered its own protocol, not when a port is open. At the end of the test the process is
// killed by its id, with its group; it also dies with the test binary (Linux). Its output is kept, and named, when the test fails.
//
// What a test needs and the machine has not is a skip that begins with "missing service"; `make test` installs services and fails
// where one is missing, unless FRESHET_WITHOUT (names, separated by commas) leaves it out. See .ci/services.
package realtest
