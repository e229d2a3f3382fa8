//go:build dragonfly || freebsd || netbsd || openbsd

package sysx

import "golang.org/x/sys/unix"

// MsgNoSignal keeps a send on a broken connection from raising SIGPIPE.
const MsgNoSignal = unix.MSG_NOSIGNAL
