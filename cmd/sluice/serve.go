package main

import (
	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/reactor"
)

// echoHandler sends back what comes. While there is too much output to be sent, the reactor does not read the connection.
type echoHandler struct{ reactor.Base }

// OnData sends back what has come.
func (echoHandler) OnData(c *reactor.Conn) {
	if _, err := c.Write(c.Next(-1)); err != nil {
		c.Abort(err)
	}
}

func newServeEcho() *cobra.Command {
	var r *reactorFlags
	cmd := &cobra.Command{
		Use:   "echo",
		Short: "Run an echo server",
		Long: `Run an echo server until SIGINT or SIGTERM. When it accepts connections it prints one line:

  listening on 127.0.0.1:7777 backend=uring reactor=single

The soft limit of open files is raised to the hard one, as Go does for every program.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.serve(cmd, echoHandler{}) },
	}
	r = newReactorFlags(cmd, defaultAddr)
	return cmd
}
