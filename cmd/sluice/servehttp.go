package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/reactor/http1"
)

// helloBody is what serve http answers without --root: 13 bytes, as benchmarks of HTTP servers have it.
const helloBody = "Hello, World!"

// serveHTTP is the command serve http.
type serveHTTP struct {
	root    string
	opt     http1.Options
	reactor *reactorFlags
}

func newServeHTTP() *cobra.Command {
	s := &serveHTTP{}
	cmd := &cobra.Command{
		Use:   "http",
		Short: "Run an HTTP/1.1 server: the files of a directory, or an answer of 13 bytes",
		Long: `Run an HTTP/1.1 server until SIGINT or SIGTERM, with keep-alive, pipelining, chunked bodies, ranges and conditional requests. When it accepts
connections it prints one line:

  listening on 127.0.0.1:8080 backend=uring reactor=single

Without --root every request is answered with "Hello, World!".`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd) },
	}
	s.reactor = newReactorFlags(cmd, "127.0.0.1:8080")
	f := cmd.Flags()
	f.StringVar(&s.root, "root", "", "serve the files of this `directory`")
	f.Int64Var(&s.opt.Limits.MaxBody, "max-body", 0, "largest body of a request in `bytes`; by default 1 MiB")
	f.IntVar(&s.opt.Limits.MaxHeaderBytes, "max-header", 0, "most `bytes` of the headers of a request; by default 32 KiB")
	f.DurationVar(&s.opt.HeaderTimeout, "header-timeout", 0, "how long the headers of a request may take; by default 10s")
	f.DurationVar(&s.opt.IdleTimeout, "keep-alive", 0, "how long a connection is kept between two requests; by default 2m")
	return cmd
}

func (s *serveHTTP) check() error {
	for name, d := range map[string]time.Duration{"header-timeout": s.opt.HeaderTimeout, "keep-alive": s.opt.IdleTimeout} {
		if d < 0 {
			return usagef("--%s must not be negative", name)
		}
	}
	if s.opt.Limits.MaxBody < 0 {
		return usagef("--max-body must not be negative")
	}
	if s.opt.Limits.MaxHeaderBytes < 0 {
		return usagef("--max-header must not be negative")
	}
	return nil
}

func (s *serveHTTP) run(cmd *cobra.Command) error {
	if err := s.check(); err != nil {
		return err
	}
	handle := func(w *http1.Response, _ *http1.Request) { w.BodyString(helloBody) }
	if s.root != "" {
		files, err := http1.Files(s.root)
		if err != nil {
			return err
		}
		defer files.Close()
		handle = files.Handle
	}
	return s.reactor.serve(cmd, http1.New(handle, &s.opt))
}
