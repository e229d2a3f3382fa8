//go:build !linux

package sysx

import "syscall"

// MsgZeroCopy is no flag here.
const MsgZeroCopy = 0

// SendsZeroCopy says no: there is no MSG_ZEROCOPY here.
func SendsZeroCopy(int32) bool { return false }

// IsZeroCopy says no: there is no SO_ZEROCOPY here.
func IsZeroCopy(int32) bool { return false }

// SocketCookie is not available here.
func SocketCookie(int32) (uint64, syscall.Errno) { return 0, syscall.ENOSYS }

// ZeroCopied is not available here.
func ZeroCopied(int32) (lo, hi uint32, copied, ok bool, errno syscall.Errno) {
	return 0, 0, false, false, syscall.ENOSYS
}
