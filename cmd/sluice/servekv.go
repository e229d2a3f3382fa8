package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/internal/kv"
)

// serveKV is the command serve kv.
type serveKV struct {
	opt     kv.Options
	fsync   string
	reactor *reactorFlags
}

func newServeKV() *cobra.Command {
	s := &serveKV{}
	cmd := &cobra.Command{
		Use:   "kv",
		Short: "Run a server of keys and values that speaks the protocol of Redis",
		Long: `Run a server of keys and values until SIGINT or SIGTERM. It speaks RESP2 and RESP3, so that the clients of Redis work with it. When it accepts
connections it prints one line:

  listening on 127.0.0.1:6379 backend=uring reactor=single

With --append-only it keeps every change in a file, and has what is in there when it is started again.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd) },
	}
	s.reactor = newReactorFlags(cmd, "127.0.0.1:6379")
	f := cmd.Flags()
	f.StringVar(&s.opt.AppendOnly, "append-only", "", "keep changes in this `file`, which is made if it is not there")
	f.StringVar(&s.fsync, "append-fsync", "everysec", "when the file is made durable: always (before the reply), everysec or no")
	f.Int64Var(&s.opt.MaxMemory, "max-memory", 0, "refuse changes that need more than so many `bytes`; by default there is no bound")
	f.IntVar(&s.opt.MaxValue, "max-value", 0, "longest value in `bytes`; by default 64 MiB")
	return cmd
}

func (s *serveKV) run(cmd *cobra.Command) (err error) {
	if s.opt.Fsync, err = kv.ParseFsync(s.fsync); err != nil {
		return usagef("--append-fsync must be always, everysec or no, not %q", s.fsync)
	}
	cfg, err := s.reactor.config()
	if err != nil {
		return err
	}
	s.opt.Backend = cfg.Backend
	srv, err := kv.New(s.opt, &cfg)
	if err != nil {
		return err
	}
	return errors.Join(s.reactor.serveWith(cmd, cfg, srv), srv.Close())
}
