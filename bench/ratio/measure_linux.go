package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	startMax = 10 * time.Second      // for a server to listen
	grace    = 30 * time.Second      // for the load to connect and to end
	look     = 10 * time.Millisecond // between two tries to connect
)

// measure runs a server once, and the load against it.
func measure(ctx context.Context, s *settings, command string) (run, error) {
	addr, err := freeAddr()
	if err != nil {
		return run{}, err
	}
	srv, err := start(ctx, s, command, addr)
	if err != nil {
		return run{}, err
	}
	defer srv.end()
	if err := srv.listens(ctx, addr); err != nil {
		return run{}, err
	}
	before, err := cpuTime(srv.cmd.Process.Pid)
	if err != nil {
		return run{}, err
	}
	threads := watchThreads(srv.cmd.Process.Pid)
	r, err := load(ctx, s, addr)
	most := threads()
	if err != nil {
		return run{}, fmt.Errorf("%s: %w%s", command, err, srv.said())
	}
	after, err := cpuTime(srv.cmd.Process.Pid)
	if err != nil {
		return run{}, err
	}
	peak, err := status(srv.cmd.Process.Pid, "VmHWM")
	if err != nil {
		return run{}, err
	}
	return run{
		threads: most,
		peak:    peak / 1024,

		rate: float64(r.RoundTrips) / r.Elapsed.Seconds(),
		cpu:  float64((after - before).Nanoseconds()) / 1e3 / float64(r.Total),
		p50:  float64(r.P50.Microseconds()),
		p99:  float64(r.P99.Microseconds()),
	}, nil
}

// server is one that runs.
type server struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{} // closed when it has ended
}

func start(ctx context.Context, s *settings, command string, addr netip.AddrPort) (*server, error) {
	args := strings.Fields(strings.NewReplacer("{addr}", addr.String(), "{port}", strconv.Itoa(int(addr.Port()))).Replace(command))
	v := &server{cmd: exec.CommandContext(ctx, args[0], args[1:]...), ended: make(chan struct{})}
	v.cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(len(s.serverCPUs)))
	v.cmd.Stderr = &v.stderr
	if err := pinned(s.serverCPUs, v.cmd.Start); err != nil {
		return nil, err
	}
	go func() {
		_ = v.cmd.Wait() // it is killed in the end; whether it ended before is what counts
		close(v.ended)
	}()
	return v, nil
}

func (v *server) end() {
	_ = v.cmd.Process.Kill() // an error means that it has ended
	<-v.ended
}

// said is what the server wrote to its standard error, once it has ended.
func (v *server) said() string {
	v.end()
	if text := strings.TrimSpace(v.stderr.String()); text != "" {
		return "\nthe server said: " + text
	}
	return ""
}

// listens waits until the server takes connections.
func (v *server) listens(ctx context.Context, addr netip.AddrPort) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	deadline := time.After(startMax)
	for {
		c, err := net.Dial("tcp", addr.String())
		if err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-v.ended:
			return fmt.Errorf("%s: it has ended%s", v.cmd, v.said())
		case <-deadline:
			return fmt.Errorf("%s: it does not listen on %v after %v%s", v.cmd, addr, startMax, v.said())
		}
	}
}

// load runs the load in a process of its own, which is this program again.
func load(ctx context.Context, s *settings, addr netip.AddrPort) (r loadResult, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	spec, err := json.Marshal(loadSpec{addr, s.conns, s.size, s.duration, s.warmup, s.client})
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.warmup+s.duration+grace)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), loadEnv+"="+string(spec))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err = pinned(s.clientCPUs, cmd.Start); err != nil {
		return r, err
	}
	if err = cmd.Wait(); err != nil {
		return r, errors.Join(fmt.Errorf("the load: %w %s", err, bytes.TrimSpace(stderr.Bytes())), ctx.Err())
	}
	err = json.Unmarshal(stdout.Bytes(), &r)
	return r, err
}

// defaultCPUs are the first CPU that this process may use, for the servers, and the second, for the load. Where
// there is but one they share it.
func defaultCPUs() (server, client []int) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return []int{0}, []int{1} // pinned will say what is wrong
	}
	var usable []int
	for n := range cpusMax {
		if set.IsSet(n) {
			usable = append(usable, n)
		}
	}
	return usable[:1], usable[min(1, len(usable)-1):][:1]
}

// pinned calls f, which starts a process, on a thread that may run on these CPUs alone. The process inherits that.
func pinned(cpus []int, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	for _, n := range cpus {
		if !old.IsSet(n) {
			return fmt.Errorf("there is no CPU %d here, or it may not be used", n)
		}
		set.Set(n)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	err := f()
	if back := unix.SchedSetaffinity(0, &old); back != nil {
		err = errors.Join(err, os.NewSyscallError("sched_setaffinity", back))
	}
	return err
}

// cpuTime is the CPU time that a process has used, to the nanosecond. The number of the clock is
// made as clock_getcpuclockid(3) makes it.
func cpuTime(pid int) (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|2, &ts); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(ts.Nano()), nil
}

// watchThreads looks at the number of a process's threads from time to time, until the function is called that it returns, which is
// the most that there were.
func watchThreads(pid int) func() float64 {
	end, most := make(chan struct{}), make(chan float64)
	go func() {
		tick := time.NewTicker(look)
		defer tick.Stop()
		for n := 0.0; ; {
			now, _ := status(pid, "Threads") // if it has ended, the load says so
			n = max(n, now)
			select {
			case <-tick.C:
			case <-end:
				most <- n
				return
			}
		}
	}()
	return func() float64 {
		close(end)
		return <-most
	}
}

// status is a number in /proc/PID/status.
func status(pid int, name string) (float64, error) {
	path := fmt.Sprintf("/proc/%d/status", pid)
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name+":" {
			return strconv.ParseFloat(f[1], 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}

// freeAddr is an address of the loopback that nobody listens on, if nobody takes it in between.
func freeAddr() (netip.AddrPort, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort(), nil
}
