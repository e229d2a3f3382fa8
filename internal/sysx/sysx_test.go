//go:build unix

package sysx

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair makes two connected non-blocking unix sockets.
func pair(t *testing.T, typ int) (a, b int32) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, typ, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if errno := SetNonblock(int32(fd), true); errno != 0 {
			t.Fatal(errno)
		}
		t.Cleanup(func() { unix.Close(fd) })
	}
	return int32(fds[0]), int32(fds[1])
}

func tempFile(t *testing.T) int32 {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return int32(f.Fd())
}

func TestSendRecv(t *testing.T) {
	a, b := pair(t, unix.SOCK_STREAM)
	buf := make([]byte, 8)
	if _, errno := Recv(a, buf, MsgDontWait); errno != unix.EAGAIN {
		t.Errorf("Recv with no data: %v, want EAGAIN", errno)
	}
	if n, errno := Send(b, []byte("hello"), MsgDontWait); n != 5 || errno != 0 {
		t.Fatalf("Send: %d, %v", n, errno)
	}
	if n, errno := Recv(a, buf[:2], unix.MSG_PEEK); n != 2 || errno != 0 {
		t.Errorf("Recv with MSG_PEEK: %d, %v", n, errno)
	}
	if n, errno := Recv(a, buf, MsgDontWait); n != 5 || errno != 0 || string(buf[:5]) != "hello" {
		t.Errorf("Recv: %d, %v, %q", n, errno, buf)
	}
	if got := testing.AllocsPerRun(100, func() {
		Send(b, buf, MsgDontWait)
		Recv(a, buf, MsgDontWait)
	}); got != 0 && SelectMax == 0 { // elsewhere it may
		t.Errorf("%v allocations, want 0", got)
	}
	if errno := Shutdown(b, unix.SHUT_WR); errno != 0 {
		t.Fatal(errno)
	}
	for range 2 {
		if n, errno := Recv(a, buf, MsgDontWait); n != 0 || errno != 0 {
			t.Errorf("Recv at the end: %d, %v", n, errno)
		}
	}
	if errno := Shutdown(a, unix.SHUT_RD); errno != 0 {
		t.Fatal(errno)
	}
	if _, errno := Send(b, buf, 0); errno != unix.EPIPE {
		t.Errorf("Send after shutdown: %v, want EPIPE", errno)
	}
	if _, errno := Recv(-1, buf, 0); errno != unix.EBADF {
		t.Errorf("Recv on -1: %v, want EBADF", errno)
	}
	if _, errno := Send(tempFile(t), buf, 0); errno != unix.ENOTSOCK {
		t.Errorf("Send to a file: %v, want ENOTSOCK", errno)
	}
}

