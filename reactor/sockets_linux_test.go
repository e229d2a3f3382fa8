package reactor_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/internal/servertest"
	"github.com/sluiceio/sluice/internal/tooltest"
	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/sock"
)

// sockets are the fds of this process with a local address, of which is says that they are those.
func sockets(t *testing.T, local net.Addr, is func(fd int) bool) (fds []int) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if at, err := sock.LocalAddr(fd); err == nil && at.IP.String() == local.String() && is(fd) {
			fds = append(fds, fd)
		}
	}
	return fds
}

// socketBetween is the socket of this process with these two addresses.
func socketBetween(t *testing.T, local, peer net.Addr) int {
	t.Helper()
	fds := sockets(t, local, func(fd int) bool {
		to, err := sock.PeerAddr(fd)
		return err == nil && to.IP.String() == peer.String()
	})
	if len(fds) != 1 {
		t.Fatalf("there are %d sockets from %v to %v", len(fds), local, peer)
	}
	return fds[0]
}

// listening are the sockets that listen at an address.
func listening(t *testing.T, at net.Addr) []int {
	t.Helper()
	fds := sockets(t, at, func(fd int) bool {
		on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		return err == nil && on == 1
	})
	if len(fds) == 0 {
		t.Fatalf("no socket listens at %v", at)
	}
	return fds
}

func wantOption(t *testing.T, fd int, what string, level, name, want int) {
	t.Helper()
	if got, err := unix.GetsockoptInt(fd, level, name); err != nil || got != want {
		t.Errorf("%s is %d, %v, want %d", what, got, err, want)
	}
}

// TestSocketOptions looks at the sockets of connections that were accepted, and dialled.
func TestSocketOptions(t *testing.T) {
	for _, tc := range []struct {
		name                 string
		nagle                bool
		keepAlive            time.Duration
		noDelay, alive, secs int
	}{
		{"default", false, 0, 1, 1, 15},
		{"others", true, 90 * time.Second, 0, 1, 90},
		{"none", false, -1, 1, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eachVariant(t, func(t *testing.T, cfg reactor.Config) {
				cfg.Nagle, cfg.KeepAlive = tc.nagle, tc.keepAlive
				look := func(what string, fd int) {
					t.Helper()
					wantOption(t, fd, what+": TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, tc.noDelay)
					wantOption(t, fd, what+": SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, tc.alive)
					if tc.secs > 0 {
						wantOption(t, fd, what+": TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, tc.secs)
						wantOption(t, fd, what+": TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, tc.secs)
					}
				}
				r := newRecorder()
				s := serve(t, cfg, r)
				c := dial(t, s)
				r.wait(t, "open")
				look("accepted", socketBetween(t, c.RemoteAddr(), c.LocalAddr()))

				peer := accepting(t, func(addr string) {
					if err := s.Dial(t.Context(), addr, r, nil); err != nil {
						t.Fatal(err)
					}
				})
				r.wait(t, "open")
				look("dialled", socketBetween(t, peer.RemoteAddr(), peer.LocalAddr()))
			})
		})
	}
}

// accepting listens, and accepts what dial connects.
func accepting(t *testing.T, dial func(addr string)) net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dial("tcp://" + ln.Addr().String())
	if err := ln.(*net.TCPListener).SetDeadline(time.Now().Add(watchdog)); err != nil {
		t.Fatal(err)
	}
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestBacklog looks at how many connections may wait, which TCP_INFO of a socket that listens tells (tcp_get_info in net/ipv4/tcp.c).
func TestBacklog(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err != nil {
		t.Fatal(err)
	}
	most, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		for backlog, want := range map[int]uint32{0: uint32(most), 7: 7} {
			cfg.Backlog = backlog
			for _, fd := range listening(t, serve(t, cfg, reactor.Base{}).Addrs()[0]) {
				if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err != nil || info.Sacked != want {
					t.Errorf("Backlog %d: room for %d, %v, want %d", backlog, info.Sacked, err, want)
				}
			}
		}
	})
}

// usable are the processors that the calling thread may use.
func usable(t *testing.T) (list []int) {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			list = append(list, cpu)
		}
	}
	return list
}

// incoming are the processors that those which listen prefer.
func incoming(t *testing.T, s *reactor.Server) (cpus []int) {
	t.Helper()
	for _, fd := range listening(t, s.Addrs()[0]) {
		cpu, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_INCOMING_CPU)
		if err != nil {
			t.Fatal(err)
		}
		cpus = append(cpus, cpu)
	}
	slices.Sort(cpus)
	return cpus
}

// TestIncomingCPU wants each loop to be preferred by a processor: that which Config.Pin binds it to, also where the program may not use all.
func TestIncomingCPU(t *testing.T) {
	cfg := reactor.Config{Variant: reactor.Multi, Loops: 2, Listen: []string{"tcp://127.0.0.1:0"}}
	if got := incoming(t, serve(t, cfg, reactor.Base{})); slices.ContainsFunc(got, func(cpu int) bool { return cpu >= 0 }) {
		t.Errorf("without the option loops are preferred by %v", got)
	}
	cfg.IncomingCPU = true
	cpus := usable(t)
	want := []int{cpus[0], cpus[1%len(cpus)]}
	if got := incoming(t, serve(t, cfg, reactor.Base{})); !slices.Equal(got, want) {
		t.Errorf("loops are preferred by %v, want %v", got, want)
	}

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, last unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	last.Set(cpus[len(cpus)-1])
	if err := unix.SchedSetaffinity(0, &last); err != nil {
		t.Fatal(err)
	}
	s := serve(t, cfg, reactor.Base{})
	if err := unix.SchedSetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	want = []int{cpus[len(cpus)-1], cpus[len(cpus)-1]}
	if got := incoming(t, s); !slices.Equal(got, want) {
		t.Errorf("with one processor loops are preferred by %v, want %v", got, want)
	}
}

