package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/internal/proxy"
)

// serveProxy is the command serve proxy.
type serveProxy struct {
	to      []string
	reactor *reactorFlags
}

func newServeProxy() *cobra.Command {
	s := &serveProxy{}
	cmd := &cobra.Command{
		Use:   "proxy",
		Short: "Forward connections to other servers",
		Long: `Forward TCP and Unix connections to other servers, in turn, until SIGINT or SIGTERM. Data is moved without a copy in user space. Either side may end its
stream and go on reading; a reset goes through. When it accepts connections it prints one line:

  listening on 127.0.0.1:7777 backend=uring reactor=single`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd) },
	}
	s.reactor = newReactorFlags(cmd, defaultAddr)
	cmd.Flags().StringArrayVar(&s.to, "to", nil, "forward to `HOST:PORT` or unix:///PATH; required, may be given several times")
	return cmd
}

func (s *serveProxy) run(cmd *cobra.Command) error {
	if len(s.to) == 0 {
		return usagef("--to is missing: where are connections to be forwarded?")
	}
	var opt proxy.Options
	for _, to := range s.to {
		if !strings.Contains(to, "://") {
			if _, err := resolve("to", to); err != nil {
				return err
			}
		}
		to, err := address("to", to)
		if err != nil {
			return err
		}
		opt.Upstreams = append(opt.Upstreams, to)
	}
	p, err := proxy.New(cmd.Context(), opt)
	if err != nil {
		return err
	}
	return s.reactor.serve(cmd, p)
}
