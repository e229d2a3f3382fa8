package conformance_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/conformance/script"
	"github.com/sluiceio/sluice/internal/iouring"
	"golang.org/x/sys/unix"
)

// rawRing runs programs on the raw ring, one entry of the submission queue for each operation, and passes on what the kernel says. It has
// nothing of the engine in it: chains, cancels, timeouts and buffers are the kernel's. Of what the contract promises
// beyond the kernel it does one thing, for no program would be the same without: operations on one fd in one direction
// are handed over one at a time (ORD-1). Programs that need more are left out, see beyondKernel.
type rawRing struct {
	ring   *iouring.Ring
	ops    []*rawOp // by user data; the first is none
	batch  [][]*rawOp
	lines  map[rawLine][][]*rawOp // the first of each is with the kernel
	done   []api.Completion
	groups []*rawGroup
	flying int
}

// rawLine is an fd and a direction.
type rawLine struct {
	fd  int32
	out bool
}

type rawOp struct {
	api.Op
	ts    iouring.Timespec
	chain []*rawOp // of the first one
	line  rawLine
	lined bool
	ended bool
	extra int32  // what a cancel has ended that the kernel had not been given
	late  *rawOp // a cancel of it that the kernel has answered with EALREADY
}

// rawGroup is a ring of provided buffers.
type rawGroup struct {
	api.BufferGroup
	o    api.BufferGroupOptions
	ring *iouring.BufRing
	mem  []byte
	left int // buffers that are not out
}

func (g *rawGroup) ID() uint16 { return g.o.ID }

func (g *rawGroup) Release(l api.Lease) error {
	g.add(uint16(l))
	return nil
}

func (g *rawGroup) buf(id uint16) []byte { return g.mem[int(id)*g.o.Size:][:g.o.Size] }

func (g *rawGroup) add(id uint16) {
	p, n := iouring.Bytes(g.buf(id))
	g.ring.Add(p, n, id)
	g.ring.Publish()
	g.left++
}

// openRaw opens a ring for the calling goroutine, which it locks to its thread until Close.
func openRaw() (script.Machine, error) {
	runtime.LockOSThread()
	ring, err := iouring.Setup(256, &iouring.Params{Flags: iouring.IORING_SETUP_SINGLE_ISSUER | iouring.IORING_SETUP_DEFER_TASKRUN | iouring.IORING_SETUP_SUBMIT_ALL})
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return &rawRing{ring: ring, ops: make([]*rawOp, 1), lines: map[rawLine][][]*rawOp{}}, nil
}

func (r *rawRing) Submit(ops []api.Op) (int, error) {
	var chain []*rawOp
	for i := range ops {
		ops[i].ID = api.MakeOpID(uint32(len(r.ops)), 1)
		o := &rawOp{Op: ops[i]}
		r.ops = append(r.ops, o)
		chain = append(chain, o)
		if o.Flags&(api.Link|api.HardLink) == 0 {
			chain[0].chain = chain
			r.batch = append(r.batch, chain)
			chain = nil
		}
	}
	return len(ops), nil
}

// lineOf is the order that an operation stands in.
func lineOf(o *rawOp) (l rawLine, ok bool) {
	switch o.Code {
	case api.OpRecv, api.OpRead, api.OpAccept:
		return rawLine{o.FD, false}, o.Code != api.OpRead || o.Off < 0
	case api.OpSend, api.OpWrite:
		return rawLine{o.FD, true}, o.Code != api.OpWrite || o.Off < 0
	case api.OpShutdown:
		return rawLine{o.FD, true}, o.Arg == api.ShutWrite
	}
	return l, false
}

// start hands over what can be.
func (r *rawRing) start() error {
	for _, chain := range r.batch {
		head := chain[0]
		head.line, head.lined = lineOf(head)
		if head.lined {
			r.lines[head.line] = append(r.lines[head.line], chain)
			if len(r.lines[head.line]) > 1 {
				switch { // what is told at once, whoever's turn it is (STR-5, BUF-3)
				case head.Flags&api.BufferSelect != 0 && r.group(head.Group).left == 0:
					r.drop(chain, -int32(unix.ENOBUFS))
				case head.Flags&api.DontWait != 0:
					r.drop(chain, -int32(unix.EAGAIN))
				}
				continue
			}
		}
		if err := r.give(chain); err != nil {
			return err
		}
	}
	r.batch = r.batch[:0]
	return nil
}

// drop ends a chain that the kernel has not been given.
func (r *rawRing) drop(chain []*rawOp, res int32) {
	l := chain[0].line
	r.lines[l] = slices.DeleteFunc(r.lines[l], func(c []*rawOp) bool { return c[0] == chain[0] })
	for i, o := range chain {
		if i > 0 {
			res = -int32(unix.ECANCELED)
		}
		o.ended = true
		r.done = append(r.done, api.Completion{Tag: o.Tag, ID: o.ID, Code: o.Code, Res: res})
	}
}

