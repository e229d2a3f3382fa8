//go:build unix && !linux

package sysx

import (
	"math/bits"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// retry makes a call until it is not interrupted.
func retry(f func() (int, error)) (int, syscall.Errno) {
	for {
		n, err := f()
		if err == nil {
			return n, 0
		}
		if err != unix.EINTR {
			return 0, errnoOf(err)
		}
	}
}

// Recv is recv(2) without an address. It must not block: pass MsgDontWait unless
// the fd has O_NONBLOCK. 0 bytes are the end of a stream, an empty datagram,
// or an empty b.
func Recv(fd int32, b []byte, flags int) (int, syscall.Errno) {
	return retry(func() (int, error) {
		n, _, err := unix.Recvfrom(int(fd), b, flags)
		return n, err
	})
}

// Send is send(2) without an address and, where the system can do it, without SIGPIPE. It must not block: pass
// MsgDontWait unless the fd has O_NONBLOCK.
func Send(fd int32, b []byte, flags int) (int, syscall.Errno) {
	return retry(func() (int, error) { return unix.SendmsgN(int(fd), b, nil, nil, flags|MsgNoSignal) })
}

// RecvMsg is recvmsg(2) into the buffers, the control data and the address of m. It must
// not block.
func RecvMsg(fd int32, m *MsgBuf, flags int) (int, syscall.Errno) {
	m.Rearm()
	return retry(func() (int, error) {
		n, oobn, rflags, from, err := unix.RecvmsgBuffers(int(fd), m.vec.bufs, m.control, flags)
		if err != nil {
			return 0, err
		}
		m.controlLen, m.flags = oobn, rflags
		if m.wantName && from != nil {
			m.nameLen = fromSockaddr(&m.name, from)
		}
		return n, nil
	})
}

// SendMsg is sendmsg(2) from the buffers, the control data and the address of m. It must not block.
func SendMsg(fd int32, m *MsgBuf, flags int) (int, syscall.Errno) {
	var to unix.Sockaddr
	if m.nameLen > 0 {
		to = toSockaddr(&m.name, m.nameLen)
	}
	return retry(func() (int, error) {
		return unix.SendmsgBuffers(int(fd), m.vec.bufs, m.control, to, flags|MsgNoSignal)
	})
}

// Accept takes a connection off the backlog of fd, which must be non-blocking or
// known to be ready. The new fd is close-on-exec; flags may hold SockNonblock.
// The peer's address goes to sa, unless that is nil; its length is the second result.
func Accept(fd int32, sa *RawSockaddrAny, flags int) (int, uint32, syscall.Errno) {
	var from unix.Sockaddr
	nfd, errno := retry(func() (n int, err error) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if n, from, err = unix.Accept(int(fd)); err == nil {
			unix.CloseOnExec(n)
		}
		return n, err
	})
	if errno != 0 {
		return -1, 0, errno
	}
	// Set and cleared alike: on the BSDs the new fd has the O_NONBLOCK of the listener.
	if err := unix.SetNonblock(nfd, flags&SockNonblock != 0); err != nil {
		_ = unix.Close(nfd) // the error before is the one to report
		return -1, 0, errnoOf(err)
	}
	if sa == nil {
		return nfd, 0, 0
	}
	return nfd, fromSockaddr(sa, from), 0
}

// Connect starts, or on a blocking fd makes, a connection. It may block. EINTR
// means that the kernel goes on connecting by itself, exactly what EINPROGRESS
// says, so EINPROGRESS is what it becomes.
func Connect(fd int32, sa *RawSockaddrAny, n uint32) syscall.Errno {
	to := toSockaddr(sa, n)
	if to == nil {
		return unix.EINVAL
	}
	err := unix.Connect(int(fd), to)
	if err == unix.EINTR {
		return unix.EINPROGRESS
	}
	return errnoOf(err)
}

// Shutdown is shutdown(2) with SHUT_RD, SHUT_WR or SHUT_RDWR.
func Shutdown(fd int32, how int) syscall.Errno { return errnoOf(unix.Shutdown(int(fd), how)) }

// Socket makes a close-on-exec socket. typ may hold SockNonblock.
func Socket(family, typ, proto int) (int, syscall.Errno) {
	syscall.ForkLock.RLock()
	fd, err := unix.Socket(family, typ&^SockNonblock, proto)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, errnoOf(err)
	}
	if err := unix.SetNonblock(fd, typ&SockNonblock != 0); err != nil {
		_ = unix.Close(fd) // the error before is the one to report
		return -1, errnoOf(err)
	}
	return fd, 0
}

// SoError takes the pending error of a socket: reading it clears it, so it is for
// the end of a connect and nothing else. The second result is the call's own error.
func SoError(fd int32) (soerr, errno syscall.Errno) {
	v, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	return syscall.Errno(v), errnoOf(err)
}

// SocketType is SO_TYPE: SOCK_STREAM and so on, or ENOTSOCK.
func SocketType(fd int32) (int, syscall.Errno) {
	v, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE)
	return v, errnoOf(err)
}

