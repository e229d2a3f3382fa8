package readiness

import (
	"slices"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

// scripted is a Poller that asks no kernel to wait: what it reports, late, early, in any order and without a reason, is drawn by rapid, as far as
// the contract of Poller allows it. It checks what the driver asks of it.
type scripted struct {
	m      *world
	edge   bool
	armed  map[int32]Interest
	order  []int32            // the fds in armed
	edges  map[int32]Interest // what has come to hold, and has not been reported; of an edge-triggered one
	lost   map[int32]bool     // fds whose number is another file's now; of an edge-triggered one
	fair   bool               // it reports what there is, and nothing else
	inside bool
	closed bool
}

func (p *scripted) Traits() Traits { return Traits{EdgeTriggered: p.edge} }
func (p *scripted) PollFD() int    { return -1 }
func (p *scripted) Close() error   { p.closed = true; return nil }

// enter checks what holds for every call.
func (p *scripted) enter() {
	if p.inside || p.closed {
		p.m.fail("a call of the Poller from inside of another, or behind Close (%v)", p.closed)
	}
}

func (p *scripted) Arm(fd int32, in Interest) error {
	p.enter()
	old, ok := p.armed[fd]
	p.m.t.Logf("arm %d: %#x", fd, in)
	switch {
	case !sysx.ValidFD(fd) && p.m.misused(fd):
		return syscall.EBADF
	case !sysx.ValidFD(fd):
		p.m.fail("fd %d is armed, and is not open", fd)
	case in&Hangup != 0:
		p.m.fail("a hang-up is asked for")
	case p.edge && (ok || in == 0):
		p.m.fail("fd %d is armed again: %#x, was %#x", fd, in, old)
	case in == old:
		p.m.fail("fd %d is armed for what it was: %#x", fd, in)
	}
	if fd != p.m.wakeFD && !p.fair && in != 0 {
		if errno := []syscall.Errno{0, syscall.EPERM, syscall.ENOSPC}[max(0, p.m.n(30, "refuse")-27)]; errno != 0 {
			p.drop(fd)
			if pr := p.m.pairOf(fd); pr != nil && errno == syscall.ENOSPC {
				pr.refused = true
			}
			return errno
		}
	}
	if in == 0 {
		p.drop(fd)
		return nil
	}
	if !ok {
		p.order = append(p.order, fd)
	}
	p.armed[fd] = in
	p.changed(fd)
	return nil
}

func (p *scripted) drop(fd int32) {
	delete(p.armed, fd)
	delete(p.edges, fd)
	delete(p.lost, fd)
	p.order = slices.DeleteFunc(p.order, func(n int32) bool { return n == fd })
}

func (p *scripted) Forget(fd int32) {
	p.enter()
	p.m.t.Logf("forget %d", fd)
	if _, ok := p.armed[fd]; !ok && !p.lost[fd] || !sysx.ValidFD(fd) {
		p.m.fail("fd %d is to be forgotten: armed %v, open %v", fd, ok, sysx.ValidFD(fd))
	}
	p.drop(fd)
}

// Renew watches the number again if it is another file's.
func (p *scripted) Renew(fd int32) (bool, error) {
	p.enter()
	p.m.t.Logf("renew %d", fd)
	if _, ok := p.armed[fd]; !ok && !p.lost[fd] || !p.edge {
		p.m.fail("fd %d is to be renewed, and is not armed", fd)
	}
	if !p.lost[fd] {
		return false, nil
	}
	delete(p.lost, fd)
	p.armed[fd] = Readable | Writable | Priority
	p.order = append(p.order, fd)
	p.changed(fd)
	return true, nil
}

// replaced is called when the program has closed fd and another file has got the number, of which nobody tells.
func (p *scripted) replaced(fd int32) {
	if _, ok := p.armed[fd]; ok && p.edge {
		p.drop(fd)
		p.lost[fd] = true
	}
}

// changed notes that something has changed at fd, so that what holds makes an event.
func (p *scripted) changed(fd int32) {
	if in, ok := p.armed[fd]; ok {
		p.edges[fd] |= held(fd) & (in | Hangup)
	}
}

// held is what holds for fd.
func held(fd int32) (in Interest) {
	got, errno := sysx.Poll1(fd, api.PollIn|api.PollOut|api.PollPri|sysx.PollRdHup)
	if errno != 0 {
		return 0
	}
	for _, b := range []struct {
		bits int16
		in   Interest
	}{{api.PollIn, Readable}, {api.PollOut, Writable}, {api.PollPri, Priority}, {^int16(api.PollIn | api.PollOut | api.PollPri), Hangup}} {
		if got&b.bits != 0 {
			in |= b.in
		}
	}
	return in
}

// there is what is to be reported of fd.
func (p *scripted) there(fd int32) Interest {
	switch {
	case fd == p.m.wakeFD:
		return held(fd) & Readable
	case p.edge:
		return p.edges[fd]
	}
	return held(fd) & (p.armed[fd] | Hangup)
}

func (p *scripted) Wait(ev []Event, d time.Duration) (n int, err error) {
	p.enter()
	p.m.t.Logf("wait %v", d)
	p.m.checkWait(len(ev), d)
	if d != 0 {
		p.inside = true
		p.m.meanwhile()
		p.inside = false
	}
	var all []Event
	late := false
	for _, fd := range p.order {
		got := p.there(fd)
		switch {
		case got == 0:
		case !p.fair && fd != p.m.wakeFD && p.m.odds(4, "late"):
			late = true
		default:
			if got&Hangup != 0 && !p.fair && p.m.odds(2, "hang-up alone") {
				got = Hangup // which stands for all
			}
			all = append(all, Event{fd, got})
			delete(p.edges, fd)
		}
	}
	if !p.fair {
		all = p.liven(all)
	}
	for n < len(all) && n < len(ev) {
		p.m.t.Logf("event %d: %#x", all[n].FD, all[n].Ready)
		ev[n] = all[n]
		n++
	}
	switch {
	case n > 0 || d == 0 || late: // the last as after a signal
	case d < 0:
		p.m.wake() // nothing happens any more; without this the test would hang, as the engine should
	case !p.fair && p.m.odds(3, "signal"):
		pass(d / 2)
	default:
		pass(d)
	}
	return n, nil
}

// liven puts events among all that have no reason, or are about fds that are not armed any more or never were, and changes their order.
func (p *scripted) liven(all []Event) []Event {
	m := p.m
	for m.odds(4, "spurious") {
		fd := int32(m.n(400, "fd"))
		if len(p.order) > 0 && m.odds(2, "known") {
			fd = p.order[m.n(len(p.order), "armed")]
		} else if k := m.n(2*len(m.pairs), "stale"); k < len(m.pairs) {
			fd = m.pairs[k].a
		}
		if fd == m.wakeFD || slices.ContainsFunc(all, func(e Event) bool { return e.FD == fd }) {
			continue
		}
		all = append(all, Event{fd, Interest(1 + m.n(15, "bits"))})
	}
	for i := range all {
		j := i + m.n(len(all)-i, "order")
		all[i], all[j] = all[j], all[i]
	}
	return all
}

// pass lets time go by in the bubble, at once for everybody else: nothing real is waited for.
func pass(d time.Duration) { <-time.After(d) }