// dropLines ends what stands in lines and is meant.
func (r *rawRing) dropLines(meant func(*rawOp) bool) (n int32) {
	for _, line := range r.lines {
		for _, chain := range slices.Clone(line[min(1, len(line)):]) {
			if meant(chain[0]) {
				r.drop(chain, -int32(unix.ECANCELED))
				n++
			}
		}
	}
	return n
}

// give hands a chain to the kernel.
func (r *rawRing) give(chain []*rawOp) error {
	for _, o := range chain {
		q := r.ring.NextSQE()
		if q == nil {
			return errors.New("the submission queue is full")
		}
		if err := r.encode(q, o); err != nil {
			return err
		}
		q.UserData = uint64(o.ID.Slot())
		if o.Flags&api.Link != 0 {
			q.Flags |= iouring.IOSQE_IO_LINK
		}
		if o.Flags&api.HardLink != 0 {
			q.Flags |= iouring.IOSQE_IO_HARDLINK
		}
		r.flying++
	}
	return nil
}

// encode fills in the entry of an operation.
func (r *rawRing) encode(q *iouring.SQE, o *rawOp) error {
	p, n := iouring.Bytes(o.Buf)
	var msg, rwf uint32
	if o.Flags&api.DontWait != 0 {
		msg, rwf = unix.MSG_DONTWAIT, unix.RWF_NOWAIT
	}
	if o.Flags&api.WaitAll != 0 {
		msg |= unix.MSG_WAITALL
	}
	o.ts = iouring.NsToTimespec(o.Off)
	switch o.Code {
	case api.OpNop:
		q.PrepNop()
	case api.OpRecv:
		switch {
		case o.Flags&api.Multishot != 0:
			q.PrepRecvMultishot(o.FD, o.Group, msg)
		case o.Flags&api.BufferSelect != 0:
			q.PrepRecv(o.FD, nil, 0, msg)
			q.SetBufferGroup(o.Group)
		default:
			q.PrepRecv(o.FD, p, n, msg)
		}
	case api.OpSend:
		q.PrepSend(o.FD, p, n, msg|unix.MSG_NOSIGNAL)
	case api.OpRead:
		q.PrepRead(o.FD, p, n, uint64(o.Off))
		q.OpFlags = rwf
	case api.OpWrite:
		q.PrepWrite(o.FD, p, n, uint64(o.Off))
		q.OpFlags = rwf
	case api.OpAccept:
		if o.Flags&api.Multishot != 0 {
			q.PrepAcceptMultishot(o.FD, unix.SOCK_CLOEXEC)
		} else {
			q.PrepAccept(o.FD, nil, nil, unix.SOCK_CLOEXEC)
		}
		if o.Flags&api.DontWait != 0 {
			q.Ioprio |= iouring.IORING_ACCEPT_DONTWAIT
		}
	case api.OpPoll:
		events := o.Arg
		if events&api.PollIn != 0 {
			events |= api.PollRDHup // POL-2
		}
		q.PrepPollAdd(o.FD, events)
	case api.OpShutdown:
		q.PrepShutdown(o.FD, o.Arg)
	case api.OpFsync:
		q.PrepFsync(o.FD, 0, 0, 0)
	case api.OpTimeout:
		flags := uint32(0)
		if o.Flags&api.TimeoutOK != 0 {
			flags = iouring.IORING_TIMEOUT_ETIME_SUCCESS
		}
		q.PrepTimeout(&o.ts, 0, flags)
	case api.OpLinkTimeout:
		q.PrepLinkTimeout(&o.ts, 0)
	case api.OpTimeoutRemove:
		q.PrepTimeoutRemove(uint64(o.Target.Slot()), 0)
	case api.OpCancel:
		r.encodeCancel(q, o)
	default:
		return fmt.Errorf("%v is not for the raw ring", o.Code)
	}
	return nil
}

func (r *rawRing) encodeCancel(q *iouring.SQE, o *rawOp) {
	switch {
	case o.Flags&api.Any != 0:
		o.extra = r.dropLines(func(*rawOp) bool { return true })
		q.PrepCancel(0, iouring.IORING_ASYNC_CANCEL_ANY|iouring.IORING_ASYNC_CANCEL_ALL)
	case o.Flags&api.ByFD != 0:
		o.extra = r.dropLines(func(t *rawOp) bool { return t.FD == o.FD })
		q.PrepCancelFD(o.FD, iouring.IORING_ASYNC_CANCEL_ALL)
	case r.dropLines(func(t *rawOp) bool { return t.ID == o.Target }) > 0:
		q.PrepNop() // there is nothing more to it
	default:
		q.PrepCancel(uint64(o.Target.Slot()), 0)
	}
}

