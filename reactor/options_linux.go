package reactor

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// inherited says that connections have the options of the socket that has accepted them.
const inherited = true

func (s *Server) prepareLoop(fd, index int) error {
	var err error
	if s.cfg.IncomingCPU {
		var cpu int
		if cpu, _, err = processorOf(index); err == nil {
			err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_INCOMING_CPU, cpu))
		}
	}
	return errors.Join(err, s.streamOptions(fd))
}

// processorOf is the processor of a loop, of those that the calling thread may use.
func processorOf(index int) (cpu int, may unix.CPUSet, err error) {
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return 0, may, os.NewSyscallError("sched_getaffinity", err)
	}
	n := index % max(may.Count(), 1)
	for cpu := range len(may) * 64 {
		if !may.IsSet(cpu) {
			continue
		}
		if n == 0 {
			return cpu, may, nil
		}
		n--
	}
	return 0, may, nil // there is no thread without a processor
}

// pinThread binds the calling thread to the processor of a loop. unpin takes that back: the thread is used for other goroutines afterwards.
func pinThread(index int) (unpin func(), err error) {
	cpu, may, err := processorOf(index)
	if err != nil {
		return nil, err
	}
	var one unix.CPUSet
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return nil, os.NewSyscallError("sched_setaffinity", err)
	}
	return func() { _ = unix.SchedSetaffinity(0, &may) }, nil // it fails when the system has taken all of them away meanwhile
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
