package conformance_test

import (
	"errors"
	"fmt"
	"iter"
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
// are handed over one at a time (ORD-1). It stops at a step that needs more, see beyondKernel.
type rawRing struct {
	ring    *iouring.Ring
	ops     []*rawOp // by user data; the first is none
	batch   [][]*rawOp
	lines   map[rawLine][][]*rawOp // the first of each is with the kernel
	done    []api.Completion
	groups  []*rawGroup
	flying  int
	err     error // why it cannot go on
	drained bool  // the kernel leaves what it is given to workers
}

// rawLine is an fd and a direction.
type rawLine struct {
	fd  int32
	out bool
}

type rawOp struct {
	api.Op
	ts      iouring.Timespec
	chain   []*rawOp
	at      int // in the chain
	line    rawLine
	lined   bool
	given   bool // to the kernel
	stood   bool // in its line, behind others
	async   bool // a drain has the kernel leave it to a worker
	ended   bool
	late    bool     // its Deadline has come
	tooLate bool     // a cancel: its target had ended, though the worker has not let go of it
	extra   int32    // what a cancel has ended that the kernel had not been given
	by      []*rawOp // cancels of it that the kernel has answered with EALREADY
	fails   *rawOp   // of the first of a chain: which has broken it
}

// linked says whether something stands behind it in its chain.
func (o *rawOp) linked() bool { return o.Flags&(api.Link|api.HardLink) != 0 }

// drained says whether its chain is a drain.
func (o *rawOp) drained() bool {
	return slices.ContainsFunc(o.chain, func(q *rawOp) bool { return q.Flags&api.Drain != 0 })
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
	new := make([]*rawOp, len(ops))
	from := 0
	for i := range ops {
		new[i] = &rawOp{Op: ops[i]}
		new[i].ID = api.MakeOpID(uint32(len(r.ops)+i), 1)
		if !new[i].linked() || i == len(ops)-1 {
			for j, o := range new[from : i+1] {
				o.chain, o.at = new[from:i+1:i+1], j
			}
			from = i + 1
		}
	}
	if err := r.beyondKernel(new); err != nil {
		return 0, err
	}
	for i, o := range new {
		ops[i].ID = o.ID
		if o.at == 0 {
			r.batch = append(r.batch, o.chain)
		}
	}
	r.ops = append(r.ops, new...)
	return len(ops), nil
}

// Stats has only what is in flight.
func (r *rawRing) Stats() (s api.Stats) {
	for range r.live() {
		s.InFlight++
	}
	return s
}

// live are the operations in flight.
func (r *rawRing) live() iter.Seq[*rawOp] {
	return func(yield func(*rawOp) bool) {
		for _, o := range r.ops[1:] {
			if !o.ended && !yield(o) {
				return
			}
		}
	}
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
	for len(r.batch) > 0 {
		chain := r.batch[0]
		r.batch = r.batch[1:]
		head := chain[0]
		head.line, head.lined = lineOf(head)
		if head.drained() && (r.waiting() || head.lined && len(r.lines[head.line]) > 0) {
			return &beyondError{"a drain waits for what has not had its turn, too (DRN-1)"}
		}
		if head.lined {
			r.lines[head.line] = append(r.lines[head.line], chain)
			if len(r.lines[head.line]) > 1 {
				if r.draining() {
					continue // it has not started
				}
				stood := head.stood
				head.stood = true
				switch { // what is told at once, whoever's turn it is (STR-5, BUF-3)
				case !stood && head.Flags&api.BufferSelect != 0 && r.group(head.Group).left == 0:
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
	return nil
}

// waiting says whether something waits for its turn that the kernel does not know of.
func (r *rawRing) waiting() bool {
	for _, line := range r.lines {
		if len(line) > 1 {
			return true
		}
	}
	return false
}

// drop ends the first of a chain that the kernel has not been given, and what that takes along.
func (r *rawRing) drop(chain []*rawOp, res int32) {
	l := chain[0].line
	r.lines[l] = slices.DeleteFunc(r.lines[l], func(c []*rawOp) bool { return c[0] == chain[0] })
	for i, o := range chain {
		if i > 0 && chain[0].Flags&api.HardLink != 0 {
			r.batch = append(r.batch, chain[1:])
			break
		}
		if i > 0 {
			res = -int32(unix.ECANCELED)
		}
		o.ended = true
		r.deliver(o, api.Completion{Tag: o.Tag, ID: o.ID, Code: o.Code, Res: res})
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
		if why := r.giveBeyond(o); why != "" {
			return &beyondError{why}
		}
	}
	if err := r.undrain(chain); err != nil {
		return err
	}
	for _, o := range chain {
		q := r.ring.NextSQE()
		if q == nil {
			return errors.New("the submission queue is full")
		}
		if err := r.encode(q, o); err != nil {
			return err
		}
		q.UserData = uint64(o.ID.Slot())
		o.given, o.async = true, r.drained
		if o.at == 0 && o.drained() { // on another one it would make a drain of what follows the chain, too (DRN-3)
			q.Flags |= iouring.IOSQE_IO_DRAIN
		}
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

// undrain has the kernel forget about drains before it is given a chain. Once there was one, it holds what comes until nothing is in flight
// at all, and leaves it to a worker. A nop that has nothing to wait for ends that: see awaitInline.
func (r *rawRing) undrain(chain []*rawOp) error {
	if r.drained && !r.draining() {
		if r.flying > 0 {
			return &beyondError{"behind a drain that has ended the kernel goes on to hold up what comes (DRN-2)"}
		}
		if err := r.awaitInline(); err != nil {
			return err
		}
		r.drained = false
	}
	r.drained = r.drained || chain[0].drained()
	return nil
}

// awaitInline has nops performed, while nothing else is in flight, until one of them is at once. The first ones may have to wait for a worker
// to let go of what it has completed, and the kernel goes on to hold up what comes as long as something waits.
func (r *rawRing) awaitInline() error {
	for range 10_000 {
		q := r.ring.NextSQE()
		if q == nil {
			return errors.New("the submission queue is full")
		}
		q.PrepNop()
		q.UserData = ours
		// Without GETEVENTS there is nothing to reap but what was done while it was submitted.
		for wait, flags := uint32(0), uint32(0); ; wait, flags = 1, iouring.IORING_ENTER_GETEVENTS {
			if _, errno := r.ring.Enter(r.ring.Flush(), wait, flags); errno != 0 && errno != unix.EINTR {
				return fmt.Errorf("io_uring_enter: %w", errno)
			}
			done, err := r.reap()
			if err != nil || done && wait == 0 {
				return err
			}
			if done {
				break
			}
		}
	}
	return errors.New("the kernel does not forget about a drain that has ended")
}

// draining says whether a drain has not ended that the kernel has been given.
func (r *rawRing) draining() bool {
	for o := range r.live() {
		if o.given && o.drained() {
			return true
		}
	}
	return false
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
		case n == 0 && !isDatagram(o.FD):
			q.PrepNop() // the kernel would wait (STR-9)
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
	case api.OpClose:
		q.PrepClose(o.FD)
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
		t := o.Target.Slot()
		o.tooLate = int(t) < len(r.ops) && t > 0 && r.ops[t].ended
		q.PrepCancel(uint64(t), 0)
	}
}

// Complete gives out what there is before it says that it cannot go on, for Run has to know which fds have been closed.
func (r *rawRing) Complete(dst []api.Completion, w api.Wait) (int, error) {
	if r.err == nil {
		r.err = r.turns(w)
	}
	n := copy(dst, r.done)
	r.done = slices.Delete(r.done, 0, n)
	if n > 0 {
		return n, nil
	}
	return 0, r.err
}

// turns goes on until something is done, or there is nothing to wait for.
func (r *rawRing) turns(w api.Wait) error {
	for {
		if err := r.start(); err != nil {
			return err
		}
		_, errno := r.ring.Enter(r.ring.Flush(), 0, iouring.IORING_ENTER_GETEVENTS)
		if errno != 0 && errno != unix.EINTR && errno != unix.EAGAIN && errno != unix.EBUSY {
			return fmt.Errorf("io_uring_enter: %w", errno)
		}
		got, err := r.reap()
		if err != nil {
			return err
		}
		if got || len(r.batch) > 0 || r.ring.Unsubmitted() > 0 || r.expire() {
			continue
		}
		left := w.Left(api.Now())
		if len(r.done) > 0 || w.Min == 0 || left == 0 {
			return nil
		}
		_, errno = r.ring.EnterTimeout(0, 1, 0, int64(left), false)
		if errno != 0 && errno != unix.EINTR && errno != unix.ETIME {
			return fmt.Errorf("io_uring_enter: %w", errno)
		}
	}
}

// reap takes what the kernel has completed.
func (r *rawRing) reap() (got bool, err error) {
	for head, tail := r.ring.Peek(); head != tail; head, tail = r.ring.Peek() {
		cqe := *r.ring.CQEAt(head)
		r.ring.Advance(1)
		got = true
		if cqe.UserData == ours {
			continue
		}
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
	if o.late && c.Res == -int32(unix.ECANCELED) {
		c.Res = -int32(unix.ETIME)
	}
	if o.Code == api.OpCancel && c.Res == -int32(unix.EALREADY) {
		// A worker thread has it, and gets a signal. It has been ended by that, and CAN-6 wants 0.
		if t := r.ops[o.Target.Slot()]; !t.ended {
			t.by = append(t.by, o)
			return nil
		}
		if c.Res = 0; o.tooLate {
			c.Res = -int32(unix.ENOENT)
		}
	}
	if c.Res == -int32(unix.ENOENT) && r.between(o) {
		q := r.ring.NextSQE()
		if q == nil {
			return errors.New("the submission queue is full")
		}
		r.encodeCancel(q, o)
		q.UserData = uint64(o.ID.Slot())
		return nil
	}
	if !c.More() {
		r.ends(o)
	}
	if err := beyondResult(o, &c); err != nil {
		return err
	}
	r.deliver(o, c)
	for ; o.ended && len(o.by) > 0; o.by = o.by[1:] {
		by := o.by[0]
		r.ends(by)
		r.deliver(by, api.Completion{Tag: by.Tag, ID: by.ID, Code: by.Code})
	}
	return nil
}

// between says whether the operation is a cancel of one that the kernel has let go, behind another of its chain, and has not begun: it finds it later.
func (r *rawRing) between(o *rawOp) bool {
	if o.Code != api.OpCancel || o.Flags&(api.Any|api.ByFD) != 0 || len(o.chain) > 1 || o.tooLate {
		return false
	}
	n := o.Target.Slot()
	if n == 0 || int(n) >= len(r.ops) {
		return false
	}
	t := r.ops[n]
	return t.given && !t.ended && t.at > 0 && t.chain[t.at-1].ended
}

// deliver has Complete give out a completion, but for those that SkipSuccess takes away. The kernel is not asked for that, for
// it would not say when the operation has ended, which the engine says by InFlight.
func (r *rawRing) deliver(o *rawOp, c api.Completion) {
	head := o.chain[0]
	failed := failed(o, &c)
	if head.fails != nil && head.fails.Flags&api.SkipSuccess != 0 || o.Flags&api.SkipSuccess != 0 && !failed {
		return
	}
	if failed && head.fails == nil && o.Flags&api.Link != 0 {
		head.fails = o
	}
	r.done = append(r.done, c)
}

// failed says whether an operation breaks its chain (LNK-2, LNK-5, LNK-6, LNK-8).
func failed(o *rawOp, c *api.Completion) bool {
	short := c.Res < int32(len(o.Buf)) && o.Flags&api.BufferSelect == 0
	switch {
	case o.Code == api.OpLinkTimeout: // the chain goes on as its operation has ended (LTO-4)
		return false
	case o.Code == api.OpTimeout && o.Flags&api.TimeoutOK != 0 && c.Res == -int32(unix.ETIME):
		return false
	case o.Code == api.OpRead, o.Code == api.OpWrite, (o.Code == api.OpRecv || o.Code == api.OpSend) && o.Flags&api.WaitAll != 0:
		return short
	}
	return c.Res < 0
}

// ours is the user data of entries that the program has not asked for.
const ours = 1 << 40

// comes says whether the operation has a Deadline that comes while a program runs.
func comes(o *rawOp) bool { return o.Deadline != 0 && o.Deadline.Sub(api.Now()) < time.Minute }

// expire ends what has not completed by its Deadline (TMO-10): by a cancel what the kernel has.
func (r *rawRing) expire() (any bool) {
	for o := range r.live() {
		if o.late || o.Deadline == 0 || o.Deadline > api.Now() {
			continue
		}
		o.late, any = true, true
		if !o.given {
			r.drop(o.chain, -int32(unix.ETIME))
			continue
		}
		if q := r.ring.NextSQE(); q != nil {
			q.PrepCancel(uint64(o.ID.Slot()), 0)
			q.UserData = ours
		} else {
			o.late = false // another time
		}
	}
	return any
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
	r.batch, r.lines = nil, map[rawLine][][]*rawOp{}
	for end := time.Now().Add(script.Patience); r.flying > 0 && err == nil; {
		for o := range r.live() {
			if o.given && restless(o) {
				_ = unix.Shutdown(int(o.FD), unix.SHUT_WR) // or it has ended by now
			}
		}
		// Not by an entry: a drain would hold it up.
		all := iouring.SyncCancelReg{Fd: -1, Flags: iouring.IORING_ASYNC_CANCEL_ANY | iouring.IORING_ASYNC_CANCEL_ALL}
		if _, e := r.ring.SyncCancel(&all); e != nil && !errors.Is(e, unix.ENOENT) && !errors.Is(e, unix.ETIME) && !errors.Is(e, unix.EINTR) {
			err = e
		}
		if e := r.turns(api.Wait{Min: 1, Deadline: api.After(time.Millisecond)}); e != nil && !errors.As(e, new(*beyondError)) {
			err = e
		}
		r.done = nil
		if time.Now().After(end) {
			err = fmt.Errorf("%d operations do not end", r.flying)
		}
	}
	for _, g := range r.groups {
		err = errors.Join(err, g.ring.Close(), unix.Munmap(g.mem))
	}
	return errors.Join(err, r.ring.Close())
}
