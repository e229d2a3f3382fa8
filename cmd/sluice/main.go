// Command sluice shows what the backends of sluice can do and how fast they are, on
// the machine that it runs on.
//
//	sluice probe              which backends there are, and what each does natively
//	sluice serve echo         a TCP echo server, on any backend and in any arrangement of loops and workers
//	sluice serve raw-echo     the same on the bare engine
//	sluice load echo          a client that loads it, and checks every byte
//	sluice bench --quick      all of it for each backend, in one table
//	sluice conformance        whether each backend keeps the rules of the contract here
//	sluice --version          the version of the module
//
// Errors are one line on standard error. The exit status is 0, 1 for an error, 2 for a
// command line that is wrong. SIGINT and SIGTERM end every command cleanly.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/sluiceio/sluice/backend/all"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal kills
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