// SocketProtocol is for Linux only: ENOSYS.
func SocketProtocol(fd int32) (int, syscall.Errno) { return 0, unix.ENOSYS }

// IsTCP says whether fd is a TCP socket: 0, ENOTSOCK, EPROTONOSUPPORT for another protocol.
func IsTCP(fd int32) syscall.Errno {
	typ, errno := SocketType(fd)
	if errno != 0 {
		return errno
	}
	family, errno := SocketFamily(fd)
	if errno != 0 || typ != unix.SOCK_STREAM || family != unix.AF_INET && family != unix.AF_INET6 {
		return unix.EPROTONOSUPPORT
	}
	return 0
}

// Listening is SO_ACCEPTCONN.
func Listening(fd int32) (int, syscall.Errno) {
	v, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return v, errnoOf(err)
}

// SocketFamily is the address family of a socket: AF_INET and so on, or ENOTSOCK.
func SocketFamily(fd int32) (int, syscall.Errno) {
	sa, err := unix.Getsockname(int(fd))
	if err != nil {
		return 0, errnoOf(err)
	}
	switch sa.(type) {
	case *unix.SockaddrInet4:
		return unix.AF_INET, 0
	case *unix.SockaddrInet6:
		return unix.AF_INET6, 0
	case *unix.SockaddrUnix:
		return unix.AF_UNIX, 0
	}
	return unix.AF_UNSPEC, 0
}

// Read is read(2) of an fd that has O_NONBLOCK or is known to be ready.
func Read(fd int32, b []byte) (int, syscall.Errno) {
	return retry(func() (int, error) { return unix.Read(int(fd), b) })
}

// Write is write(2) of an fd that has O_NONBLOCK or is known to be ready.
func Write(fd int32, b []byte) (int, syscall.Errno) {
	return retry(func() (int, error) { return unix.Write(int(fd), b) })
}

// vio moves one buffer after the other until one is short. preadv is not to be had on every unix, and
// nothing that is atomic over several buffers is promised.
func vio(v *Iovecs, off int64, flags int, f func(b []byte, off int64) (int, syscall.Errno)) (int, syscall.Errno) {
	if flags != 0 {
		return 0, unix.EOPNOTSUPP
	}
	total := 0
	for _, b := range v.bufs {
		if len(b) == 0 {
			continue
		}
		n, errno := f(b, off+int64(total))
		if errno != 0 && total == 0 {
			return 0, errno
		}
		total += n
		if n < len(b) {
			break // also an error after the first buffer: the next call will report it
		}
	}
	return total, 0
}

// Preadv2 reads into several buffers; off -1 means the position of the file, and is how sockets and pipes
// are read. Flags are not supported here: EOPNOTSUPP.
func Preadv2(fd int32, v *Iovecs, off int64, flags int) (int, syscall.Errno) {
	return vio(v, off, flags, func(b []byte, at int64) (int, syscall.Errno) {
		if off == -1 {
			return Read(fd, b)
		}
		return retry(func() (int, error) { return unix.Pread(int(fd), b, at) })
	})
}

// Pwritev2 writes several buffers; see Preadv2.
func Pwritev2(fd int32, v *Iovecs, off int64, flags int) (int, syscall.Errno) {
	return vio(v, off, flags, func(b []byte, at int64) (int, syscall.Errno) {
		if off == -1 {
			return Write(fd, b)
		}
		return retry(func() (int, error) { return unix.Pwrite(int(fd), b, at) })
	})
}

// Preadv2Blocking is Preadv2 for a worker that may wait.
func Preadv2Blocking(fd int32, v *Iovecs, off int64, flags int) (int, syscall.Errno) {
	return Preadv2(fd, v, off, flags)
}

// Pwritev2Blocking is Pwritev2 for a worker that may wait.
func Pwritev2Blocking(fd int32, v *Iovecs, off int64, flags int) (int, syscall.Errno) {
	return Pwritev2(fd, v, off, flags)
}

// Fsync is fsync(2). It blocks.
func Fsync(fd int32) syscall.Errno {
	_, errno := retry(func() (int, error) { return 0, unix.Fsync(int(fd)) })
	return errno
}

// Fdatasync is Fsync: not every unix has the lesser one.
func Fdatasync(fd int32) syscall.Errno { return Fsync(fd) }

// Close is close(2). It may block. It never tries again: the number may already belong to somebody
// else, and a leaked fd is the lesser evil.
func Close(fd int32) syscall.Errno {
	err := unix.Close(int(fd))
	if err == unix.EINTR {
		return 0
	}
	return errnoOf(err)
}

// Direct is for Linux, whose RWF_NOWAIT it is about.
func Direct(int32) bool { return false }

// Nonblock says whether fd has O_NONBLOCK.
func Nonblock(fd int32) (bool, syscall.Errno) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_NONBLOCK != 0, errnoOf(err)
}

// SetNonblock sets or clears O_NONBLOCK, which every fd of the same open file shares.
func SetNonblock(fd int32, on bool) syscall.Errno {
	return errnoOf(unix.SetNonblock(int(fd), on))
}

