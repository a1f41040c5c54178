// Command freshet is the one binary of Freshet: it runs the service and its roles, replays and evaluates,
// and asks a running service. Each command is one file of this package; what they do belongs to the
// packages along the flow.
//
// stdout is data, stderr is progress and logs. Exit codes: 0 ok, 1 failure, 2 usage, 3 invalid project,
// 4 comparison below threshold.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // time zones of project files, also where the system has none
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	go func() { // once: drain; twice: quit
		<-interrupts
		cancel()
		<-interrupts
		os.Exit(130)
	}()
	os.Exit(run(ctx, os.Args, os.LookupEnv, os.Stdout, os.Stderr))
}
