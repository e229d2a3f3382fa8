//go:build unix

package bench

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/internal/echo"
)

// BenchmarkEcho is a TCP echo server with one loop, loaded over the loopback by a client on an engine of
// its own, the same for all: the best backend here. An operation is a round trip, cpu-ns/op the CPU time of server
// and client together, server-cpu-ns/op that of the server's thread, enters/op the server's kernel entries.
func BenchmarkEcho(b *testing.B) { measure(b, echoes()) }

func echoes() (list []scenario) {
	add := func(name string, serve func(*rig) netip.AddrPort) {
		for _, conns := range []int{1, 64} {
			for _, size := range []int{64, 4096} {
				list = append(list, scenario{
					name:  fmt.Sprintf("%s/conns=%d/size=%d", name, conns, size),
					bytes: int64(size),
					count: func(r *rig, n int) error { return load(r, serve(r), conns, size, n) },
				})
			}
		}
	}
	for _, name := range backends {
		for _, w := range waits {
			add(fmt.Sprintf("backend=%s/wait=%s", name, w.name), func(r *rig) netip.AddrPort { return serveEcho(r, name, w.how) })
		}
	}
	add("backend=net", serveNet)
	return list
}

// serveEcho runs the echo server on a backend until the end of the rig.
func serveEcho(r *rig, name string, how api.Strategy) netip.AddrPort {
	r.Helper()
	r.require(name)
	open := func() (api.Engine, error) { // called in the goroutine of the loop
		e, err := backend.Open(name, &api.Options{Strategy: how})
		if err != nil {
			return nil, err
		}
		r.add(e)
		if how.Mode == api.ModeBlock {
			clock := lockThread()
			r.mu.Lock()
			defer r.mu.Unlock()
			r.thread = clock
		}
		return e, nil
	}
	s, err := echo.Start(context.Background(), "127.0.0.1:0", open, nil)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		s.Stop()
		if err := s.Wait(); err != nil {
			r.Errorf("the server: %v", err)
		}
	})
	return s.Addr().(*net.TCPAddr).AddrPort()
}

// serveNet runs the baseline: a goroutine per connection.
func serveNet(r *rig) netip.AddrPort {
	r.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- echo.ServeNet(ctx, l, echo.DefaultBufferSize) }()
	r.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			r.Errorf("the server: %v", err)
		}
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// load makes n round trips, and more before the clock starts and behind its stop.
func load(r *rig, addr netip.AddrPort, conns, size, n int) error {
	r.latency = newLatency()
	return roundTrips(addr, conns, size, n, r.start, r.stop, r.latency.add)
}

// roundTrips makes n round trips, and more before start is called and behind stop. record may be nil.
func roundTrips(addr netip.AddrPort, conns, size, n int, start, stop func(), record func(time.Duration)) error {
	e, err := backend.Open(backend.Auto, echo.ClientOptions(conns))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	warm, seen := 2*conns, 0
	c := echo.Client{Engine: e, Addr: addr, Conns: conns, Size: size, Duration: time.Hour}
	c.Record = func(d time.Duration) {
		seen++
		if seen > warm && seen <= warm+n && record != nil {
			record(d)
		}
		switch seen {
		case warm:
			start()
		case warm + n:
			stop()
			cancel()
		}
	}
	res, err := c.Run(ctx)
	if cerr := e.Close(); err == nil {
		err = cerr
	}
	switch {
	case err != nil:
		return err
	case res.Errors > 0:
		return fmt.Errorf("%d connections failed, the first with: %w", res.Errors, res.First)
	case seen < warm+n:
		return fmt.Errorf("%d round trips, want %d", seen, warm+n)
	}
	return nil
}
