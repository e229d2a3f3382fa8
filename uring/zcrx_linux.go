package uring

import (
	"errors"
	"net"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/sysx"
)

// noQueue is a receive queue that no interface has. A driver that could register one says ERANGE to it (net_mp_open_rxq in net/core/netdev_rx_queue.c), and
// does not restart a queue that is in use, as it would for one that there is.
const noQueue = 1 << 30

// ZCRX asks each network interface whether zero-copy receives are to be had. It changes nothing. Any goroutine may call it.
func (Driver) ZCRX() []api.ZCRX {
	if !iouring.HasRecvZC() {
		return []api.ZCRX{{Err: noZCRX("", unix.EINVAL)}}
	}
	all, err := net.Interfaces()
	if err != nil || len(all) == 0 {
		return []api.ZCRX{{Err: noZCRX("", unix.ENODEV)}}
	}
	// The ring belongs to one thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out := make([]api.ZCRX, 0, len(all))
	for _, i := range all {
		out = append(out, api.ZCRX{Interface: i.Name, Err: zcrxError(i.Name, iouring.ProbeZCRX(uint32(i.Index), noQueue))})
	}
	return out
}

// zcrxError is the answer of an interface in words, nil when its driver can.
func zcrxError(iface string, err error) error {
	var errno unix.Errno
	switch {
	case err == nil, errors.Is(err, unix.ERANGE):
		return nil
	case !errors.As(err, &errno):
		return &api.UnavailableError{Backend: name, Reason: err.Error(), Err: err}
	}
	return noZCRX(iface, errno)
}

func noZCRX(iface string, errno unix.Errno) *api.UnavailableError {
	u := &api.UnavailableError{Backend: name, Reason: "IORING_REGISTER_ZCRX_IFQ for " + iface + ": " + errno.Error(), Err: errno}
	switch errno {
	case unix.EOPNOTSUPP:
		u.Hint = "the driver of " + iface + " cannot give a receive queue memory of a program; it takes a network card, and a driver, with header split (tcp-data-split), flow steering and queue management operations"
	case unix.EPERM:
		u.Hint = "it takes CAP_NET_ADMIN"
	case unix.EACCES: // of the ring, which has been told so: see restrict
		u.Hint = "name RecvZC in Options.Restrict"
	case unix.EINVAL:
		if u.Hint = "Linux 6.15 or later has it, when built with CONFIG_IO_URING_ZCRX"; iface == "" {
			u.Reason = "the kernel has no IORING_OP_RECV_ZC"
			break
		}
		u.Hint = "switch header split on (ethtool -G " + iface + " tcp-data-split on)"
	case unix.EEXIST, unix.EBUSY:
		u.Hint = "take the XDP program, or the other user, off the queue; an engine has it until it is closed"
	case unix.ENOMEM:
		u.Hint = "raise RLIMIT_MEMLOCK (`ulimit -l`), or make the group smaller"
	case unix.ENODEV:
		if u.Hint = ""; iface == "" {
			u.Reason = "there is no network interface"
		}
	}
	return u
}

// card is a receive queue of a network card that writes into the memory of a group: an *iouring.ZCRX, or what stands in for one in a test.
type card interface {
	// Prepare makes q a receive from fd.
	Prepare(q *iouring.SQE, fd int32)
	// Piece is where in the memory the completion c of one has put n bytes; ok is false for what lies outside.
	Piece(c *iouring.CQE32, n int32) (off uint64, ok bool)
	// Put gives a piece back, of which off is in the page, when it is published; ok is false when there is no room for that now.
	Put(off uint64, n uint32) (ok bool)
	Publish()
	// Free is called when the ring is closed.
	Free() error
}

// attach has a queue of an interface write into area: iouring.RegisterZCRX, but in tests.
type attach func(r *iouring.Ring, ifIndex, queue, entries uint32, area []byte) (card, error)

func attachCard(r *iouring.Ring, ifIndex, queue, entries uint32, area []byte) (card, error) {
	z, err := iouring.RegisterZCRX(r, ifIndex, queue, entries, area)
	if err != nil {
		return nil, err // and no card that is nil
	}
	return z, nil
}

// wired is a group that a card writes into.
type wired struct {
	g     *core.Group
	card  card
	owed  []uint16 // the pages of pieces that the card is to have back, and that it has had no room for
	dirty bool     // it is in driver.refills
}

