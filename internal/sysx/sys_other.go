//go:build !unix

package sysx

import (
	"net/netip"
	"syscall"
	"time"
)

// What follows has no meaning on this system. Every function says so with ENOSYS.

// RawSockaddrAny has room for every socket address.
type RawSockaddrAny struct{ _ [128]byte }

// SockaddrLen is the size of a RawSockaddrAny.
const SockaddrLen = uint32(128)

// PollFd is struct pollfd.
type PollFd struct {
	Fd      int32
	Events  int16
	Revents int16
}

// EncodeAddrFor is not available here.
func EncodeAddrFor(*RawSockaddrAny, netip.AddrPort, string, int) (uint32, syscall.Errno) {
	return 0, syscall.ENOSYS
}

// DecodeAddr is not available here.
func DecodeAddr(*RawSockaddrAny, uint32) (netip.AddrPort, string) { return netip.AddrPort{}, "" }

// Recv is not available here.
func Recv(int32, []byte, int) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// Send is not available here.
func Send(int32, []byte, int) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// RecvMsg is not available here.
func RecvMsg(int32, *MsgBuf, int) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// SendMsg is not available here.
func SendMsg(int32, *MsgBuf, int) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// Accept is not available here.
func Accept(int32, *RawSockaddrAny, int) (int, uint32, syscall.Errno) { return -1, 0, syscall.ENOSYS }

// Connect is not available here.
func Connect(int32, *RawSockaddrAny, uint32) syscall.Errno { return syscall.ENOSYS }

// Shutdown is not available here.
func Shutdown(int32, int) syscall.Errno { return syscall.ENOSYS }

// Socket is not available here.
func Socket(int, int, int) (int, syscall.Errno) { return -1, syscall.ENOSYS }

// SoError is not available here.
func SoError(int32) (soerr, errno syscall.Errno) { return 0, syscall.ENOSYS }

// SocketType is not available here.
func SocketType(int32) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// SocketProtocol is not here.
func SocketProtocol(int32) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// IsTCP is not here.
func IsTCP(int32) syscall.Errno { return syscall.ENOSYS }

// InterfaceIndex is not here.
func InterfaceIndex(string) (uint32, syscall.Errno) { return 0, syscall.ENOSYS }

// Listening is not here.
func Listening(int32) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// SocketFamily is not available here.
func SocketFamily(int32) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// Read is not available here.
func Read(int32, []byte) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// Write is not available here.
func Write(int32, []byte) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// Preadv2 is not available here.
func Preadv2(int32, *Iovecs, int64, int) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// Pwritev2 is not available here.
func Pwritev2(int32, *Iovecs, int64, int) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// Preadv2Blocking is not available here.
func Preadv2Blocking(int32, *Iovecs, int64, int) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// Pwritev2Blocking is not available here.
func Pwritev2Blocking(int32, *Iovecs, int64, int) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// Fsync is not available here.
func Fsync(int32) syscall.Errno { return syscall.ENOSYS }

// Fdatasync is not available here.
func Fdatasync(int32) syscall.Errno { return syscall.ENOSYS }

// Close is not available here.
func Close(int32) syscall.Errno { return syscall.ENOSYS }

// Direct is for Linux.
func Direct(int32) bool { return false }

// Nonblock is not available here.
func Nonblock(int32) (bool, syscall.Errno) { return false, syscall.ENOSYS }

// SetNonblock is not available here.
func SetNonblock(int32, bool) syscall.Errno { return syscall.ENOSYS }

// ValidFD is not available here.
func ValidFD(int32) bool { return false }

// Fstat is not available here.
func Fstat(int32) (mode uint32, size int64, errno syscall.Errno) { return 0, 0, syscall.ENOSYS }

// Pipe is not available here.
func Pipe() (r, w int32, errno syscall.Errno) { return -1, -1, syscall.ENOSYS }

// Eventfd is not available here.
func Eventfd() (int32, syscall.Errno) { return -1, syscall.ENOSYS }

// Poll1 is not available here.
func Poll1(int32, int16) (int16, syscall.Errno) { return 0, syscall.ENOSYS }

// Poll is not available here.
func Poll([]PollFd, time.Duration) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// Select is not available here.
func Select(int, []uint, []uint, []uint, time.Duration) (int, syscall.Errno) {
	return 0, syscall.ENOSYS
}

// base is where the clock of MonotonicNow starts.
var base = time.Now()

// MonotonicNow is a clock in nanoseconds that never goes back. Its zero means nothing.
func MonotonicNow() int64 { return int64(time.Since(base)) }
