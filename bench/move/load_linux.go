package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// serverEnv has the spec of a server, which is this program again.
const serverEnv = "SLUICE_MOVE"

// patience is how long the other side may take for anything.
const patience = 30 * time.Second

// spec is what a server is told.
type spec struct {
	Way      way
	Work     work
	Upstream string // that is forwarded to
	File     string // that is sent for each byte that comes
}

// load is the other end of a server.
type load struct {
	work  work
	in    *net.TCPConn // to the server
	out   *net.TCPConn // from it; the same for a file
	data  []byte
	got   []byte
	total int64
}

// measure runs a server once, and the load on it.
func measure(s *settings, w *way) (r result, err error) {
	l := &load{work: s.work, data: pattern(s.work.Size)}
	l.got = make([]byte, max(len(l.data), 1<<20))
	cfg := spec{Way: *w, Work: s.work}
	if s.work.Kind == "file" {
		dir, err := os.MkdirTemp("", "move")
		if err != nil {
			return r, err
		}
		defer os.RemoveAll(dir)
		cfg.File = filepath.Join(dir, "file")
		if err := os.WriteFile(cfg.File, l.data, 0o600); err != nil {
			return r, err
		}
	}
	sink, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return r, err
	}
	defer sink.Close()
	cfg.Upstream = sink.Addr().String()
	cmd, addr, err := startServer(&cfg)
	if err != nil {
		return r, err
	}
	defer l.close()
	defer func() {
		_ = cmd.Process.Kill() // it has ended if this fails
		_ = cmd.Wait()         // with the signal
	}()
	if err := l.connect(addr, sink); err != nil {
		return r, err
	}
	if err := onCPU(1, func() error { return l.check() }); err != nil {
		return r, err
	}
	return r, onCPU(1, func() (err error) { r, err = l.measure(s, cmd.Process.Pid); return err })
}

// pattern is n bytes of which no two pages are equal.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func startServer(cfg *spec) (*exec.Cmd, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	text, err := json.Marshal(cfg)
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), serverEnv+"="+string(text), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := onCPU(0, cmd.Start); err != nil {
		return nil, "", err
	}
	line := make([]byte, 64)
	n, err := out.Read(line)
	if err != nil {
		_ = cmd.Process.Kill() // it has ended if this fails
		return nil, "", errors.Join(fmt.Errorf("the server does not listen: %w", err), cmd.Wait())
	}
	return cmd, strings.TrimSpace(string(line[:n])), nil
}

func (l *load) connect(addr string, sink *net.TCPListener) error {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	l.in = c.(*net.TCPConn)
	if l.work.Kind == "file" {
		l.out = l.in
		return nil
	}
	if err := sink.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	l.out, err = sink.AcceptTCP()
	return err
}

func (l *load) close() {
	for _, c := range []*net.TCPConn{l.in, l.out} {
		if c != nil {
			_ = c.Close() // that of the server is gone
		}
	}
}

// check sends the data once, and compares.
func (l *load) check() error {
	if err := l.deadline(patience); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { _, err := l.in.Write(l.request()); sent <- err }()
	got := l.got[:len(l.data)]
	if _, err := io.ReadFull(l.out, got); err != nil {
		return err
	}
	if !bytes.Equal(got, l.data) {
		return errors.New("other bytes came than were sent")
	}
	return <-sent
}

func (l *load) request() []byte {
	if l.work.Kind == "file" {
		return l.data[:1]
	}
	return l.data
}

func (l *load) deadline(d time.Duration) error {
	t := time.Now().Add(d)
	return errors.Join(l.in.SetDeadline(t), l.out.SetDeadline(t))
}

// measure loads for some time, and reads the CPU time of the server before and after the part that counts.
func (l *load) measure(s *settings, pid int) (r result, err error) {
	if err := l.deadline(s.warmup + s.duration + patience); err != nil {
		return r, err
	}
	if l.work.Kind == "bulk" {
		done := make(chan struct{})
		defer func() { <-done }()
		defer l.in.SetDeadline(time.Unix(1, 0))
		go func() {
			defer close(done)
			for err := error(nil); err == nil; {
				_, err = l.in.Write(l.data) // until the deadline
			}
		}()
	}
	if err := l.run(s.warmup); err != nil {
		return r, err
	}
	cpu, err := cpuTime(pid)
	if err != nil {
		return r, err
	}
	start := time.Now()
	l.total = 0
	if err := l.run(s.duration); err != nil {
		return r, err
	}
	mib := float64(l.total) / (1 << 20)
	r.rate = mib / time.Since(start).Seconds()
	end, err := cpuTime(pid)
	r.cpu = float64((end - cpu).Nanoseconds()) / 1e3 / mib
	return r, err
}

func (l *load) run(d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		if err := l.once(); err != nil {
			return err
		}
	}
	return nil
}

// once moves the data once. What comes is not looked at, so that the load costs little.
func (l *load) once() error {
	switch l.work.Kind {
	case "bulk":
		return l.drop(l.out, int64(len(l.data)))
	case "file":
		if _, err := l.in.Write(l.data[:1]); err != nil {
			return err
		}
		return l.drop(l.in, int64(len(l.data)))
	}
	for _, way := range [2][2]*net.TCPConn{{l.in, l.out}, {l.out, l.in}} {
		if _, err := way[0].Write(l.data); err != nil {
			return err
		}
		if err := l.drop(way[1], int64(len(l.data))); err != nil {
			return err
		}
	}
	return nil
}

// drop takes n bytes that have come, which MSG_TRUNC does not copy.
func (l *load) drop(c *net.TCPConn, n int64) (err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	l.total += n
	for n > 0 {
		var k int
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			k, _, failed = unix.Recvfrom(int(fd), l.got[:min(n, int64(len(l.got)))], unix.MSG_TRUNC|unix.MSG_DONTWAIT)
			return failed != unix.EAGAIN && failed != unix.EINTR
		})
		switch {
		case err != nil:
			return err
		case failed != nil:
			return os.NewSyscallError("recvfrom", failed)
		case k == 0:
			return io.ErrUnexpectedEOF
		}
		n -= int64(k)
	}
	return nil
}

// onCPU calls f on a thread that may run on one CPU alone, the nth of those that there are, or the last. A process that it starts inherits that.
func onCPU(nth int, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	at := -1
	for cpu := 0; cpu < 1024 && nth >= 0; cpu++ {
		if old.IsSet(cpu) {
			at = cpu
			nth--
		}
	}
	set.Set(at)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	err := f()
	if back := unix.SchedSetaffinity(0, &old); back != nil {
		err = errors.Join(err, os.NewSyscallError("sched_setaffinity", back))
	}
	return err
}

// cpuTime is the CPU time that a process has used, to the nanosecond. The number of the clock is made as clock_getcpuclockid(3) makes it.
func cpuTime(pid int) (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|2, &ts); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(ts.Nano()), nil
}