func TestMsg(t *testing.T) {
	recv, errno := Socket(unix.AF_INET, unix.SOCK_DGRAM|SockNonblock, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	defer unix.Close(recv)
	if err := unix.Bind(recv, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(recv)
	if err != nil {
		t.Fatal(err)
	}
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*unix.SockaddrInet4).Port))
	send, errno := Socket(unix.AF_INET, unix.SOCK_DGRAM|SockNonblock, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	defer unix.Close(send)

	// More than fits inline the second time, less again the third.
	for _, count := range []int{3, 20, 1, 0} {
		var want []byte
		var bufs [][]byte
		for i := range count {
			b := bytes.Repeat([]byte{byte('a' + i)}, i) // the first is empty
			bufs, want = append(bufs, b), append(want, b...)
		}
		out, in := new(MsgBuf), new(MsgBuf)
		out.Set(bufs, nil)
		if out.Len() != len(want) {
			t.Errorf("%d buffers: Len = %d, want %d", count, out.Len(), len(want))
		}
		if errno := out.SetAddr(to, "", unix.AF_INET); errno != 0 {
			t.Fatal(errno)
		}
		for range 2 { // each MsgBuf twice
			if n, errno := SendMsg(int32(send), out, MsgDontWait); n != len(want) || errno != 0 {
				t.Fatalf("%d buffers: SendMsg: %d, %v", count, n, errno)
			}
		}
		got := make([]byte, 400)
		in.Set([][]byte{got[:1], nil, got[1:7], got[7:]}, nil)
		in.WantAddr()
		for range 2 {
			clear(got)
			waitReadable(t, int32(recv))
			n, errno := RecvMsg(int32(recv), in, MsgDontWait)
			if errno != 0 || !bytes.Equal(got[:n], want) {
				t.Fatalf("%d buffers: RecvMsg: %q, %v, want %q", count, got[:max(n, 0)], errno, want)
			}
			if ap, path := in.Addr(); ap.Addr() != to.Addr() || ap.Port() == 0 || path != "" {
				t.Errorf("from %v %q", ap, path)
			}
			if in.Flags()&unix.MSG_TRUNC != 0 || in.ControlLen() != 0 {
				t.Errorf("flags %#x, %d bytes of control data", in.Flags(), in.ControlLen())
			}
		}
		in.Reset()
		if in.Len() != 0 {
			t.Errorf("Len after Reset = %d", in.Len())
		}
		if _, errno := RecvMsg(int32(recv), in, MsgDontWait); errno != unix.EAGAIN {
			t.Errorf("RecvMsg with nothing there: %v, want EAGAIN", errno)
		}
	}
	// A datagram that is longer than the buffer.
	m := new(MsgBuf)
	m.SetOne([]byte("0123456789"), nil)
	if errno := m.SetAddr(to, "", unix.AF_INET); errno != 0 {
		t.Fatal(errno)
	}
	if _, errno := SendMsg(int32(send), m, 0); errno != 0 {
		t.Fatal(errno)
	}
	waitReadable(t, int32(recv))
	m.SetOne(make([]byte, 4), nil)
	if n, errno := RecvMsg(int32(recv), m, 0); n != 4 || errno != 0 || m.Flags()&unix.MSG_TRUNC == 0 {
		t.Errorf("short buffer: %d, %v, flags %#x", n, errno, m.Flags())
	}
	if ap, _ := m.Addr(); ap.IsValid() {
		t.Errorf("an address that was not asked for: %v", ap)
	}
}

func waitReadable(t *testing.T, fd int32) {
	t.Helper()
	if n, errno := Poll([]PollFd{{Fd: fd, Events: unix.POLLIN}}, 5*time.Second); n != 1 {
		t.Fatalf("nothing to read: %d, %v", n, errno)
	}
}

// Files can be passed, and arrive close-on-exec.
func TestMsgControl(t *testing.T) {
	a, b := pair(t, unix.SOCK_STREAM)
	m := new(MsgBuf)
	m.Set([][]byte{[]byte("xy")}, unix.UnixRights(0))
	if n, errno := SendMsg(b, m, 0); n != 2 || errno != 0 {
		t.Fatalf("SendMsg: %d, %v", n, errno)
	}
	m.Advance(1) // the rights have gone out: they must not go again
	if n, errno := SendMsg(b, m, 0); n != 1 || errno != 0 {
		t.Fatalf("SendMsg: %d, %v", n, errno)
	}
	control := make([]byte, 256)
	fds := 0
	for range 2 {
		in := new(MsgBuf)
		in.Set([][]byte{make([]byte, 2)}, control)
		if _, errno := RecvMsg(a, in, 0); errno != 0 {
			break // both in one
		}
		msgs, err := unix.ParseSocketControlMessage(control[:in.ControlLen()])
		if err != nil {
			t.Fatal(err)
		}
		for _, msg := range msgs {
			rights, err := unix.ParseUnixRights(&msg)
			if err != nil {
				t.Fatal(err)
			}
			for _, fd := range rights {
				fds++
				if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); MsgNoSignal != 0 && SelectMax == 0 && flags&unix.FD_CLOEXEC == 0 {
					t.Error("a file that came by a message is not close-on-exec")
				}
				unix.Close(fd)
			}
		}
	}
	if fds != 1 {
		t.Errorf("%d files came, want 1", fds)
	}
}

