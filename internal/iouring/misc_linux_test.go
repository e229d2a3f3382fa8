package iouring

import (
	"os/exec"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FUTEX2_SIZE_U32 | FUTEX2_PRIVATE of linux/futex.h.
const futex32Private = 0x02 | 0x80

func TestFutex(t *testing.T) {
	r := newRing(t, 8, 0)
	supported(t, r, IORING_OP_FUTEX_WAIT)
	word := new(uint32)
	defer runtime.KeepAlive(word)
	const all = 0xffffffff
	next(t, r).PrepFutexWait(word, 1, all, futex32Private, 0)
	wantRes(t, r, "wait for another value", -int32(unix.EAGAIN))
	s := next(t, r)
	s.PrepFutexWait(word, 0, all, futex32Private, 0)
	s.UserData = 1
	submit(t, r, 0)
	s = next(t, r)
	s.PrepFutexWake(word, 5, all, futex32Private, 0)
	s.UserData = 2
	for _, c := range run(t, r, 2) {
		if want := int32(c.UserData) - 1; c.Res != want { // The waiter gets 0, the waker the number woken.
			t.Errorf("got %+v, want %d", c, want)
		}
	}
	// struct futex_waitv: value, address, flags, reserved.
	waitv := &struct {
		val, addr       uint64
		flags, reserved uint32
	}{val: 1, flags: futex32Private}
	// SAFETY: word and waitv are heap memory and kept alive past the completion.
	waitv.addr = address(unsafe.Pointer(word))
	next(t, r).PrepFutexWaitv(unsafe.Pointer(waitv), 1, 0)
	wantRes(t, r, "waitv for another value", -int32(unix.EAGAIN))
	runtime.KeepAlive(waitv)
}

func TestWaitid(t *testing.T) {
	r := newRing(t, 8, 0)
	supported(t, r, IORING_OP_WAITID)
	cmd := exec.Command("/bin/true")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	defer cmd.Wait()
	// WNOWAIT leaves the child for cmd.Wait.
	next(t, r).PrepWaitid(unix.P_PID, int32(cmd.Process.Pid), nil, unix.WEXITED|unix.WNOWAIT, 0)
	wantRes(t, r, "waitid", 0)
	next(t, r).PrepWaitid(unix.P_PID, int32(cmd.Process.Pid), nil, 0, 0)
	wantRes(t, r, "waitid without options", -int32(unix.EINVAL))
}

func TestEpollOps(t *testing.T) {
	r := newRing(t, 8, 0)
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(epfd)
	fd, _ := socketPair(t, unix.SOCK_STREAM)
	evs := &[2]unix.EpollEvent{{Events: unix.EPOLLOUT, Fd: 1234}}
	defer runtime.KeepAlive(evs)
	next(t, r).PrepEpollCtl(int32(epfd), fd, unix.EPOLL_CTL_ADD, unsafe.Pointer(&evs[0]))
	wantRes(t, r, "epoll_ctl", 0)
	supported(t, r, IORING_OP_EPOLL_WAIT)
	next(t, r).PrepEpollWait(int32(epfd), unsafe.Pointer(&evs[1]), 1, 0)
	wantRes(t, r, "epoll_wait", 1)
	if evs[1].Fd != 1234 || evs[1].Events != unix.EPOLLOUT {
		t.Errorf("got %+v", evs[1])
	}
}

func TestProvidedBuffers(t *testing.T) {
	r := newRing(t, 8, 0)
	a := newArena(t, 2, 16)
	next(t, r).PrepProvideBuffers(unsafe.Pointer(unsafe.SliceData(a.mem)), 16, 2, 7, 40)
	if res := one(t, r); res < 0 {
		t.Fatalf("provide: got %d", res)
	}
	rx, tx := socketPair(t, unix.SOCK_STREAM)
	if _, err := unix.Write(int(tx), []byte("x")); err != nil {
		t.Fatal(err)
	}
	s := next(t, r)
	s.PrepRecv(rx, nil, 16, 0)
	s.SetBufferGroup(7)
	if c := run(t, r, 1)[0]; c.Res != 1 || c.BufferID()|1 != 41 || c.Flags&IORING_CQE_F_BUFFER == 0 {
		t.Errorf("got %+v with buffer %d", c, c.BufferID())
	}
	next(t, r).PrepRemoveBuffers(5, 7)
	wantRes(t, r, "remove", 1)
}

// TestSlots moves a descriptor through the registered files of two rings.
func TestSlots(t *testing.T) {
	a, b := newRing(t, 8, 0), newRing(t, 8, 0)
	supported(t, a, IORING_OP_FIXED_FD_INSTALL)
	for _, r := range []*Ring{a, b} {
		if err := r.RegisterFilesSparse(4); err != nil {
			t.Fatal(err)
		}
	}
	s := next(t, a)
	s.PrepSocket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 0)
	s.SetTargetSlot(2)
	wantRes(t, a, "socket", 0)
	s = next(t, a)
	s.PrepMsgRingFD(int32(b.Fd()), 2, 55, 0)
	s.SetTargetSlot(3)
	wantRes(t, a, "msg_ring", 0)
	if got := run(t, b, 1)[0]; got.UserData != 55 || got.Res != 0 {
		t.Errorf("got %+v", got)
	}
	next(t, b).PrepFixedFdInstall(3, 0)
	fd := one(t, b)
	if fd < 0 {
		t.Fatalf("install: got %d", fd)
	}
	defer unix.Close(int(fd))
	if typ, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE); err != nil || typ != unix.SOCK_STREAM {
		t.Errorf("got %d, %v", typ, err)
	}
	fds := (*[2]int32)(unsafe.Pointer(unsafe.SliceData(heap(8))))
	*fds = [2]int32{fd, -1}
	next(t, b).PrepFilesUpdate(unsafe.Pointer(fds), 2, 0)
	wantRes(t, b, "files_update", 2)
	s = next(t, b)
	s.PrepShutdown(0, unix.SHUT_RDWR)
	s.Flags |= IOSQE_FIXED_FILE
	wantRes(t, b, "shutdown by slot", 0)
	runtime.KeepAlive(fds)
}
