//go:build !linux

package sysx

import "syscall"

// HasAIO says whether NewAIO is worth a try.
const HasAIO = false

// AIOMax is as on Linux.
const AIOMax = 256

// AIO is for Linux.
type AIO struct{}

// AIOEvent is a completion.
type AIOEvent struct {
	Data uint64
	Res  int64
}

// NewAIO returns ENOSYS.
func NewAIO(int32) (*AIO, syscall.Errno) { return nil, syscall.ENOSYS }

// Add does nothing.
func (*AIO) Add(int32, *Iovecs, int64, bool, uint64) {}

// Submit takes nothing.
func (*AIO) Submit() (int, syscall.Errno) { return 0, syscall.ENOSYS }

// Events gives none.
func (*AIO) Events() []AIOEvent { return nil }

// Close does nothing.
func (*AIO) Close() {}
