package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/reactor"
)

// reactorFlags are the flags of every server that runs on a reactor.
type reactorFlags struct {
	addrs    []string
	backend  backend.Value
	variant  variantValue
	wait     *waitValue
	loops    int
	workers  int
	buffers  int
	size     int
	conns    int
	idle     time.Duration
	stats    bool
	untilEOF bool
}

// variantValue is a variant as the command line gives it.
type variantValue struct{ reactor.Variant }

// Set parses the name of a variant.
func (v *variantValue) Set(name string) error {
	parsed, err := reactor.ParseVariant(name)
	if err != nil {
		return fmt.Errorf("want one of %s", variantNames())
	}
	v.Variant = parsed
	return nil
}

// Type is what the help calls it.
func (v *variantValue) Type() string { return "variant" }

func variantNames() string {
	var names []string
	for _, v := range reactor.Variants() {
		names = append(names, v.String())
	}
	return strings.Join(names, ", ")
}

// newReactorFlags defines the flags on a command.
func newReactorFlags(cmd *cobra.Command, addr string) *reactorFlags {
	r := &reactorFlags{backend: backend.Auto, wait: newWait()}
	r.wait.text = "" // by the variant
	f := cmd.Flags()
	f.StringArrayVar(&r.addrs, "addr", []string{addr}, "listen on `HOST:PORT` or unix:///PATH; port 0 takes a free one; may be given several times")
	f.Var(&r.backend, backend.FlagName, backend.FlagUsage)
	f.Var(&r.variant, "reactor", "how the work is arranged: "+variantNames())
	f.Var(r.wait, "wait", waitUsage+"; by default block, and park with workers")
	f.IntVar(&r.loops, "loops", 0, "loops of multi and multi-pool; by default as many as GOMAXPROCS")
	f.IntVar(&r.workers, "workers", 0, "workers of single-pool and multi-pool; by default as many as GOMAXPROCS")
	f.IntVar(&r.buffers, "buffers", 0, "receive buffers per loop, a power of two; by default 512")
	f.IntVar(&r.size, "buffer-size", 0, "size of a receive buffer in `bytes`; by default 8192")
	f.IntVar(&r.conns, "max-conns", 0, "connections at a time, others wait; by default there is no bound")
	f.DurationVar(&r.idle, "idle", 0, "end a connection on which nothing has come or gone for so long; by default never")
	f.BoolVar(&r.stats, "stats", false, "print what the server has done at the end, as one line of JSON")
	f.BoolVar(&r.untilEOF, "until-eof", false, "end when standard input does, too")
	return r
}

// config is what the flags say.
func (r *reactorFlags) config() (reactor.Config, error) {
	cfg := reactor.Config{
		Variant: r.variant.Variant, Backend: string(r.backend), Loops: r.loops, Workers: r.workers,
		Buffers: r.buffers, BufferSize: r.size, MaxConns: r.conns, IdleTimeout: r.idle,
	}
	if r.wait.text != "" {
		cfg.Wait = r.wait.strategy
	}
	for _, a := range r.addrs {
		a, err := address("addr", a)
		if err != nil {
			return cfg, err
		}
		cfg.Listen = append(cfg.Listen, a)
	}
	for _, f := range []struct {
		name   string
		n, max int
	}{{"loops", r.loops, loopsMax}, {"workers", r.workers, 1 << 16}, {"buffers", r.buffers, 1 << 15}, {"buffer-size", r.size, 1 << 20}, {"max-conns", r.conns, connsMax}} {
		if err := checkRange(f.name, f.n, 0, f.max); err != nil {
			return cfg, err
		}
	}
	if r.buffers&(r.buffers-1) != 0 {
		return cfg, usagef("--buffers must be a power of two, not %d", r.buffers)
	}
	if r.idle < 0 {
		return cfg, usagef("--idle must not be negative")
	}
	return cfg, nil
}

// address is that of a flag, as package reactor has it.
func address(flag, a string) (string, error) {
	network, where, ok := strings.Cut(a, "://")
	if !ok {
		network, where, a = "tcp", a, "tcp://"+a
	}
	switch network {
	case "tcp", "tcp4", "tcp6":
		_, err := checkAddr(flag, where)
		return a, err
	case "unix":
		if where == "" {
			return a, usagef("--%s: unix:// has no path", flag)
		}
		return a, nil
	}
	return a, usagef("--%s must be HOST:PORT or unix:///PATH, not %q", flag, a)
}

// reactorStats is what a server has done, as --stats prints it.
type reactorStats struct {
	Backend   string        `json:"backend"`
	Reactor   string        `json:"reactor"`
	CPUMicros int64         `json:"cpu_us"` // processor time, in user and kernel mode, since the server began to listen
	Server    reactor.Stats `json:"server"`
}

// serve runs a server until ctx is done. It prints one line when connections are accepted.
func (r *reactorFlags) serve(cmd *cobra.Command, h reactor.Handler) error {
	cfg, err := r.config()
	if err != nil {
		return err
	}
	return r.serveWith(cmd, cfg, h)
}

// serveWith is serve with a configuration that is not only that of the flags.
func (r *reactorFlags) serveWith(cmd *cobra.Command, cfg reactor.Config, h reactor.Handler) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	if r.untilEOF {
		go func() { // ends with the process, if not with its input
			_, _ = io.Copy(io.Discard, cmd.InOrStdin()) // an error is an end, too
			cancel()
		}()
	}
	s, err := reactor.Start(cfg, h)
	if err != nil {
		return err
	}
	user, system := cpuTimes()
	fmt.Fprintf(cmd.OutOrStdout(), "listening on %s backend=%s reactor=%s\n", addrsOf(s), orNone(s.Backend()), r.variant)
	if err := r.end(ctx, s); err != nil {
		return err
	}
	if !r.stats {
		return nil
	}
	user2, system2 := cpuTimes()
	return json.NewEncoder(cmd.OutOrStdout()).Encode(reactorStats{
		Backend: s.Backend(), Reactor: r.variant.String(), Server: s.Stats(),
		CPUMicros: (user2 - user + system2 - system).Microseconds(),
	})
}

// addrsOf are the addresses that a server listens on.
func addrsOf(s *reactor.Server) string {
	var names []string
	for _, a := range s.Addrs() {
		names = append(names, a.String())
	}
	return strings.Join(names, ",")
}

// end waits for the end of a server, and shuts it down when ctx is done.
func (r *reactorFlags) end(ctx context.Context, s *reactor.Server) error {
	ended := make(chan error, 1)
	go func() { ended <- s.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownMax)
	defer cancel()
	if err := s.Shutdown(limit); err != nil && limit.Err() == nil {
		return err
	}
	return nil
}

// shutdownMax is how long connections may take to end when a server is stopped.
const shutdownMax = 5 * time.Second

func orNone(name string) string {
	if name == "" {
		return "none"
	}
	return name
}
