package iouring

import (
	"encoding/binary"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sockaddr4 is a struct sockaddr_in for a loopback port, on the heap.
func sockaddr4(port int) []byte {
	b := heap(unix.SizeofSockaddrInet4)
	binary.NativeEndian.PutUint16(b, unix.AF_INET)
	binary.BigEndian.PutUint16(b[2:], uint16(port))
	copy(b[4:], []byte{127, 0, 0, 1})
	return b
}

func localPort(t *testing.T, fd int32) int {
	t.Helper()
	sa, err := unix.Getsockname(int(fd))
	if err != nil {
		t.Fatal(err)
	}
	return sa.(*unix.SockaddrInet4).Port
}

// TestConnection makes a TCP connection with nothing but requests of the ring, and moves data over it in every way.
func TestConnection(t *testing.T) {
	r := newRing(t, 16, 0)
	supported(t, r, IORING_OP_LISTEN)
	socket := func(typ uint32) int32 {
		next(t, r).PrepSocket(unix.AF_INET, typ|unix.SOCK_CLOEXEC, 0, 0)
		fd := one(t, r)
		if fd < 0 {
			t.Fatalf("socket: got %d", fd)
		}
		t.Cleanup(func() { unix.Close(int(fd)) })
		return fd
	}
	listener := socket(unix.SOCK_STREAM)
	wildcard := sockaddr4(0)
	p, n := Bytes(wildcard)
	next(t, r).PrepBind(listener, p, n)
	wantRes(t, r, "bind", 0)
	next(t, r).PrepListen(listener, 4)
	wantRes(t, r, "listen", 0)

	addr := sockaddr4(localPort(t, listener))
	peer := heap(unix.SizeofSockaddrInet4)
	peerLen := new(uint32)
	*peerLen = uint32(len(peer))
	connect := func() (fd int32) {
		fd = socket(unix.SOCK_STREAM)
		p, n := Bytes(addr)
		s := next(t, r)
		s.PrepConnect(fd, p, n)
		s.UserData = 1
		return fd
	}
	client := connect()
	p, _ = Bytes(peer)
	next(t, r).PrepAccept(listener, p, peerLen, unix.SOCK_CLOEXEC)
	server := int32(-1)
	for _, c := range run(t, r, 2) {
		if c.UserData == 0 {
			server = c.Res
		} else if c.Res != 0 {
			t.Fatalf("connect: got %+v", c)
		}
	}
	if server < 0 {
		t.Fatalf("accept: got %d", server)
	}
	t.Cleanup(func() { unix.Close(int(server)) })
	if got := int(binary.BigEndian.Uint16(peer[2:])); got != localPort(t, client) || *peerLen != uint32(len(peer)) {
		t.Errorf("accept: got port %d, length %d", got, *peerLen)
	}
	runtime.KeepAlive(wildcard)

	t.Run("accept multishot", func(t *testing.T) {
		s := next(t, r)
		s.PrepAcceptMultishot(listener, unix.SOCK_CLOEXEC)
		s.UserData = 2
		for range 2 {
			connect()
			for _, c := range run(t, r, 2) {
				if c.UserData == 2 {
					if c.Res < 0 || c.Flags&IORING_CQE_F_MORE == 0 {
						t.Fatalf("got %+v", c)
					}
					unix.Close(int(c.Res))
				}
			}
		}
		next(t, r).PrepCancelFD(listener, 0)
		run(t, r, 2)
	})
	t.Run("transfers", func(t *testing.T) { testTransfers(t, client, server) })
	t.Run("shutdown", func(t *testing.T) {
		next(t, r).PrepShutdown(client, unix.SHUT_WR)
		wantRes(t, r, "shutdown", 0)
		p, n := Bytes(peer)
		next(t, r).PrepRecv(server, p, n, 0)
		wantRes(t, r, "recv at the end", 0)
	})
	runtime.KeepAlive(addr)
	runtime.KeepAlive(peer)
	runtime.KeepAlive(peerLen)
}

// testTransfers sends in every way and receives what came.
func testTransfers(t *testing.T, tx, rx int32) {
	r := newRing(t, 8, 0)
	a := newArena(t, 2, 4096)
	iovs := &[2]unix.Iovec{}
	msgs := &[2]unix.Msghdr{}
	for i := range iovs {
		iovs[i].Base = unsafe.SliceData(a.buf(uint16(i)))
		iovs[i].SetLen(5)
		msgs[i].Iov = &iovs[i]
		msgs[i].SetIovlen(1)
	}
	defer runtime.KeepAlive(msgs)
	if err := r.RegisterBuffers(iovs[:1]); err != nil {
		t.Fatal(err)
	}
	out, in := unsafe.Pointer(iovs[0].Base), unsafe.Pointer(iovs[1].Base)
	for _, tt := range []struct {
		name string
		op   uint8
		prep func(s *SQE)
	}{
		{"send", IORING_OP_SEND, func(s *SQE) { s.PrepSend(tx, out, 5, unix.MSG_NOSIGNAL) }},
		{"sendmsg", IORING_OP_SENDMSG, func(s *SQE) { s.PrepSendmsg(tx, unsafe.Pointer(&msgs[0]), 0) }},
		{"write", IORING_OP_WRITE, func(s *SQE) { s.PrepWrite(tx, out, 5, 0) }},
		{"send zc", IORING_OP_SEND_ZC, func(s *SQE) { s.PrepSendZC(tx, out, 5, 0, 0) }},
		{"send zc fixed", IORING_OP_SEND_ZC, func(s *SQE) { s.PrepSendZCFixed(tx, out, 5, 0, IORING_SEND_ZC_REPORT_USAGE, 0) }},
		{"sendmsg zc", IORING_OP_SENDMSG_ZC, func(s *SQE) { s.PrepSendmsgZC(tx, unsafe.Pointer(&msgs[0]), 0) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			supported(t, r, tt.op)
			copy(a.buf(0), tt.name)
			clear(a.buf(1))
			s := next(t, r)
			tt.prep(s)
			s.UserData = 1
			if tt.op == IORING_OP_WRITE {
				s = next(t, r)
				s.PrepRecvmsg(rx, unsafe.Pointer(&msgs[1]), unix.MSG_WAITALL)
			} else {
				s = next(t, r)
				s.PrepRecv(rx, in, 5, unix.MSG_WAITALL)
			}
			want := 2
			if tt.op == IORING_OP_SEND_ZC || tt.op == IORING_OP_SENDMSG_ZC {
				want = 3 // The notification that the memory is free again follows the result.
			}
			for _, c := range run(t, r, want) {
				if c.Flags&IORING_CQE_F_NOTIF == 0 && c.Res != 5 {
					t.Errorf("got %+v, want 5", c)
				}
				if more := c.Flags&IORING_CQE_F_MORE != 0; more != (want == 3 && c.UserData == 1 && c.Res == 5) {
					t.Errorf("got %+v", c)
				}
			}
			if got := string(a.buf(1)[:5]); got != (tt.name + "\x00")[:min(5, len(tt.name)+1)] {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestDatagrams covers what needs an address per message.
func TestDatagrams(t *testing.T) {
	r := newRing(t, 8, 0)
	var fds [2]int32
	for i := range fds {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			t.Fatal(err)
		}
		fds[i] = int32(fd)
	}
	b := newBufRing(t, r, 4, 9, 0)
	a := newArena(t, 4, 128)
	for bid := range uint16(4) {
		a.add(b, bid)
	}
	b.Publish()
	msg := &unix.Msghdr{Namelen: unix.SizeofSockaddrInet4}
	s := next(t, r)
	s.PrepRecvmsgMultishot(fds[1], unsafe.Pointer(msg), 9, 0)
	s.UserData = 1
	dst, data := sockaddr4(localPort(t, fds[1])), heap(3)
	copy(data, "abc")
	for range 2 {
		p, n := Bytes(data)
		to, _ := Bytes(dst)
		next(t, r).PrepSendTo(fds[0], p, n, 0, to, uint16(len(dst)))
		for _, c := range run(t, r, 2) {
			if c.UserData == 0 {
				if c.Res != 3 {
					t.Errorf("sendto: got %+v", c)
				}
				continue
			}
			buf := a.buf(c.BufferID())
			// SAFETY: the buffer is mmap memory, aligned, and longer than the header.
			out := (*RecvmsgOut)(unsafe.Pointer(unsafe.SliceData(buf)))
			name := buf[unsafe.Sizeof(*out):]
			payload := name[msg.Namelen:]
			if c.Flags&IORING_CQE_F_MORE == 0 || out.PayloadLen != 3 || string(payload[:3]) != "abc" {
				t.Errorf("recvmsg: got %+v, %+v, %q", c, out, payload[:3])
			}
			if got := int(binary.BigEndian.Uint16(name[2:])); got != localPort(t, fds[0]) {
				t.Errorf("recvmsg: got port %d", got)
			}
		}
	}
	runtime.KeepAlive(msg)
	runtime.KeepAlive(dst)
	runtime.KeepAlive(data)
}

// TestSocketCommand asks for a socket option, which fills in more fields of the entry than any other request.
func TestSocketCommand(t *testing.T) {
	r := newRing(t, 8, 0)
	fd, _ := socketPair(t, unix.SOCK_SEQPACKET)
	out := heap(4)
	p, n := Bytes(out)
	next(t, r).PrepUringCmdSock(fd, SOCKET_URING_OP_GETSOCKOPT, unix.SOL_SOCKET, unix.SO_TYPE, p, n)
	switch res := one(t, r); res {
	case -int32(unix.EOPNOTSUPP), -int32(unix.EINVAL):
		t.Skip("kernel without socket commands")
	case 4:
		if got := binary.NativeEndian.Uint32(out); got != unix.SOCK_SEQPACKET {
			t.Errorf("got type %d", got)
		}
	default:
		t.Errorf("got %d, want 4", res)
	}
}
