//go:build !linux

package sysx

import "syscall"

// FutexWaiter is a word to wait for. There are no futexes here that x/sys knows of.
type FutexWaiter struct{}

// Set does nothing.
func (w *FutexWaiter) Set(*uint32, uint32, bool) {}

// FutexWaitv fails with ENOSYS.
func FutexWaitv([]FutexWaiter) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// FutexLook fails with ENOSYS.
func FutexLook([]FutexWaiter) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// FutexWake fails with ENOSYS.
func FutexWake(*uint32, int32, bool) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// FutexMove fails with ENOSYS.
func FutexMove(_, _ *uint32) (bool, syscall.Errno) { return false, syscall.ENOSYS }

// Signals is a signal mask.
type Signals struct{}

// BlockSignals does nothing.
func BlockSignals() Signals { return Signals{} }

// RestoreSignals does nothing.
func RestoreSignals(Signals) {}
