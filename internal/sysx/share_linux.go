package sysx

import "golang.org/x/sys/unix"

// ShareBound has a socket share the port that it is bound to with those which are bound to it from now on with SO_REUSEPORT, by the same user. As it was
// bound without, nobody else has the port: it was free, or bind has failed. It says whether that can be had here.
//
// Linux looks at the option of the one that is there when another is bound, and groups the two then (reuseport_add_sock); where several listen, it
// groups them likewise. Elsewhere each socket must have the option before it is bound.
func ShareBound(fd int32) bool {
	return unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) == nil
}
