//go:build unix

package sock

import "golang.org/x/sys/unix"

// How the header of a message is laid out here: its first field has 8 bytes on Linux for 64 bits and 4 elsewhere.
var (
	lenSize   = unix.SizeofCmsghdr - 8
	dataAt    = unix.CmsgLen(0)
	alignment = unix.CmsgSpace(1) - unix.CmsgSpace(0)
)
