//go:build !freebsd && !dragonfly && !openbsd

package api

import "syscall"

// ECanceled and ETime are the errnos in Completion.Res of an operation that was cancelled and of
// one whose time has passed.
const (
	ECanceled = syscall.ECANCELED
	ETime     = syscall.ETIME
)
