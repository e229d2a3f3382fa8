//go:build unix && !linux

package conformance

import "golang.org/x/sys/unix"

// selectedSystemCases are those on provided buffers that only Linux can have.
func selectedSystemCases() []Case { return nil }

// eBadFD stands for EBADFD, which only Linux has.
const eBadFD = unix.EBADF
