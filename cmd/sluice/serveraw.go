package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/internal/echo"
)

// serveEcho is the command serve raw-echo.
type serveEcho struct {
	addr     string
	backend  serverBackend
	wait     *waitValue
	opt      echo.Options
	stats    bool
	untilEOF bool
}

// serveStats is what the server has done, as --stats prints it.
type serveStats struct {
	Backend string `json:"backend"`
	Loops   int    `json:"loops"`
	Wait    string `json:"wait"`
	// FixedFiles says that connections were accepted into the table of registered files.
	FixedFiles bool `json:"fixed_files,omitempty"`
	// CPUMicros is the processor time, in user and kernel mode, since the server began to listen.
	CPUMicros int64 `json:"cpu_us"`
	// The baseline counts nothing.
	Echo *echo.Stats `json:"echo,omitempty"`
}

func newServeRawEcho() *cobra.Command {
	s := &serveEcho{backend: serverBackend{Value: backend.Auto}, wait: newWait()}
	cmd := &cobra.Command{
		Use:   "raw-echo",
		Short: "Run a TCP echo server on the bare engine, without the reactor",
		Long: `Run a TCP echo server on the bare engine, without the reactor, until SIGINT or SIGTERM: what serve echo is to be compared with. When it
accepts connections it prints one line:

  listening on 127.0.0.1:7777 backend=uring loops=1 wait=block

--backend net is the baseline to compare with: a goroutine per connection on Go's net, without an engine.
The soft limit of open files is raised to the hard one, as Go does for every program.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.addr, "addr", defaultAddr, "listen on `HOST:PORT`; port 0 takes a free one")
	f.Var(&s.backend, backend.FlagName, backend.FlagUsage+", or the baseline net")
	f.Var(s.wait, "wait", waitUsage)
	f.IntVar(&s.opt.Loops, "loops", 1, "how many goroutines serve, each with an engine of its own")
	f.IntVar(&s.opt.Buffers, "buffers", echo.DefaultBuffers, "receive buffers per loop, a power of two")
	f.IntVar(&s.opt.BufferSize, "buffer-size", echo.DefaultBufferSize, "size of a receive buffer in `bytes`")
	f.BoolVar(&s.opt.FixedFiles, "fixed-files", false, fmt.Sprintf("accept connections into a table of registered files, up to %d per loop", echo.DefaultSlots))
	f.BoolVar(&s.stats, "stats", false, "print what the server has done at the end, as one line of JSON")
	f.BoolVar(&s.untilEOF, "until-eof", false, "end when standard input does, too")
	return cmd
}

func (s *serveEcho) check() error {
	if _, err := checkAddr("addr", s.addr); err != nil {
		return err
	}
	if err := checkRange("loops", s.opt.Loops, 1, loopsMax); err != nil {
		return err
	}
	if err := checkRange("buffers", s.opt.Buffers, 1, 1<<15); err != nil {
		return err
	}
	if s.opt.Buffers&(s.opt.Buffers-1) != 0 {
		return usagef("--buffers must be a power of two, not %d", s.opt.Buffers)
	}
	if s.opt.FixedFiles && s.backend.net {
		return usagef("--fixed-files is for an engine, and --backend net has none")
	}
	return checkRange("buffer-size", s.opt.BufferSize, 1, 1<<20)
}

func (s *serveEcho) run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	if err := s.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.untilEOF {
		go func() { // ends with the process, if not with its input
			_, _ = io.Copy(io.Discard, stdin) // an error is an end, too
			cancel()
		}()
	}
	st := serveStats{Backend: netName, Loops: s.opt.Loops, Wait: s.wait.text, FixedFiles: s.opt.FixedFiles}
	serve := s.serveNet
	if !s.backend.net {
		serve = s.serveEngine
		if n := runtime.GOMAXPROCS(0); s.opt.Loops > n {
			fmt.Fprintf(stderr, "sluice: %d loops are more than GOMAXPROCS, %d: they will wait for one another\n", s.opt.Loops, n)
		}
	}
	if err := serve(ctx, &st, stdout, stderr); err != nil {
		return err
	}
	if s.stats {
		return json.NewEncoder(stdout).Encode(st)
	}
	return nil
}

func (s *serveEcho) serveEngine(ctx context.Context, st *serveStats, stdout, stderr io.Writer) error {
	opt := &api.Options{Strategy: s.wait.strategy}
	name, err := chooseBackend(string(s.backend.Value), opt, stderr)
	if err != nil {
		return err
	}
	open := func() (api.Engine, error) { return backend.Open(name, opt) }
	srv, err := echo.Start(ctx, s.addr, open, &s.opt)
	if err != nil {
		return err
	}
	st.Backend = name
	err = s.served(st, srv.Addr(), stdout, srv.Wait)
	counters := srv.Stats()
	st.Echo = &counters
	return err
}

func (s *serveEcho) serveNet(ctx context.Context, st *serveStats, stdout, _ io.Writer) error {
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	return s.served(st, l.Addr(), stdout, func() error { return echo.ServeNet(ctx, l, s.opt.BufferSize) })
}

// served says that the server listens, waits for its end, and measures what it used meanwhile.
func (s *serveEcho) served(st *serveStats, addr net.Addr, stdout io.Writer, wait func() error) error {
	fmt.Fprintf(stdout, "listening on %v backend=%s loops=%d wait=%s\n", addr, st.Backend, st.Loops, st.Wait)
	user, system := cpuTimes()
	err := wait()
	user2, system2 := cpuTimes()
	st.CPUMicros = (user2 - user + system2 - system).Microseconds()
	return err
}

// chooseBackend turns auto into the name of a backend that can be opened, and tells on stderr when it is not the
// first choice.
func chooseBackend(name string, opt *api.Options, stderr io.Writer) (string, error) {
	e, rep, err := backend.OpenWithReport(name, opt)
	if err != nil {
		return "", err
	}
	if len(rep.Refused) > 0 {
		fmt.Fprintf(stderr, "sluice: using %v\n", rep)
	}
	return rep.Chosen, e.Close()
}
