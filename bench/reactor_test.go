//go:build unix

package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/sluiceio/sluice/reactor"
)

// BenchmarkReactor is an echo server in a variant of package reactor, whose handler computes for as long as work says for each message, loaded over the
// loopback from another process: a client in the same one would wait for a processor behind the server's workers. An
// operation is a round trip, and cpu-ns/op the CPU time of the server alone.
func BenchmarkReactor(b *testing.B) { measure(b, reactors()) }

func reactors() (list []scenario) {
	const conns, size = 64, 64
	for _, name := range backends {
		for _, v := range []reactor.Variant{reactor.Single, reactor.SinglePool} {
			for _, work := range []time.Duration{0, 50 * time.Microsecond} {
				list = append(list, scenario{
					name:  fmt.Sprintf("backend=%s/variant=%s/work=%dus/conns=%d/size=%d", name, v, work.Microseconds(), conns, size),
					bytes: size,
					count: func(r *rig, n int) error {
						r.require(name)
						cfg := reactor.Config{Backend: name, Variant: v}
						return loadApart(r, serveReactor(r, cfg, &working{size: size, rounds: rounds(work)}), conns, size, n)
					},
				})
			}
		}
	}
	return list
}

// working echoes messages of a size, and computes for each.
type working struct {
	reactor.Base
	size   int
	rounds int
}

func (w *working) OnData(c *reactor.Conn) {
	for c.Buffered() >= w.size {
		sum := compute(w.rounds)
		if _, err := c.Write(c.Next(w.size)); err != nil || sum == 0 { // which it is not
			c.Abort(err)
		}
	}
}

// compute keeps a processor busy, and its memory idle.
func compute(rounds int) uint64 {
	x := uint64(1)
	for range rounds {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

// perRound is how long a round of compute takes, when nothing else runs: the least of many measurements.
var perRound = sync.OnceValue(func() time.Duration {
	const n = 20_000
	least := time.Hour
	for range 200 {
		began := time.Now()
		if compute(n) == 0 {
			panic("the constants are not odd")
		}
		least = min(least, time.Since(began))
	}
	return least * 1000 / n // in thousandths
})

// rounds is how many take as long as d.
func rounds(d time.Duration) int {
	if d == 0 {
		return 0
	}
	return int(d * 1000 / perRound())
}

// serveReactor runs a server until the end of the rig.
func serveReactor(r *rig, cfg reactor.Config, h reactor.Handler) netip.AddrPort {
	r.Helper()
	cfg.Listen = []string{"tcp://127.0.0.1:0"}
	s, err := reactor.Start(cfg, h)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			r.Errorf("the server: %v", err)
		}
	})
	return s.Addrs()[0].(*net.TCPAddr).AddrPort()
}

// clientEnv has the test binary be a client, and nothing else: the address, connections, size of a message, round trips.
const clientEnv = "SLUICE_BENCH_CLIENT"

// loadApart is load in a process of its own, which tells when the clock is to start, and to stop.
func loadApart(r *rig, addr netip.AddrPort, conns, size, n int) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d %d", clientEnv, addr, conns, size, n))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	stopped := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch lines.Text() {
		case "start":
			r.start()
		case "stop":
			r.stop()
			stopped = true
		}
	}
	if err := cmd.Wait(); err != nil {
		return err
	}
	if !stopped {
		return errors.New("the client has not measured anything")
	}
	return nil
}

// clientMain is what the other process does. It returns its status.
func clientMain(args string) int {
	var addr string
	var conns, size, n int
	if _, err := fmt.Sscan(args, &addr, &conns, &size, &n); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		return 2
	}
	to, err := netip.ParseAddrPort(addr)
	if err == nil {
		say := func(s string) func() { return func() { fmt.Println(s) } }
		err = roundTrips(to, conns, size, n, say("start"), say("stop"), nil)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		return 1
	}
	return 0
}
