//go:build unix

package echo

import (
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
)

// rawSocket is a blocking socket that nobody but the test uses, so that neither goroutines nor buffers
// of package net get into the way.
func rawSocket(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	tv := syscall.NsecToTimeval(watchdog.Nanoseconds())
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv); err != nil {
		t.Fatal(err)
	}
	return fd
}

func rawConnect(t *testing.T, fd int, a net.Addr) {
	t.Helper()
	sa := &syscall.SockaddrInet4{Port: a.(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	if err := syscall.Connect(fd, sa); err != nil {
		t.Fatal(err)
	}
}

func TestLoopAllocatesNothing(t *testing.T) {
	eachBackend(t, func(t *testing.T, name string) {
		for _, size := range []int{64, 3000, -64, -3000} { // the second takes several buffers; below 0 the connection is in a slot
			fixed := size < 0
			size = max(size, -size)
			t.Run(strconv.Itoa(size)+map[bool]string{true: "/fixed"}[fixed], func(t *testing.T) {
				e, err := backend.Open(name, nil)
				if err != nil {
					t.Fatal(err)
				}
				listener, addr, err := Listen("127.0.0.1:0", false)
				if err != nil {
					t.Fatal(err)
				}
				l, err := newLoop(e, listener, &Options{Buffers: 8, BufferSize: 1024, FixedFiles: fixed, Slots: 4})
				if err != nil {
					t.Fatal(err)
				}
				l.armAccept()
				c := rawSocket(t)
				rawConnect(t, c, addr)
				out, in := make([]byte, size), make([]byte, size)
				failed := false
				trip := func() {
					if _, err := syscall.Write(c, out); err != nil {
						failed = true
						return
					}
					for got := 0; got < size; {
						if err := l.turn(api.Now().Add(time.Millisecond)); err != nil {
							failed = true
							return
						}
						n, _, err := syscall.Recvfrom(c, in[got:], syscall.MSG_DONTWAIT)
						if err != nil && err != syscall.EAGAIN {
							failed = true
							return
						}
						got += max(n, 0)
					}
				}
				for range 100 {
					trip()
				}
				if n := testing.AllocsPerRun(500, trip); n != 0 && !raceEnabled {
					t.Errorf("%v allocations per round trip, want 0", n)
				}
				if failed {
					t.Error("a round trip failed")
				}
				if err := l.drain(); err != nil {
					t.Error(err)
				}
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// TestAcceptRecovers takes all fds away, so that accepting fails, and gives them back.
func TestAcceptRecovers(t *testing.T) {
	eachBackend(t, func(t *testing.T, name string) {
		var clients []int
		for range 40 {
			clients = append(clients, rawSocket(t))
		}
		// The limit comes first: an accept of io_uring keeps the one that it was submitted under.
		var old syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
		low := old
		low.Cur = limit(low.Cur, clients[len(clients)-1]+100)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
				t.Error(err)
			}
		})
		srv := start(t, name, api.Block(), nil)
		giveBack := takeFDs(t, clients[0])
		for _, fd := range clients {
			rawConnect(t, fd, srv.Addr())
		}
		deadline := time.Now().Add(watchdog)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for srv.Stats().AcceptFailed < 3 {
			if <-tick.C; time.Now().After(deadline) {
				giveBack()
				t.Fatalf("accepting has not failed: %+v", srv.Stats())
			}
		}
		giveBack()
		for i, fd := range clients {
			in := []byte{0}
			if _, err := syscall.Write(fd, []byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
			n, err := syscall.Read(fd, in)
			for err == syscall.EINTR { // a time-out on a socket keeps a read from being restarted (signal(7))
				n, err = syscall.Read(fd, in)
			}
			if n != 1 || err != nil || in[0] != byte(i) {
				t.Fatalf("client %d read %d bytes, %v, %v", i, n, err, in)
			}
		}
		stopServer(t, srv)
		if st := srv.Stats(); st.Accepted != 40 || st.AcceptFailed > 20 {
			t.Errorf("%+v, want 40 accepted after a few failures", st)
		}
	})
}

// limit is n in the type of a limit, which differs between systems.
func limit[T int64 | uint64](_ T, n int) T { return T(n) }

// takeFDs duplicates fd until there are no more numbers, and returns what closes the duplicates.
func takeFDs(t *testing.T, fd int) (giveBack func()) {
	t.Helper()
	var taken []int
	for {
		n, err := syscall.Dup(fd)
		if err == syscall.EMFILE {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, n)
	}
	return func() {
		for _, n := range taken {
			syscall.Close(n)
		}
	}
}
