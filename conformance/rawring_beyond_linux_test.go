package conformance_test

import (
	"slices"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// beyondError is that a program goes on with something that the contract promises and the kernel does not. What was before is the kernel's.
type beyondError struct{ why string }

func (e *beyondError) Error() string { return "beyond the kernel: " + e.why }

// beyondKernel says why the raw ring cannot go on with these operations, nil if it can.
func (r *rawRing) beyondKernel(new []*rawOp) error {
	for i, o := range new {
		if why := r.opBeyond(o); why != "" {
			return &beyondError{why}
		}
		if why := r.besideBeyond(o, new[:i]); why != "" {
			return &beyondError{why}
		}
	}
	if why := r.ordersBeyond(new); why != "" {
		return &beyondError{why}
	}
	return nil
}

// opBeyond is what holds for an operation by itself.
func (r *rawRing) opBeyond(o *rawOp) string {
	wrong := o.Code == api.OpLinkTimeout && (o.at == 0 || o.chain[o.at-1].Code == api.OpLinkTimeout)
	switch {
	case o.Code == api.OpTimeout && o.Arg != 0:
		return "what a timeout counts (TMO-16)"
	case o.linked() && o.Flags&api.Multishot != 0:
		return "what stands behind a multishot (LNK-16)"
	case o.Flags&api.DontWait != 0 && isFile(o.FD):
		return "whether a file waits is up to its file system"
	case wrong && (o.drained() || r.draining()):
		return "what is wrong by itself waits for a drain, too (DRN-2)"
	case comes(o) && restless(o):
		return "a cancel does not find what is tried anew all the time (CAN-6)"
	case o.Code == api.OpRecv && o.linked() && o.Flags&api.WaitAll != 0 && isDatagram(o.FD):
		return "a datagram that is cut breaks the chain of a receive with WaitAll (LNK-7)"
	case o.Code == api.OpClose && (o.at > 0 || r.drained || o.drained()):
		return "a close that the end of the engine does not stop (DRN-9)"
	case wrong && slices.ContainsFunc(o.chain, func(q *rawOp) bool { return q.Flags&api.SkipSuccess != 0 }):
		return "what is wrong by itself in a chain with SkipSuccess (SKP-2)"
	}
	return ""
}

// besideBeyond is what holds for an operation beside others, in flight or in before, which are submitted with it.
func (r *rawRing) besideBeyond(o *rawOp, before []*rawOp) string {
	ends := o.Code == api.OpCancel || o.Code == api.OpTimeoutRemove
	drains := o.drained()
	for _, q := range slices.AppendSeq(slices.Clone(before), r.live()) {
		same := o.FD >= 0 && o.FD == q.FD
		mine := q.chain[0] == o.chain[0]
		switch {
		case q.drained() && !mine && (ends || comes(o)):
			return "a drain holds up cancels (DRN-4)"
		case (drains || q.async) && !mine && comes(q):
			return "a drain holds up the cancel that a Deadline takes (TMO-10)"
		case same && q.Code == api.OpShutdown:
			return "a shutdown takes effect at once, and not in a worker (SHU-3)"
		case same && (q.Code == api.OpClose || o.Code == api.OpClose && !mine):
			return "a close beside others (CLO-2)"
		}
	}
	return ""
}

// ordersBeyond is what holds for the order of what is in flight, and of what comes to it.
func (r *rawRing) ordersBeyond(new []*rawOp) string {
	chains := map[rawLine]*rawOp{} // the first that is in the line
	many := map[rawLine]bool{}     // there are others
	inside := map[rawLine]bool{}   // one of them not as the first of its chain
	timed := map[rawLine]bool{}    // one of them has a LinkTimeout
	for _, o := range slices.Concat(slices.Collect(r.live()), new) {
		line, ok := lineOf(o)
		if !ok {
			continue
		}
		if first := chains[line]; first == nil {
			chains[line] = o
		} else if first.chain[0] != o.chain[0] {
			many[line] = true
		}
		inside[line] = inside[line] || o.at > 0
		timed[line] = timed[line] || o.linked() && o.chain[o.at+1].Code == api.OpLinkTimeout
	}
	for line := range many {
		switch {
		case inside[line]:
			return "the order of what is in a chain, and of another, on one file (LNK-18)"
		case timed[line]:
			return "a LinkTimeout holds while its operation waits for its turn (LTO-7)"
		}
	}
	return ""
}

// beyondResult is what the kernel says, and would not have to.
func beyondResult(o *rawOp, c *api.Completion) error {
	switch {
	case o.Code == api.OpPoll && c.Res > 0 && o.Arg&api.PollIn == 0:
		if c.Res &^= api.PollRDHup; c.Res == 0 {
			return &beyondError{"a poll for room hears that the peer sends no more (POL-2)"}
		}
	case o.Code == api.OpRecv && o.Flags&api.Multishot != 0 && c.Res == -int32(unix.ENOBUFS) && isDatagram(o.FD):
		return &beyondError{"only data ends a multishot that has no buffer (MSH-4)"}
	case o.Code == api.OpLinkTimeout && (c.Res == -int32(unix.EALREADY) || c.Res == -int32(unix.ENOENT)) && o.at > 0 && !o.chain[o.at-1].ended:
		return &beyondError{"a LinkTimeout does not find what is tried anew just then (LTO-1)"}
	case (o.Code == api.OpFsync || o.Code == api.OpShutdown) && o.Flags&api.Link != 0 && c.Res < 0:
		return &beyondError{"a failed fsync or shutdown breaks a chain (LNK-2)"}
	}
	return nil
}

// giveBeyond says why an operation that the kernel is to be given goes beyond it.
func (r *rawRing) giveBeyond(o *rawOp) string {
	switch {
	case o.Code == api.OpLinkTimeout && r.draining() && (o.at == 0 || o.chain[o.at-1].Code == api.OpLinkTimeout):
		return "what is wrong by itself waits for a drain, too (DRN-2)"
	case o.Flags&api.BufferSelect != 0 && (r.drained || o.drained()):
		return "a receive that a drain has left to a worker looks for data before it looks for a buffer (BUF-3)"
	case o.FD >= 0 && isDatagram(o.FD) && (r.drained || o.drained()):
		return "a receive that a drain has left to a worker takes a datagram before anybody has made a turn"
	case o.stood && o.Flags&api.BufferSelect != 0 && r.group(o.Group).left == 0:
		return "what waits when the last buffer is taken goes on waiting (BUF-3)"
	case o.Code != api.OpCancel:
		return ""
	}
	for t := range r.live() {
		meant := o.Flags&api.Any != 0 || o.Flags&api.ByFD != 0 && t.FD == o.FD || t.ID == o.Target
		switch {
		case !meant || !t.given || t == o:
		case t.async:
			return "a cancel does not find what a drain has left to a worker (DRN-4)"
		case restless(t):
			return "a cancel does not find what is tried anew all the time (CAN-6)"
		}
	}
	return ""
}

// restless says whether the kernel tries an operation anew all the time: a send to a peer that sends no more, of which poll reports something
// though there is no room.
func restless(o *rawOp) bool {
	if o.Code != api.OpSend {
		return false
	}
	p := []unix.PollFd{{Fd: o.FD, Events: unix.POLLRDHUP}}
	for {
		if n, err := unix.Poll(p, 0); err != unix.EINTR {
			return n > 0
		}
	}
}

func isFile(fd int32) bool {
	var st unix.Stat_t
	return fd >= 0 && unix.Fstat(int(fd), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
}

func isDatagram(fd int32) bool {
	typ, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && typ == unix.SOCK_DGRAM
}