// where is a handler that looks, in each loop, which processors its thread may use.
type where struct {
	reactor.Base
	t  *testing.T
	mu sync.Mutex
	by map[int][]int // guarded by mu
}

func (h *where) OnTick(l *reactor.Loop) {
	cpus := usable(h.t)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.by[l.Index()] = cpus
}

func (h *where) seen(loops int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.by) == loops
}

// TestPin wants the thread of each loop to have one processor, another than that of the next, and none of the program's threads to be bound when the server is over:
// they are used for other goroutines then.
func TestPin(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg reactor.Config) {
		cpus := usable(t)
		if cfg.Variant == reactor.Single || cfg.Variant == reactor.SinglePool {
			cfg.Loops = 1
		}
		cfg.Pin, cfg.Tick = true, time.Millisecond
		h := &where{t: t, by: map[int][]int{}}
		s, err := reactor.Start(cfg, h)
		if err != nil {
			t.Fatal(err)
		}
		until(t, "not all loops have ticked", func() bool { return h.seen(cfg.Loops) })
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range cfg.Loops {
			if want := cpus[i%len(cpus)]; !slices.Equal(h.by[i], []int{want}) {
				t.Errorf("loop %d may use the processors %v, want %d alone", i, h.by[i], want)
			}
		}
		for name, n := range threads(t) {
			if n != len(cpus) {
				t.Errorf("behind the end of the server thread %s may use %d processors of %d", name, n, len(cpus))
			}
		}
	})
}

// threads says how many processors each thread of the program may use.
func threads(t *testing.T) map[string]int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/self/task/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal(dirs, err)
	}
	list := map[string]int{}
	for _, d := range dirs {
		tid, err := strconv.Atoi(filepath.Base(d))
		if err != nil {
			t.Fatal(err)
		}
		var set unix.CPUSet
		if unix.SchedGetaffinity(tid, &set) == nil { // else it has ended
			list[filepath.Base(d)] = set.Count()
		}
	}
	return list
}

// TestPortOfItsOwn: the listeners of a server share a port with each other, and with no other server, however many look for one at the same time.
func TestPortOfItsOwn(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) {
			var taken sync.Map
			enter := fewPorts(t)
			var wg, others sync.WaitGroup
			done := make(chan struct{})
			for range 2 {
				wg.Go(func() {
					if err := enter(); err != nil {
						t.Error(err)
						return
					}
					for range 50 {
						startAlone(t, network, &taken)
					}
				})
				others.Go(func() {
					if err := enter(); err != nil {
						t.Error(err)
						return
					}
					takePorts(t, network, done)
				})
			}
			wg.Wait()
			close(done)
			others.Wait()
		})
	}
}

// takePorts binds sockets to any port, and gives it back at once, until done.
func takePorts(t *testing.T, network string, done chan struct{}) {
	kind := unix.SOCK_STREAM
	if network == "udp" {
		kind = unix.SOCK_DGRAM
	}
	for {
		select {
		case <-done:
			return
		default:
		}
		fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
			return
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil && !errors.Is(err, unix.EADDRINUSE) {
			t.Error(err)
		}
		unix.Close(fd)
	}
}

// startAlone starts a server with several listeners, and sees to it that nobody else is in taken, or comes, at its address.
func startAlone(t *testing.T, network string, taken *sync.Map) {
	cfg := reactor.Config{Variant: reactor.Multi, Loops: 3, Backend: "poll", Listen: []string{network + "://127.0.0.1:0"}}
	s, err := reactor.Start(cfg, packetBase{})
	if err != nil {
		t.Error(err)
		return
	}
	defer servertest.Shutdown(t, s)
	addr := s.Addrs()[0].String()
	if _, other := taken.LoadOrStore(addr, true); other {
		t.Errorf("two servers are at %s", addr)
	}
	defer taken.Delete(addr) // before the shutdown
	cfg.Listen = []string{network + "://" + addr}
	again, err := reactor.Start(cfg, packetBase{})
	if !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("the second server at %s: %v", addr, err)
	}
	if err == nil {
		servertest.Shutdown(t, again)
	}
}

// fewPorts makes a network with a dozen ports for those who ask for any. enter takes the goroutine there, with a thread that ends with it.
func fewPorts(t *testing.T) (enter func() error) {
	t.Helper()
	made := make(chan error)
	var ns *os.File
	go func() {
		runtime.LockOSThread() // and the thread ends with the goroutine
		made <- func() (err error) {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			if ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
				return err
			}
			if err := loopbackUp(); err != nil {
				return err
			}
			return os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40011"), 0)
		}()
	}()
	err := <-made
	if errors.Is(err, unix.EPERM) {
		tooltest.Missing(t, "netns", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	return func() error {
		runtime.LockOSThread()
		return unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
	}
}

// loopbackUp switches the loopback of the thread's network on.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// packetBase takes streams and datagrams, and does nothing with them.
type packetBase struct{ reactor.Base }

func (packetBase) OnPacket(*reactor.Packet) {}