func (r *rawRing) Complete(dst []api.Completion, w api.Wait) (int, error) {
	for {
		if err := r.start(); err != nil {
			return 0, err
		}
		_, errno := r.ring.Enter(r.ring.Flush(), 0, iouring.IORING_ENTER_GETEVENTS)
		if errno != 0 && errno != unix.EINTR && errno != unix.EAGAIN && errno != unix.EBUSY {
			return 0, fmt.Errorf("io_uring_enter: %w", errno)
		}
		got, err := r.reap()
		if err != nil {
			return 0, err
		}
		if got || len(r.batch) > 0 || r.ring.Unsubmitted() > 0 {
			continue
		}
		left := w.Left(api.Now())
		if len(r.done) > 0 || w.Min == 0 || left == 0 {
			break
		}
		_, errno = r.ring.EnterTimeout(0, 1, 0, int64(left), false)
		if errno != 0 && errno != unix.EINTR && errno != unix.ETIME {
			return 0, fmt.Errorf("io_uring_enter: %w", errno)
		}
	}
	n := copy(dst, r.done)
	r.done = slices.Delete(r.done, 0, n)
	return n, nil
}

// reap takes what the kernel has completed.
func (r *rawRing) reap() (got bool, err error) {
	for head, tail := r.ring.Peek(); head != tail; head, tail = r.ring.Peek() {
		cqe := *r.ring.CQEAt(head)
		r.ring.Advance(1)
		got = true
		if cqe.UserData == 0 || cqe.UserData >= uint64(len(r.ops)) || r.ops[cqe.UserData].ended {
			return got, fmt.Errorf("a completion of what is not in flight: %+v", cqe)
		}
		if err := r.completed(r.ops[cqe.UserData], &cqe); err != nil {
			return got, err
		}
	}
	return got, nil
}

func (r *rawRing) completed(o *rawOp, cqe *iouring.CQE) error {
	c := api.Completion{Tag: o.Tag, ID: o.ID, Code: o.Code, Res: cqe.Res}
	if cqe.Flags&iouring.IORING_CQE_F_MORE != 0 {
		c.Flags |= api.More
	}
	if cqe.Flags&iouring.IORING_CQE_F_BUFFER != 0 {
		g := r.group(o.Group)
		if cqe.Res <= 0 || g == nil {
			return fmt.Errorf("a buffer without data: %+v", cqe)
		}
		g.left--
		c.Flags |= api.Buffer
		c.Lease = api.Lease(cqe.BufferID())
		c.Buf = g.buf(cqe.BufferID())[:cqe.Res]
	}
	if o.Flags&api.EOF != 0 && cqe.Res == 0 && (len(o.Buf) > 0 || o.Flags&api.BufferSelect != 0) {
		c.Flags |= api.AtEOF // the flag is ours
	}
	if o.Code == api.OpCancel && cqe.Res >= 0 {
		c.Res += o.extra
	}
	if c.Res == -int32(unix.EINTR) || c.Res <= -512 && c.Res >= -516 {
		c.Res = -int32(unix.ECANCELED) // a worker thread's word for it
	}
	if o.Code == api.OpCancel && c.Res == -int32(unix.EALREADY) {
		// A worker thread has it, and gets a signal. It has been ended by that, and CAN-6 wants 0.
		if t := r.ops[o.Target.Slot()]; !t.ended {
			t.late = o
			return nil
		}
		c.Res = 0
	}
	r.done = append(r.done, c)
	if c.More() {
		return nil
	}
	r.ends(o)
	if by := o.late; by != nil {
		r.done = append(r.done, api.Completion{Tag: by.Tag, ID: by.ID, Code: by.Code})
		r.ends(by)
	}
	return nil
}

// ends lets the next one in its line have its turn.
func (r *rawRing) ends(o *rawOp) {
	o.ended = true
	r.flying--
	if !o.lined {
		return
	}
	line := r.lines[o.line]
	r.lines[o.line] = nil
	if len(line) < 2 { // or it has been forgotten by Close
		return
	}
	line = line[1:]
	// The others stand in line again, in front of what comes.
	r.batch = slices.Concat(line, r.batch)
}

func (r *rawRing) group(id uint16) *rawGroup {
	for _, g := range r.groups {
		if g.o.ID == id {
			return g
		}
	}
	return nil
}

