package reactor

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// inherited says that connections have the options of the socket that has accepted them.
const inherited = true

func (s *Server) prepareLoop(fd, index int) error {
	var err error
	if s.cfg.IncomingCPU {
		err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_INCOMING_CPU, index%runtime.NumCPU()))
	}
	return errors.Join(err, s.streamOptions(fd))
}

// pinThread binds the calling thread to one of the processors that the program may use.
func pinThread(index int) error {
	var may, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	n := index % max(may.Count(), 1)
	for cpu := range len(may) * 64 {
		if !may.IsSet(cpu) {
			continue
		}
		if n == 0 {
			one.Set(cpu)
			return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &one))
		}
		n--
	}
	return nil
}

// packetOptions sets what a socket of UDP tells about datagrams. An older kernel does without, and so does the reactor.
func packetOptions(fd int32, v6, wildcard bool) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	switch {
	case !wildcard:
	case v6:
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	default:
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
}