func TestIovecsAdvance(t *testing.T) {
	fd := tempFile(t)
	bufs := [][]byte{[]byte("ab"), nil, []byte("cde"), []byte("f")}
	for n := range 8 {
		var v Iovecs
		v.Set(bufs)
		v.Advance(n / 2)
		v.Advance(n - n/2)
		want := "abcdef"[min(n, 6):]
		if v.Len() != len(want) {
			t.Errorf("Advance(%d): Len = %d, want %d", n, v.Len(), len(want))
		}
		if k, errno := Pwritev2(fd, &v, 0, 0); k != len(want) || errno != 0 {
			t.Errorf("Advance(%d): Pwritev2: %d, %v", n, k, errno)
		}
		got := make([]byte, len(want))
		if _, err := unix.Pread(int(fd), got, 0); err != nil || string(got) != want {
			t.Errorf("Advance(%d): %q, %v, want %q", n, got, err, want)
		}
	}
	if string(bufs[0]) != "ab" || len(bufs) != 4 {
		t.Error("the caller's slice was changed")
	}
}

func TestAcceptConnect(t *testing.T) {
	ln, errno := Socket(unix.AF_INET, unix.SOCK_STREAM|SockNonblock, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	defer unix.Close(ln)
	if err := unix.Bind(ln, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(ln, 8); err != nil {
		t.Fatal(err)
	}
	if _, _, errno := Accept(int32(ln), nil, 0); errno != unix.EAGAIN {
		t.Errorf("Accept with an empty backlog: %v, want EAGAIN", errno)
	}
	sa, err := unix.Getsockname(ln)
	if err != nil {
		t.Fatal(err)
	}
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*unix.SockaddrInet4).Port))
	for _, flags := range []int{0, SockNonblock} {
		for _, peer := range []*RawSockaddrAny{nil, new(RawSockaddrAny)} {
			c, errno := Socket(unix.AF_INET, unix.SOCK_STREAM|SockNonblock, 0)
			if errno != 0 {
				t.Fatal(errno)
			}
			var raw RawSockaddrAny
			n, _ := EncodeAddrFor(&raw, to, "", unix.AF_INET)
			if errno := Connect(int32(c), &raw, n); errno != 0 && errno != unix.EINPROGRESS {
				t.Fatalf("Connect: %v", errno)
			}
			waitReadable(t, int32(ln))
			s, n, errno := Accept(int32(ln), peer, flags)
			if errno != 0 {
				t.Fatalf("Accept: %v", errno)
			}
			if peer != nil {
				if ap, _ := DecodeAddr(peer, n); ap.Addr() != to.Addr() || ap.Port() == 0 {
					t.Errorf("peer %v", ap)
				}
			}
			if on, errno := Nonblock(int32(s)); on != (flags != 0) || errno != 0 {
				t.Errorf("flags %#x: Nonblock = %v, %v", flags, on, errno)
			}
			if fl, _ := unix.FcntlInt(uintptr(s), unix.F_GETFD, 0); fl&unix.FD_CLOEXEC == 0 {
				t.Error("not close-on-exec")
			}
			if soerr, errno := SoError(int32(c)); soerr != 0 || errno != 0 {
				t.Errorf("SoError = %v, %v", soerr, errno)
			}
			Close(int32(s))
			Close(int32(c))
		}
	}
	if typ, errno := SocketType(int32(ln)); typ != unix.SOCK_STREAM || errno != 0 {
		t.Errorf("SocketType = %d, %v", typ, errno)
	}
	if fam, errno := SocketFamily(int32(ln)); fam != unix.AF_INET || errno != 0 {
		t.Errorf("SocketFamily = %d, %v", fam, errno)
	}
	if _, errno := SocketType(tempFile(t)); errno != unix.ENOTSOCK {
		t.Errorf("SocketType of a file: %v, want ENOTSOCK", errno)
	}
	if errno := Close(int32(1 << 29)); errno != unix.EBADF {
		t.Errorf("Close of nothing: %v, want EBADF", errno)
	}
}

