package attempt

import (
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// receives are the operations that wait for a datagram.
var receives = api.Ops(api.OpRecv, api.OpRecvMsg, api.OpRead, api.OpReadv, api.OpReadFixed, api.OpReadvFixed)

// Vain is called when an attempt at s has come to Readable although its file is said to be readable. A datagram socket that has been shut down for
// reading is so for ever, and says EAGAIN to a call that does not wait, and 0 to one that does. io_uring makes such a call in the end, so that all
// backends give 0, but for a multishot, which waits in io_uring as well: datagrams may come (measured on 6.18).
func (t *Tries) Vain(s *core.Slot) (res int32, bid int, v Verdict) {
	if !ends(s) || !t.StoppedReading(s.Op.FD) || t.fromErrors(s) {
		return 0, -1, Readable
	}
	// What has come before it was shut down, but after the attempt, is to be received.
	if res, bid, v = t.Once(s); v != Readable {
		return res, bid, v
	}
	if s.Op.Code == api.OpRecvMsg {
		s.Op.Msg.Addr, s.Op.Msg.ControlLen, s.Op.Msg.Flags = api.Addr{}, 0, 0
	}
	return 0, -1, Done
}

// ends says whether s is an operation that ends when its socket is shut down.
func ends(s *core.Slot) bool {
	switch {
	case sysx.PollRdHup == 0, s.Op.Flags&api.Multishot != 0, s.Done > 0:
		return false
	}
	return receives.Has(s.Op.Code)
}

// fromErrors says whether s receives from another queue, that of errors. A Unix socket has none, and takes no notice of MSG_ERRQUEUE.
func (t *Tries) fromErrors(s *core.Slot) bool {
	if s.Op.Code != api.OpRecv && s.Op.Code != api.OpRecvMsg || s.Op.Arg&sysx.MsgErrQueue == 0 {
		return false
	}
	t.Calls++
	family, errno := sysx.SocketFamily(s.Op.FD)
	return errno != 0 || family != syscall.AF_UNIX
}

// StoppedReading says whether fd is a datagram socket that has been shut down for reading. Its peer's shutdowns are nothing to one, so that POLLRDHUP
// is about its own.
func (t *Tries) StoppedReading(fd int32) bool {
	t.Calls++
	if got, errno := sysx.Poll1(fd, sysx.PollRdHup); errno != 0 || got&sysx.PollRdHup == 0 {
		return false
	}
	t.Calls++
	typ, errno := sysx.SocketType(fd)
	return errno == 0 && (typ == syscall.SOCK_DGRAM || typ == syscall.SOCK_RAW)
}

// How often a send that waits for the peer of a Unix socket is tried that no event may tell of: see WaitsForPeer.
const (
	// PeerEvery is the shortest time between two looks.
	PeerEvery = 10 * time.Millisecond
	// PeerSeldom is the longest, which is for those of which nothing comes.
	PeerSeldom = 160 * time.Millisecond
	// PeerShare is how many sends are tried in a look: if each had its own 10 ms, some thousands that wait would keep a processor busy.
	PeerShare = 64
)

// WaitsForPeer says whether s, which waits for room, is a send, or a splice, to the one peer of a Unix socket. When that shuts down reading, the kernel wakes what waits in a call, and what waits in
// io_uring, for EPIPE, but what poll(2) reports does not change (measured on 6.18).
func (t *Tries) WaitsForPeer(s *core.Slot) bool {
	fd := s.Op.FD
	switch {
	case s.Op.Code == api.OpSplice:
		fd = s.FD2
	case !sends.Has(s.Op.Code):
		return false
	}
	t.Calls++
	if family, errno := sysx.SocketFamily(fd); errno != 0 || family != syscall.AF_UNIX {
		return false
	}
	t.Calls++
	typ, errno := sysx.SocketType(fd)
	return errno == 0 && typ != syscall.SOCK_DGRAM
}

// sends are the operations that wait for room.
var sends = api.Ops(api.OpSend, api.OpSendMsg, api.OpSendZC, api.OpSendMsgZC, api.OpWrite, api.OpWritev, api.OpWriteFixed, api.OpWritevFixed)