// AddArea implements core.Receiver.
func (d *driver) AddArea(g *core.Group, mem []byte, o *api.ZeroCopyOptions) error {
	if err := d.unwired(); err != nil {
		return err
	}
	if d.bound && unix.Gettid() != d.tid {
		return api.ErrNotOwner
	}
	index, errno := sysx.InterfaceIndex(o.Interface)
	if errno != 0 {
		return noZCRX(o.Interface, errno)
	}
	entries := o.Refill
	if entries == 0 {
		entries = len(mem) / g.Size()
	}
	c, err := d.attach(d.ring, index, uint32(o.Queue), uint32(entries), mem)
	if errors.Is(err, unix.ERANGE) {
		return &api.OptionError{Option: "ZeroCopyOptions.Queue", Reason: "the interface " + o.Interface + " has no receive queue " + strconv.Itoa(o.Queue)}
	}
	if err != nil {
		return zcrxError(o.Interface, err)
	}
	if n := int(g.ID()) + 1; n > len(d.wired) {
		d.wired = append(d.wired, make([]*wired, n-len(d.wired))...)
	}
	d.wired[g.ID()] = &wired{g: g, card: c}
	return nil
}

// unwire forgets a group that is closed. The card has the pages, and the kernel the refill ring, until the ring of the engine is closed.
func (d *driver) unwire(g *core.Group) {
	w := d.wired[g.ID()]
	w.owed = nil
	d.spent = append(d.spent, w.card)
	d.wired[g.ID()] = nil
}

// refill gives a piece of a page back to the card, with the next publish.
func (d *driver) refill(g *core.Group, bid uint16) {
	w := d.wired[g.ID()]
	if !w.put(bid) {
		w.owed = append(w.owed, bid)
	}
	if !w.dirty {
		w.dirty = true
		d.refills = append(d.refills, w)
	}
}

// put gives back a piece of a page, which the kernel counts: where in the page it was, it does not ask.
func (w *wired) put(bid uint16) bool {
	return w.card.Put(uint64(bid)*uint64(w.g.Size()), uint32(w.g.Size()))
}

// publishRefills tells the cards of what has come back. What has found no room is tried again by the next turn: the kernel makes room when
// the card needs pages.
func (d *driver) publishRefills() {
	left := d.refills[:0]
	for _, w := range d.refills {
		n := 0
		for n < len(w.owed) && w.put(w.owed[n]) {
			n++
		}
		w.owed = append(w.owed[:0], w.owed[n:]...)
		w.card.Publish()
		if w.dirty = len(w.owed) > 0; w.dirty {
			left = append(left, w)
		}
	}
	clear(d.refills[len(left):])
	d.refills = left
}

// freeCards is called when the ring is closed.
func (d *driver) freeCards() (err error) {
	for _, w := range d.wired {
		if w != nil {
			d.spent = append(d.spent, w.card)
		}
	}
	for _, c := range d.spent {
		err = errors.Join(err, c.Free())
	}
	d.wired, d.refills, d.spent = nil, nil, nil
	return err
}

// errPiece is what an engine fails with whose kernel puts data where there is no room for it: the stream has a hole then.
var errPiece = errors.New("sluice: the kernel says that it has received where there is no memory of the group")

// receivedZC takes in a completion of a RecvZC whose group a card writes into.
func (d *driver) receivedZC(s *core.Slot, res int32, flags uint32) {
	if flags&more == 0 {
		switch {
		case res == -int32(unix.ENOSPC):
			d.goOn(s) // there was no room in the completion queue
		case res < 0:
			d.fail(s, res)
		default:
			d.e.End(s, 0)
		}
		return
	}
	w, page := d.wired[s.Op.Group], uint64(s.Group.Size())
	off, ok := uint64(0), false
	if d.piece != nil && res > 0 {
		off, ok = w.card.Piece(d.piece, res)
	}
	if at := off % page; ok && at+uint64(res) <= page {
		d.e.EmitPiece(s, uint16(off/page), int32(at), res)
		return
	}
	d.note(errPiece)
}

// wires says whether the ring is one for which a network card can be had.
func (d *driver) wires() bool { return d.unwired() == nil }

// unwired says why it is not, nil if it is.
func (d *driver) unwired() error {
	u := &api.UnavailableError{Backend: name}
	switch {
	case d.emulated.Has(api.OpRecvZC):
		u.Reason, u.Hint = "the kernel has no IORING_OP_RECV_ZC, or Options.DisableOps names it", "Linux 6.15 or later has it, when built with CONFIG_IO_URING_ZCRX"
	case !d.deferred:
		u.Reason, u.Hint = "the ring has no DEFER_TASKRUN", "open the engine with the strategy Block, and without Options.Ring.SQPoll and Options.Ring.Taskrun"
	case d.modes.Completions == api.CompletionsDefault:
		u.Reason, u.Hint = "the completions of the ring have no room for where the data is", "open the engine with Options.Ring.Completions: CompletionsWide"
	default:
		return nil
	}
	return u
}
