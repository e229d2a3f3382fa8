//go:build freebsd || dragonfly || openbsd

package api

import "syscall"

// ECanceled and ETime are the errnos in Completion.Res of an operation that was cancelled and of
// one whose time has passed. This platform has no ETIME; the number stands outside its range, so that
// it cannot be taken for an errno of the kernel.
const (
	ECanceled = syscall.ECANCELED
	ETime     = syscall.Errno(199)
)