// ValidFD says whether fd is open.
func ValidFD(fd int32) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

// Fstat gives the mode (S_IFMT and so on) and the size of a file. It may block.
func Fstat(fd int32) (mode uint32, size int64, errno syscall.Errno) {
	var st unix.Stat_t
	_, errno = retry(func() (int, error) { return 0, unix.Fstat(int(fd), &st) })
	return uint32(st.Mode), int64(st.Size), errno
}

// Pipe makes a close-on-exec pipe whose both ends are non-blocking.
func Pipe() (r, w int32, errno syscall.Errno) {
	var p [2]int
	syscall.ForkLock.RLock()
	err := unix.Pipe(p[:])
	if err == nil {
		unix.CloseOnExec(p[0])
		unix.CloseOnExec(p[1])
	}
	syscall.ForkLock.RUnlock()
	if err == nil {
		if err = unix.SetNonblock(p[0], true); err == nil {
			err = unix.SetNonblock(p[1], true)
		}
		if err != nil {
			_, _ = unix.Close(p[0]), unix.Close(p[1]) // the error before is the one to report
		}
	}
	if err != nil {
		return -1, -1, errnoOf(err)
	}
	return int32(p[0]), int32(p[1]), 0
}

// Eventfd is for Linux only: ENOSYS.
func Eventfd() (int32, syscall.Errno) { return -1, unix.ENOSYS }

// PollFd is struct pollfd.
type PollFd = unix.PollFd

// millisOf turns d into milliseconds, rounded up, at most 24 days; -1 is for ever.
func millisOf(d time.Duration) int {
	const most = 1<<31 - 1
	if d < 0 {
		return -1
	}
	if d >= most*time.Millisecond {
		return most
	}
	return int((d + time.Millisecond - 1) / time.Millisecond)
}

// Poll1 looks at one fd and does not wait.
func Poll1(fd int32, events int16) (int16, syscall.Errno) {
	p := []PollFd{{Fd: fd, Events: events}}
	_, errno := retry(func() (int, error) { return unix.Poll(p, 0) })
	return p[0].Revents, errno
}

// Poll is poll(2): d < 0 waits for ever, d == 0 looks, and otherwise it waits for d, rounded up to
// a millisecond. It returns how many of fds have Revents, and EINTR as such.
func Poll(fds []PollFd, d time.Duration) (int, syscall.Errno) {
	n, err := unix.Poll(fds, millisOf(d))
	if err != nil {
		return 0, errnoOf(err)
	}
	return n, 0
}

// Select is select(2), with d as in Poll but to the microsecond. The sets are bitmaps, bit fd%UintSize of
// word fd/UintSize, and must hold nfds bits each, which may be at most SelectMax. They are overwritten;
// after an error they hold nothing of use. It returns the number of bits set.
func Select(nfds int, r, w, e []uint, d time.Duration) (int, syscall.Errno) {
	if nfds > SelectMax || nfds > bits.UintSize*min(len(r), len(w), len(e)) {
		return 0, unix.EINVAL
	}
	var fr, fw, fe unix.FdSet
	toFdSet(&fr, r, nfds)
	toFdSet(&fw, w, nfds)
	toFdSet(&fe, e, nfds)
	var tv *unix.Timeval
	if d >= 0 {
		// 100 million seconds is what every unix must take (POSIX: 31 days at least, some fail beyond 1e8 s).
		us := int64(d / time.Microsecond)
		if d%time.Microsecond != 0 {
			us++
		}
		us = min(us, 1e14)
		v := unix.NsecToTimeval(us * 1000)
		tv = &v
	}
	n, err := unix.Select(nfds, &fr, &fw, &fe, tv)
	if err != nil {
		return 0, errnoOf(err)
	}
	fromFdSet(r, &fr, nfds)
	fromFdSet(w, &fw, nfds)
	fromFdSet(e, &fe, nfds)
	return n, 0
}

func toFdSet(dst *unix.FdSet, src []uint, nfds int) {
	for i := 0; i*bits.UintSize < nfds; i++ {
		for word := src[i]; word != 0; word &= word - 1 {
			if fd := i*bits.UintSize + bits.TrailingZeros(word); fd < nfds {
				dst.Set(fd)
			}
		}
	}
}

// fromFdSet looks only at what was asked for, which is still in dst.
func fromFdSet(dst []uint, src *unix.FdSet, nfds int) {
	for i := 0; i*bits.UintSize < nfds; i++ {
		for word := dst[i]; word != 0; word &= word - 1 {
			if bit := bits.TrailingZeros(word); !src.IsSet(i*bits.UintSize + bit) {
				dst[i] &^= 1 << bit
			}
		}
	}
}

// base is where the clock of MonotonicNow starts.
var base = time.Now()

// MonotonicNow is a clock in nanoseconds that never goes back. Its zero means nothing.
func MonotonicNow() int64 { return int64(time.Since(base)) }