func (r *rawRing) NewBufferGroup(o api.BufferGroupOptions) (api.BufferGroup, error) {
	mem, err := unix.Mmap(-1, 0, o.Count*o.Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	ring, err := iouring.NewBufRing(r.ring, uint16(o.Count), o.ID, 0)
	if err != nil {
		return nil, errors.Join(err, unix.Munmap(mem))
	}
	g := &rawGroup{o: o, ring: ring, mem: mem}
	for id := range o.Count {
		g.add(uint16(id))
	}
	r.groups = append(r.groups, g)
	return g, nil
}

// Close ends what is in flight, so that the kernel has let go of all memory.
func (r *rawRing) Close() error {
	defer runtime.UnlockOSThread()
	var err error
	for end := time.Now().Add(script.Patience); r.flying > 0 && err == nil; {
		r.batch, r.lines = nil, map[rawLine][][]*rawOp{}
		if _, e := r.Submit([]api.Op{api.CancelAny(0)}); e != nil {
			err = e
		}
		var dst [64]api.Completion
		if _, e := r.Complete(dst[:], api.Wait{Min: 1, Deadline: api.After(time.Millisecond)}); e != nil {
			err = e
		}
		if time.Now().After(end) {
			err = fmt.Errorf("%d operations do not end", r.flying)
		}
	}
	for _, g := range r.groups {
		err = errors.Join(err, g.ring.Close(), unix.Munmap(g.mem))
	}
	return errors.Join(err, r.ring.Close())
}

// beyondKernel says why a program is not for the raw ring, "" if it is: the contract promises what the kernel does not.
func beyondKernel(p *script.Program) string {
	type side struct {
		on  string
		out bool
	}
	chains := map[side]map[int]bool{} // that have an operation there
	behind := map[side]bool{}         // one of them not as its first
	timed := map[side]bool{}          // one of them has a LinkTimeout
	n := 0
	ended := map[string]bool{} // by the peer, which sends no more
	for i := range p.Steps {
		if p.Steps[i].Kind == script.HalfClose {
			ended[p.Steps[i].On] = true
		}
	}
	for i := range p.Steps {
		ops := p.Steps[i].Ops
		for j := range ops {
			o := &ops[j]
			linked := o.Flags&(script.Link|script.HardLink) != 0
			second := j > 0 && ops[j-1].Flags&(script.Link|script.HardLink) != 0
			if why := opBeyondKernel(p, o, linked); why != "" {
				return why
			}
			if obj := p.Object(o.On); o.N == script.Huge && ended[obj.Peer] {
				return "a cancel does not find what is tried anew all the time (CAN-6)"
			}
			if o.Verb == script.Shutdown && slices.ContainsFunc(ops[j+1:], func(q script.Op) bool { return q.On == o.On }) {
				return "a shutdown takes effect at once, and not in a worker (SHU-3)"
			}
			if o.Verb == script.LinkTimeout && (!second || ops[j-1].Verb == script.LinkTimeout) {
				return "a LinkTimeout out of place (LTO-3)"
			}
			s := side{o.On, o.Verb == script.Send || o.Verb == script.WriteOp}
			if chains[s] == nil {
				chains[s] = map[int]bool{}
			}
			chains[s][n] = true
			behind[s] = behind[s] || second && o.On != ""
			timed[s] = timed[s] || linked && ops[j+1].Verb == script.LinkTimeout && o.On != ""
			if !linked {
				n++
			}
		}
	}
	for s := range behind {
		if behind[s] && len(chains[s]) > 1 {
			return "the order of what is in a chain, and of another, on one file (LNK-18)"
		}
		if timed[s] && len(chains[s]) > 1 {
			return "a LinkTimeout holds while its operation waits for its turn (LTO-7)"
		}
	}
	return ""
}

func opBeyondKernel(p *script.Program, o *script.Op, linked bool) string {
	obj := p.Object(o.On)
	socket := obj != nil && (obj.Kind == script.TCP || obj.Kind == script.Unix)
	switch {
	case o.Verb == script.Close:
		return "close (CLO-2)"
	case o.Count != 0:
		return "what a timeout counts (TMO-16)"
	case o.Deadline != script.Unset:
		return "deadlines (TMO-10)"
	case o.Flags&script.DrainOp != 0:
		return "a drain holds up cancels (DRN-4)"
	case o.Flags&script.Skip != 0:
		return "skip (SKP-2)"
	case o.N == 0 && obj != nil && o.Verb == script.Recv:
		return "a receive of nothing (STR-9)"
	case o.Verb == script.PollOp && o.How == "out" && socket:
		return "a poll for room hears that the peer sends no more (POL-2)"
	case linked && (o.Verb == script.RecvMulti || o.Verb == script.AcceptMulti):
		return "what stands behind a multishot (LNK-16)"
	case linked && o.Verb == script.Fsync:
		return "a failed fsync breaks a chain (LNK-2)"
	case obj != nil && obj.Kind == script.File && o.Flags&script.DontWait != 0:
		return "whether a file waits is up to its file system"
	case linked && o.Flags&script.DontWait != 0:
		return "DontWait in a chain"
	}
	return ""
}
