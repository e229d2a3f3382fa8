package sock

import (
	"net/netip"
	"os"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

// LocalAddr is the address that a socket is bound to (getsockname(2)), the zero Addr for a Unix socket without a name. An IPv6
// address has its zone as a number. The error is an *os.SyscallError: EBADF, ENOTSOCK.
func LocalAddr(fd int) (api.Addr, error) { return addr("getsockname", fd, sysx.LocalAddr) }

// PeerAddr is the address that a socket is connected to (getpeername(2)), the zero Addr for a Unix peer without a name. On an IPv6
// socket an IPv4 peer has an IPv4-mapped address (netip.Addr.Unmap). The error is an *os.SyscallError: EBADF, ENOTSOCK, ENOTCONN.
func PeerAddr(fd int) (api.Addr, error) { return addr("getpeername", fd, sysx.PeerAddr) }

func addr(name string, fd int, get func(int32) (netip.AddrPort, string, syscall.Errno)) (api.Addr, error) {
	if int(int32(fd)) != fd {
		return api.Addr{}, os.NewSyscallError(name, syscall.EBADF)
	}
	ip, path, errno := get(int32(fd))
	if errno != 0 {
		return api.Addr{}, os.NewSyscallError(name, errno)
	}
	return api.Addr{IP: ip, Path: path}, nil
}
