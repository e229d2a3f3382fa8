//go:build linux

package http1_test

import (
	"errors"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/http1"
)

const (
	// manyMax is how many connections send half a request and then nothing. They need two files each, of this one process: where the limit of
	// open files is lower, there are as many as it allows. TestHalfOpen has more.
	manyMax = 4000

	// halfMax is how much memory each of them may take, of the server and in Go: half a request lies in a buffer of its own.
	halfMax = 8 << 10
)

// TestManyHalfRequests has one loop hold thousands of connections that have sent half a request: others are served meanwhile, the memory
// is bounded. (TestHalfRequests and TestHalfOpen have them ended when their time is over.)
func TestManyHalfRequests(t *testing.T) {
	for _, b := range backend.Probe() {
		if !b.Available {
			continue // TestClient says so
		}
		t.Run(b.Name, func(t *testing.T) {
			n := fdsAllow(t, manyMax)
			if b.Name == "poll" || b.Name == "select" || raceEnabled {
				n = min(n, 1000) // a turn of the former looks at all of them, and the race detector at all that they do
			}
			o := &http1.Options{HeaderTimeout: time.Hour}
			s := start(t, reactor.Config{Backend: b.Name, Listen: []string{"tcp://127.0.0.1:0"}}, echoes, o)
			unharmed(t, s)
			before := inUse()
			fds := make([]int, n)
			for i := range fds {
				fds[i] = half(t, s)
			}
			for limit := time.Now().Add(watchdog); s.Stats().Open < n; {
				if time.Now().After(limit) {
					t.Fatalf("%d of %d connections are open after %v", s.Stats().Open, n, watchdog)
				}
				unharmed(t, s)
			}
			if each := (int64(inUse()) - int64(before)) / int64(n); each > halfMax && n >= 1000 && !raceEnabled {
				t.Errorf("each of %d connections takes %d bytes, want no more than %d", n, each, halfMax)
			}
			unharmed(t, s)
			t.Logf("%d connections", n)
		})
	}
}

// fdsAllow is n, or as many as the limit of open files allows with two for each.
func fdsAllow(t *testing.T, n int) int {
	t.Helper()
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	const others = 500
	n = min(n, (int(min(lim.Cur, 1<<20))-others)/2)
	if n < 100 {
		t.Skipf("the limit of open files is %d", lim.Cur)
	}
	return n
}

// inUse is the memory that Go uses.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// half connects, without any memory of Go's, and sends half a request.
func half(t *testing.T, s *reactor.Server) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	sa := &syscall.SockaddrInet4{Port: s.Addrs()[0].(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	for {
		if err = syscall.Connect(fd, sa); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil && !errors.Is(err, syscall.EISCONN) {
		t.Fatal(err)
	}
	if _, err := syscall.Write(fd, []byte("GET / HTTP/1.1\r\nHo")); err != nil {
		t.Fatal(err)
	}
	return fd
}
