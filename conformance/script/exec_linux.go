package script

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// Patience is how long Run should wait for what must come before it gives the program up. It is far beyond what a busy machine takes.
const Patience = 20 * time.Second

// run is a program that runs.
type run struct {
	p     *Program
	m     Machine
	trace Trace

	patience time.Duration

	objects map[string]*object
	ops     map[int]*op // by tag
	pending []*op       // in the order of submission
	order   int         // counts what has been submitted
	leases  []held
	given   int // completions that count for timeouts
	got     []result
	dst     [64]api.Completion
}

// held is a buffer that has not been given back.
type held struct {
	group api.BufferGroup
	lease api.Lease
}

// op is an operation that has been submitted.
type op struct {
	*Op
	id    api.OpID
	on    *object
	buf   []byte
	order int // of its submission
	turn  int // of when its turn came in its chain
	chain *chain
	at    int // in the chain
	since int // given, when it was submitted
	done  bool
	broke bool // its chain, so that what stands behind it is ended
	asked bool // to be cancelled
	found bool // by a cancel, so that it ends
	begun bool // it had its turn before the step that is going on
}

// chain is what the operations of a chain share.
type chain struct {
	ops   []*op
	drain bool
}

// result is a completion.
type result struct {
	o    *op
	text string
}

// Run runs a program on a machine, which it closes, and returns the trace. The calling goroutine owns the machine. What the contract leaves
// open is not in the trace:
//   - the order of the completions of operations that have nothing to do with each other: those of a step come by their tags
//   - how much of something Huge has been moved when it did not end by itself: it is "part", and what has arrived is compared with what was said
//   - the answer of a LinkTimeout whose operation has ended by itself, whether it came too late or not
//   - which fd an accept gives
//
// After each step Run makes turns until every operation in flight has to wait: it has looked with poll(2) whether each file could
// serve the operations that are waiting for it, and whether what was sent over TCP has arrived. No time is part of that, except that
// what must come and does not within patience is an ErrStuck. An error means that the program could not be run to its end.
func Run(p *Program, m Machine, patience time.Duration) (Trace, error) {
	if err := Check(p); err != nil {
		return nil, err
	}
	r := &run{p: p, m: m, patience: patience, objects: map[string]*object{}, ops: map[int]*op{}}
	err := r.open()
	for i := range p.Steps {
		if err != nil {
			break
		}
		r.say("%d: %s", i+1, &p.Steps[i])
		err = r.step(&p.Steps[i])
	}
	if err == nil {
		err = r.end()
	}
	if c := m.Close(); c != nil && err == nil {
		err = fmt.Errorf("closing the machine: %w", c)
	}
	for _, o := range r.objects {
		o.free()
	}
	return r.trace, err
}

func (r *run) say(format string, args ...any) {
	r.trace = append(r.trace, fmt.Sprintf(format, args...))
}

func (r *run) open() error {
	for i := range r.p.Objects {
		o := &object{Object: &r.p.Objects[i], fd: -1, peer: -1}
		r.objects[o.Name] = o
		if o.Kind != Group {
			if err := o.open(r.p); err != nil {
				return fmt.Errorf("%s: %w", o.Object, err)
			}
			continue
		}
		var err error
		if o.group, err = r.m.NewBufferGroup(api.BufferGroupOptions{ID: uint16(i), Count: o.N, Size: o.Size}); err != nil {
			return err
		}
	}
	return nil
}

// step does one step, and goes on until all is quiet.
func (r *run) step(s *Step) error {
	switch s.Kind {
	case Submit:
		if why := r.races(s.Ops); why != "" {
			r.say("  left out: %s", why)
			return nil
		}
		if err := r.submit(s.Ops); err != nil {
			return err
		}
	case Release:
		if err := r.release(); err != nil {
			return err
		}
	default:
		if err := r.play(s); err != nil {
			return err
		}
	}
	return r.settle()
}

func (r *run) release() error {
	for _, h := range r.leases {
		if err := h.group.Release(h.lease); err != nil {
			return fmt.Errorf("release: %w", err)
		}
	}
	r.leases = r.leases[:0]
	return nil
}

