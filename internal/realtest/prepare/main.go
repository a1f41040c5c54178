// Command prepare writes the archive of Kafka's classes, which halves the start of every broker. .ci/services calls it after it has
// fetched the jars.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/freshet-ml/freshet/internal/realtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := realtest.BuildArchive(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "prepare:", err)
		os.Exit(1)
	}
}
