// Package peer is what the peer servers have in common: the flag, and how they end.
package peer

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Addr parses the command line and returns the address to listen on. It ends the program with
// status 2 when the command line is wrong.
func Addr() string {
	addr := flag.String("addr", "127.0.0.1:7777", "`host:port` to listen on")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "%s: unexpected argument %q\n", os.Args[0], flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
	return *addr
}

// Serve runs a server, whose run returns when it has failed, until then or until the program is told to end.
func Serve(run func() error) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	failed := make(chan error, 1)
	go func() { failed <- run() }()
	select {
	case <-stop:
	case err := <-failed:
		fmt.Fprintf(os.Stderr, "%s: the server ended: %v\n", os.Args[0], err)
		os.Exit(1)
	}
}