// submit hands over the operations of a step.
func (r *run) submit(list []Op) error {
	ops := make([]api.Op, len(list))
	new := make([]*op, len(list))
	for i := range list {
		o := &op{Op: &list[i], on: r.objects[list[i].On], order: r.order, since: r.given}
		o.turn = r.order
		r.order++
		new[i] = o
		linked := i > 0 && list[i-1].Flags&(Link|HardLink) != 0
		if linked {
			o.chain = new[i-1].chain
		} else {
			o.chain = &chain{}
		}
		o.at = len(o.chain.ops)
		o.chain.ops = append(o.chain.ops, o)
		o.chain.drain = o.chain.drain || o.Flags&DrainOp != 0
	}
	// An operation may name another of the same submit, whose id is known only when that has been taken: a submit for each part.
	for from := 0; from < len(list); {
		to := from
		for to < len(list) && (to == from || !r.names(list[to:], list[from:to]) || new[to].at > 0) {
			to++
		}
		for i := from; i < to; i++ {
			r.ops[list[i].Tag] = new[i]
			ops[i] = r.build(new[i])
		}
		n, err := r.m.Submit(ops[from:to])
		if err != nil || n != to-from {
			return fmt.Errorf("submit took %d of %d: %w", n, to-from, err)
		}
		for i := from; i < to; i++ {
			new[i].id = ops[i].ID
		}
		from = to
	}
	r.pending = append(r.pending, new...)
	return nil
}

// names says whether the chain that list begins with is about one of the operations in before.
func (r *run) names(list, before []Op) bool {
	for i := range list {
		for j := range before {
			if list[i].Of == before[j].Tag {
				return true
			}
		}
		if list[i].Flags&(Link|HardLink) == 0 {
			break
		}
	}
	return false
}

var apiFlags = [...]api.OpFlags{api.Link, api.HardLink, api.Drain, api.SkipSuccess, api.WaitAll, api.DontWait, api.EOF, api.TimeoutOK}

// build makes the operation of the api.
func (r *run) build(o *op) (a api.Op) {
	fd, tag := -1, uint64(o.Tag)
	if o.on != nil {
		fd = o.on.fd
	}
	if o.Verb.info().takes&takesSize != 0 {
		o.buf = make([]byte, o.N)
		if o.Verb.info().out {
			fill(o.buf, o.Tag)
		}
	}
	off := int64(o.Off)
	var group uint16
	if o.Group != "" {
		group = r.objects[o.Group].group.ID()
	}
	switch o.Verb {
	case Nop:
		a = api.Nop(tag)
	case Recv:
		a = api.Recv(fd, o.buf, tag)
	case RecvBuffer:
		a = api.RecvBuffer(fd, group, tag)
	case RecvMulti:
		a = api.RecvMultishot(fd, group, tag)
	case Send:
		a = api.Send(fd, o.buf, tag)
	case Read:
		a = api.Read(fd, o.buf, off, tag)
	case WriteOp:
		a = api.Write(fd, o.buf, off, tag)
	case Accept:
		a = api.Accept(fd, tag)
	case AcceptMulti:
		a = api.AcceptMultishot(fd, tag)
	case PollOp:
		a = api.Poll(fd, map[string]uint32{"in": api.PollIn, "out": api.PollOut}[o.How], tag)
	case Shutdown:
		a = api.Shutdown(fd, map[string]int{"rd": api.ShutRead, "wr": api.ShutWrite, "both": api.ShutBoth}[o.How], tag)
	case Close:
		a = api.Close(fd, tag)
	case Fsync:
		a = api.Fsync(fd, tag)
	case Timeout:
		a = api.TimeoutCount(o.Time.duration(), uint32(o.Count), tag)
	case LinkTimeout:
		a = api.LinkTimeout(o.Time.duration(), tag)
	case Cancel:
		a = api.Cancel(r.idOf(o.Of), tag)
	case CancelFD:
		a = api.CancelFD(fd, tag)
	case CancelAny:
		a = api.CancelAny(tag)
	case Remove:
		a = api.TimeoutRemove(r.idOf(o.Of), tag)
	}
	for i, f := range apiFlags {
		if o.Flags>>i&1 != 0 {
			a.Flags |= f
		}
	}
	if o.Deadline != Unset {
		a.Deadline = api.After(o.Deadline.duration())
	}
	return a
}

