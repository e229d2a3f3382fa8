package uring

import (
	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// What core.FD.Kind says of a file, above what the attempts keep there (attempt.KindMask): of a socket any of the flags, of another
// file one of the kinds.
const (
	streamFD  uint32 = 1 << (iota + 8)
	packetFD         // a socket for datagrams and sequenced packets
	anySocket        // an option of it has been set or read
	ringCtl          // control data can be received in the ring
	pollCtl          // it cannot: see learnControl

	storeFD  uint32 = (iota - 4) << 13 // a regular file, directory, block device or pipe
	eventFD                            // has no type: an eventfd, timerfd, inotify and the like
	fifoFD                             // a pipe that has a name
	deviceFD                           // a character device
	deadFD                             // can be neither read nor written: a pidfd, epoll fd or ring
	fileKind uint32 = 7 << 13

	copyFD uint32 = 1 << 16 // a socket that cannot send without copying

	known = streamFD | packetFD | fileKind
)

// learned are the operations for which the driver must know the kind of file.
var learned = api.Ops(api.OpSend, api.OpSendMsg, api.OpSendZC, api.OpSendMsgZC, api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev) | fixedOps

// learn finds out what kind of file s is about, once per fd: it costs one or two system calls.
//
// Of sockets: one that sends packets must not wait in the kernel. When the queue of a Unix datagram's
// receiver is full, the packet has been copied already, and when it is tried again, it is empty (Linux 6.18: io_uring
// does not put the iterator of a send back). So these sends are told not to wait, and wait here.
func (d *driver) learn(s *core.Slot) {
	d.count.Enters++
	mode, _, errno := sysx.Fstat(s.Op.FD)
	if errno != 0 {
		return
	}
	kind := storeFD
	switch mode & unix.S_IFMT {
	case unix.S_IFSOCK:
		d.count.Enters++
		kind = streamFD | s.FD.Kind&(anySocket|ringCtl|pollCtl|copyFD)
		if typ, errno := sysx.SocketType(s.Op.FD); errno == 0 && typ != unix.SOCK_STREAM {
			kind = packetFD | kind&^streamFD
		}
	case unix.S_IFCHR:
		kind = deviceFD
	case unix.S_IFIFO:
		d.count.Enters++
		if !sysx.PipeNoWait(s.Op.FD, waitsFor(&s.Op) == unix.POLLOUT) {
			kind = fifoFD
		}
	case 0:
		d.count.Enters++
		kind = eventFD
		if sysx.Unreadable(s.Op.FD) {
			kind = deadFD
		}
	}
	s.FD.Kind = s.FD.Kind&attempt.KindMask | kind
}

// unsure says whether ringDoes has to be asked: not for sockets, regular files and pipes that are known, which are the most.
func unsure(kind uint32) bool { return kind&known == 0 || kind&fileKind > storeFD }

// ringDoes says whether the kernel's own operation does what s is to do. If not, s is performed here.
//
// What io_uring does with a file that does not know RWF_NOWAIT is to wait in a poll, and then to read or write as if the file were
// blocking (Linux 6.18). The owner's thread waits in io_uring_enter, then, for a terminal or FIFO that has less room than there is to
// be written, and a worker of the kernel for the second buffer of a readv from inotify. A file that is never ready and has no reads at
// all is waited for in vain, where read(2) says EINVAL.
func (d *driver) ringDoes(s *core.Slot) bool {
	if s.FD.Kind&known == 0 {
		d.learn(s)
	}
	if s.FD.Kind&fileKind <= storeFD {
		if s.Op.Flags&api.DontWait == 0 || s.FD.Kind&fileKind == 0 || waitsFor(&s.Op) != unix.POLLOUT {
			return true
		}
		// io_uring answers EAGAIN where the file system cannot tell whether a write would wait (ext4); the system call tells the two apart.
		d.start(s)
		return false
	}
	switch s.Op.Code {
	case api.OpSend, api.OpSendMsg, api.OpSendZC, api.OpSendMsgZC:
		return true
	case api.OpRead, api.OpWrite, api.OpReadFixed, api.OpWriteFixed:
		if s.FD.Kind&fileKind == eventFD && s.Op.Flags&api.DontWait == 0 {
			return true
		}
	}
	d.learn(s) // the number may have become another file's
	switch s.FD.Kind & fileKind {
	case deadFD:
		d.e.End(s, -int32(unix.EINVAL))
	case eventFD, fifoFD, deviceFD:
		d.start(s)
	default:
		return true
	}
	return false
}

// direct says whether s is about a file that goes around the page cache. io_uring does not move the position of one, for the transfer
// ends when nobody holds the position any more (Linux 6.18: kiocb_done does it for what ends at once). It costs a system call
// for each transfer at the current position: what is known of the number may be of another file, and the wrong bytes would be read.
func (d *driver) direct(s *core.Slot) bool {
	d.count.Enters++
	if !sysx.Direct(s.Op.FD) {
		return false
	}
	d.count.Enters++
	mode, _, errno := sysx.Fstat(s.Op.FD)
	return errno == 0 && (mode&unix.S_IFMT == unix.S_IFREG || mode&unix.S_IFMT == unix.S_IFBLK)
}
