package sock_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/epoll"
	"github.com/sluiceio/sluice/sock"
)

func open(t *testing.T, domain, typ int) int {
	t.Helper()
	fd, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func TestAddrs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	abstract := fmt.Sprintf("@sluice-sock-%d", os.Getpid())
	for _, c := range []struct {
		name   string
		domain int
		bind   unix.Sockaddr
		want   func(api.Addr) bool
	}{
		{"IPv4", unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, func(a api.Addr) bool {
			return a.IP.Addr() == netip.AddrFrom4([4]byte{127, 0, 0, 1}) && a.IP.Port() > 0
		}},
		{"IPv6", unix.AF_INET6, &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16()}, func(a api.Addr) bool {
			return a.IP.Addr() == netip.IPv6Loopback() && a.IP.Port() > 0
		}},
		{"path", unix.AF_UNIX, &unix.SockaddrUnix{Name: path}, func(a api.Addr) bool { return a == api.UnixAddr(path) }},
		{"abstract", unix.AF_UNIX, &unix.SockaddrUnix{Name: abstract}, func(a api.Addr) bool { return a == api.UnixAddr(abstract) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t, c.domain, unix.SOCK_STREAM)
			if err := unix.Bind(l, c.bind); err != nil {
				t.Skip(err)
			}
			if err := unix.Listen(l, 1); err != nil {
				t.Fatal(err)
			}
			at, err := sock.LocalAddr(l)
			if err != nil || !c.want(at) {
				t.Fatalf("%v, %v", at, err)
			}
			if _, err := sock.PeerAddr(l); !errors.Is(err, syscall.ENOTCONN) {
				t.Errorf("the peer of a listener: %v", err)
			}
			fd := open(t, c.domain, unix.SOCK_STREAM)
			to, err := unix.Getsockname(l)
			if err != nil {
				t.Fatal(err)
			}
			if err := unix.Connect(fd, to); err != nil {
				t.Fatal(err)
			}
			if peer, err := sock.PeerAddr(fd); err != nil || peer != at {
				t.Errorf("the peer is %v, %v, want %v", peer, err, at)
			}
		})
	}
	if a, err := sock.LocalAddr(open(t, unix.AF_UNIX, unix.SOCK_STREAM)); err != nil || !a.IsZero() {
		t.Errorf("a socket without a name: %v, %v", a, err)
	}
	wide := int64(1) << 32 // of no fd, where an int has that many bits
	if strconv.IntSize == 32 {
		wide = -2
	}
	for _, fd := range []int{-1, 1 << 30, int(wide)} {
		if _, err := sock.LocalAddr(fd); !errors.Is(err, syscall.EBADF) {
			t.Errorf("fd %d: %v", fd, err)
		}
		if _, err := sock.PeerAddr(fd); !errors.Is(err, syscall.EBADF) {
			t.Errorf("fd %d: %v", fd, err)
		}
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if _, err := sock.LocalAddr(int(null.Fd())); !errors.Is(err, syscall.ENOTSOCK) {
		t.Errorf("a file: %v", err)
	}
}

// A file descriptor goes over a Unix socket: whoever receives it reads from the same pipe.
func Example() {
	e, err := epoll.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, w, err := os.Pipe()
	if err != nil {
		fmt.Println(err)
		return
	}

	out := &api.Msg{Bufs: [][]byte{[]byte("here it is")}}
	if out.Control, err = sock.AppendRights(nil, int(r.Fd())); err != nil {
		fmt.Println(err)
		return
	}
	in := &api.Msg{Bufs: [][]byte{make([]byte, 64)}, Control: make([]byte, sock.Space(4))}
	if _, err := e.Submit([]api.Op{api.SendMsg(pair[0], out, 1), api.RecvMsg(pair[1], in, 2)}); err != nil {
		fmt.Println(err)
		return
	}
	dst := make([]api.Completion, 2)
	for n := 0; n < 2; {
		m, err := e.Complete(dst[n:], api.Wait{Min: 1})
		if err != nil {
			fmt.Println(err)
			return
		}
		n += m
	}
	for m := range sock.Messages(in.Control[:in.ControlLen]) {
		if fds, ok := m.Rights(); ok {
			f := os.NewFile(uintptr(fds[0]), "passed")
			_, _ = w.WriteString("hello")
			buf := make([]byte, 8)
			n, err := f.Read(buf)
			fmt.Println(string(buf[:n]), err)
			_ = f.Close()
		}
	}
	_, _, _, _ = r.Close(), w.Close(), unix.Close(pair[0]), unix.Close(pair[1])
	// Output: hello <nil>
}