func TestUnixPeerAddr(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, errno := Socket(unix.AF_UNIX, unix.SOCK_STREAM|SockNonblock, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	defer unix.Close(ln)
	var raw RawSockaddrAny
	n, errno := EncodeAddrFor(&raw, netip.AddrPort{}, path, unix.AF_UNIX)
	if errno != 0 {
		t.Skipf("%s: %v", path, errno)
	}
	if err := unix.Bind(ln, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(ln, 1); err != nil {
		t.Fatal(err)
	}
	c, errno := Socket(unix.AF_UNIX, unix.SOCK_STREAM|SockNonblock, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	defer unix.Close(c)
	if errno := Connect(int32(c), &raw, n); errno != 0 {
		t.Fatal(errno)
	}
	s, n, errno := Accept(int32(ln), &raw, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	defer unix.Close(s)
	if ap, path := DecodeAddr(&raw, n); ap.IsValid() || path != "" {
		t.Errorf("an unnamed peer is called %v %q", ap, path)
	}
}

func TestFile(t *testing.T) {
	fd := tempFile(t)
	const high = int64(5) << 32 // both halves of the offset count
	var v Iovecs
	v.SetOne([]byte("high"))
	if n, errno := Pwritev2(fd, &v, high, 0); n != 4 || errno != 0 {
		t.Fatalf("Pwritev2: %d, %v", n, errno)
	}
	if mode, size, errno := Fstat(fd); mode&unix.S_IFMT != unix.S_IFREG || size != high+4 || errno != 0 {
		t.Errorf("Fstat = %o, %d, %v", mode, size, errno)
	}
	buf := make([]byte, 8)
	for name, preadv := range map[string]func(fd int32, v *Iovecs, off int64, flags int) (int, syscall.Errno){
		"Preadv2":         Preadv2,
		"Preadv2Blocking": Preadv2Blocking,
	} {
		for _, bufs := range [][][]byte{{buf}, {buf[:1], buf[1:]}} {
			v.Set(bufs)
			clear(buf)
			if n, errno := preadv(fd, &v, high, 0); n != 4 || errno != 0 || string(buf[:4]) != "high" {
				t.Errorf("%s: %d, %v, %q", name, n, errno, buf)
			}
			if n, errno := preadv(fd, &v, 1, 0); n != 8 || errno != 0 || buf[0] != 0 {
				t.Errorf("%s of a hole: %d, %v, %q", name, n, errno, buf)
			}
			if n, errno := preadv(fd, &v, high+4, 0); n != 0 || errno != 0 {
				t.Errorf("%s at the end: %d, %v", name, n, errno)
			}
			if _, errno := preadv(fd, &v, -2, 0); errno == 0 {
				t.Errorf("%s at -2 succeeded", name)
			}
		}
	}
	// -1 is the position of the file, and moves it.
	v.Set([][]byte{[]byte("ab"), []byte("cd")})
	for range 2 {
		if n, errno := Pwritev2Blocking(fd, &v, -1, 0); n != 4 || errno != 0 {
			t.Errorf("Pwritev2 at -1: %d, %v", n, errno)
		}
	}
	if n, err := unix.Pread(int(fd), buf, 0); n != 8 || err != nil || string(buf) != "abcdabcd" {
		t.Errorf("got %d, %v, %q", n, err, buf)
	}
	if errno := Fsync(fd); errno != 0 {
		t.Errorf("Fsync: %v", errno)
	}
	if errno := Fdatasync(fd); errno != 0 {
		t.Errorf("Fdatasync: %v", errno)
	}
	v.SetOne(nil)
	if n, errno := Pwritev2Blocking(fd, &v, 0, 0); n != 0 || errno != 0 {
		t.Errorf("Pwritev2 of nothing: %d, %v", n, errno)
	}
	v.SetOne(buf)
	switch n, errno := Preadv2(fd, &v, 0, RWFNoWait); errno {
	case 0:
		if n != 8 {
			t.Errorf("Preadv2 with RWFNoWait: %d", n)
		}
	case unix.EAGAIN, unix.EOPNOTSUPP, unix.ENOSYS: // not in memory; not this file system; not this kernel
	default:
		t.Errorf("Preadv2 with RWFNoWait: %v", errno)
	}
}

func TestPipeAndFlags(t *testing.T) {
	r, w, errno := Pipe()
	if errno != 0 {
		t.Fatal(errno)
	}
	buf := make([]byte, 4)
	if _, errno := Read(r, buf); errno != unix.EAGAIN {
		t.Errorf("Read of an empty pipe: %v, want EAGAIN", errno)
	}
	if re, errno := Poll1(r, unix.POLLIN); re != 0 || errno != 0 {
		t.Errorf("Poll1 = %#x, %v", re, errno)
	}
	if n, errno := Write(w, []byte("ab")); n != 2 || errno != 0 {
		t.Errorf("Write: %d, %v", n, errno)
	}
	if re, errno := Poll1(r, unix.POLLIN); re != unix.POLLIN || errno != 0 {
		t.Errorf("Poll1 = %#x, %v, want POLLIN", re, errno)
	}
	if n, errno := Read(r, buf); n != 2 || errno != 0 {
		t.Errorf("Read: %d, %v", n, errno)
	}
	for _, on := range []bool{false, false, true, true} {
		if errno := SetNonblock(r, on); errno != 0 {
			t.Errorf("SetNonblock(%v): %v", on, errno)
		}
		if got, errno := Nonblock(r); got != on || errno != 0 {
			t.Errorf("Nonblock = %v, %v, want %v", got, errno, on)
		}
	}
	var v Iovecs
	v.SetOne([]byte("xyz"))
	if n, errno := Pwritev2Blocking(w, &v, -1, 0); n != 3 || errno != 0 {
		t.Errorf("Pwritev2Blocking: %d, %v", n, errno)
	}
	v.SetOne(buf)
	if n, errno := Preadv2Blocking(r, &v, -1, 0); n != 3 || errno != 0 || string(buf[:3]) != "xyz" {
		t.Errorf("Preadv2Blocking: %d, %v, %q", n, errno, buf)
	}
	if !ValidFD(r) || ValidFD(-1) {
		t.Errorf("ValidFD: %v and %v, want true and false", ValidFD(r), ValidFD(-1))
	}
	if re, _ := Poll1(1<<20, unix.POLLIN); re&unix.POLLNVAL == 0 {
		t.Errorf("Poll1 of nothing: %#x, want POLLNVAL", re)
	}
	d, errno := Dup(r)
	if errno != 0 || !ValidFD(d) {
		t.Errorf("Dup: %d, %v", d, errno)
	}
	for _, fd := range []int32{r, w, d} {
		if errno := Close(fd); errno != 0 {
			t.Errorf("Close: %v", errno)
		}
	}
	if _, errno := Nonblock(-1); errno != unix.EBADF {
		t.Errorf("Nonblock(-1): %v, want EBADF", errno)
	}
}

func TestSelectBounds(t *testing.T) {
	if _, errno := Select(65, make([]uint, 1), make([]uint, 1), make([]uint, 1), 0); errno != unix.EINVAL {
		t.Errorf("sets that are too short: %v, want EINVAL", errno)
	}
	start := time.Now()
	if n, errno := Select(0, nil, nil, nil, 2*time.Millisecond); n != 0 || errno != 0 && errno != unix.EINTR {
		t.Errorf("no sets: %d, %v", n, errno)
	} else if took := time.Since(start); errno == 0 && took < 2*time.Millisecond {
		t.Errorf("2ms took %v", took)
	}
}

func TestMonotonicNow(t *testing.T) {
	a, start := MonotonicNow(), time.Now()
	<-time.After(2 * time.Millisecond)
	took, d := time.Since(start), time.Duration(MonotonicNow()-a)
	if d < 2*time.Millisecond || d > took+5*time.Second {
		t.Errorf("%v in %v", d, took)
	}
}