// idOf is the id of an operation; none has this one, in case that it was left out.
func (r *run) idOf(tag int) api.OpID {
	if o := r.ops[tag]; o != nil {
		return o.id
	}
	return api.MakeOpID(1<<19, 1)
}

func (t Time) duration() time.Duration {
	switch t {
	case Now, Unset:
		return 0
	case Never:
		return time.Hour
	}
	return time.Duration(t) * time.Millisecond
}

// fill makes the bytes that the operation with the tag sends.
func fill(b []byte, tag int) {
	for i := range b {
		b[i] = byte(tag*37 + i*7 + i>>8)
	}
}

// show is what bytes look like in a trace.
func show(b []byte) string {
	h := fnv.New32a()
	h.Write(b)
	return fmt.Sprintf("%d bytes %08x", len(b), h.Sum32())
}

// end ends what is in flight, and looks at what is left.
func (r *run) end() error {
	r.say("end")
	if err := r.endCounts(); err != nil {
		return err
	}
	// One at a time, for the end of one may let others go. What counts was first: the completions of others would let it expire.
	for i := 0; len(r.pending) > 0; i++ {
		at := slices.IndexFunc(r.pending, func(o *op) bool { return o.Verb != LinkTimeout && !r.held(o) })
		if at < 0 || i > MaxSteps*MaxOps || i > 0 && r.pending[at].asked {
			return fmt.Errorf("%w: %d operations cannot be cancelled", ErrStuck, len(r.pending))
		}
		if err := r.cancel(r.pending[at]); err != nil {
			return err
		}
	}
	if err := r.release(); err != nil {
		return err
	}
	for i := range r.p.Objects {
		if o := r.objects[r.p.Objects[i].Name]; o.Kind != Group {
			if err := r.left(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// endCounts cancels the timeouts that count, each by itself, for the completions of others could make them expire.
func (r *run) endCounts() error {
	for _, o := range slices.Clone(r.pending) {
		if o.Count == 0 {
			continue
		}
		if err := r.cancel(o); err != nil {
			return err
		}
	}
	return nil
}

// cancel ends an operation.
func (r *run) cancel(o *op) error {
	o.asked = true
	if err := r.submit([]Op{{Verb: Cancel, Of: o.Tag, Tag: MaxTag + o.Tag}}); err != nil {
		return err
	}
	return r.settle()
}

// left says what is left in an object, and compares what has arrived with what was said.
func (r *run) left(o *object) error {
	switch {
	case o.Kind == File:
		b, err := o.content()
		if err != nil {
			return err
		}
		r.say("  %s: %s", o.Name, show(b))
	case o.peer >= 0 && outputs.has(o.Kind):
		b, end, err := o.drain(-1)
		if err != nil {
			return err
		}
		if o.stalled() && o.broken { // the reset may have overtaken what was sent, and the end of it
			r.say("  %s has got some of it", o.Peer)
		} else if o.stalled() {
			r.say("  %s has got all: %v, %s", o.Peer, o.sent == o.taken, end)
		} else {
			r.say("  %s gets %s, %s", o.Peer, show(b), end)
		}
	}
	if o.fd >= 0 && inputs.has(o.Kind) && !(o.huge && o.broken) { // an error may have been taken, or not (STR-7)
		b, end := readAll(o.fd)
		r.say("  %s has %s, %s", o.Name, show(b), end)
	}
	if o.Kind == Listener && o.fd >= 0 {
		n := 0
		for ; o.ready(unix.POLLIN); n++ {
			fd, _, err := unix.Accept(o.fd)
			if err != nil {
				return err
			}
			_ = unix.Close(fd) // it was only counted
		}
		r.say("  %s has %d in its backlog", o.Name, n)
	}
	return nil
}

// tell writes what has come since the last call, and what has not.
func (r *run) tell() {
	slices.SortStableFunc(r.got, func(a, b result) int { return a.o.Tag - b.o.Tag })
	for _, g := range r.got {
		r.say("  %d %s: %s", g.o.Tag, g.o.Verb, g.text)
	}
	r.got = r.got[:0]
	if len(r.pending) == 0 {
		return
	}
	line := "  waiting:"
	for _, o := range r.pending {
		line += fmt.Sprintf(" %d", o.Tag)
	}
	r.say("%s", line)
}
