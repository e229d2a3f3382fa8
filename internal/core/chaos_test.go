package core

import (
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
)

// chaos is a driver that does everything in any order, and checks what is started when.
type chaos struct {
	t     *testing.T
	e     *Engine
	r     *rand.Rand
	begun []*Slot
	asked []question // cancels that are answered later
	owed  []*Slot    // of zero-copy sends, one for each notification that is to come

	ops   []*modelOp // in the order of submission
	byID  map[api.OpID]*modelOp
	alive int // ops[:alive] have all ended
}

type question struct {
	s  *Slot
	by api.OpID
}

// modelOp is what the test knows of one operation.
type modelOp struct {
	op    api.Op
	at    int // in ops
	unit  int // of the first of its chain in ops
	last  int // of the last
	drain bool
	told  bool // its last completion has been seen
	res   int32
	open  bool // has been begun
}

func (c *chaos) Attach(e *Engine) error        { c.e = e; return nil }
func (c *chaos) Bind() error                   { return nil }
func (c *chaos) Limit() time.Duration          { return -1 }
func (c *chaos) BeforePark() bool              { return false }
func (c *chaos) PollFD() int                   { return -1 }
func (c *chaos) AddGroup(*Group) (bool, error) { return false, nil }
func (c *chaos) RemoveGroup(*Group)            {}
func (c *chaos) Recycle(*Group, uint16)        {}
func (c *chaos) Counters() Counters            { return Counters{} }
func (c *chaos) Close() error                  { return nil }

func (c *chaos) ended(m *modelOp) bool {
	return c.e.slots.lookup(m.op.ID) == nil
}

// over says whether what waits for the result of m may go on.
func (c *chaos) over(m *modelOp) bool { return c.e.Unsettled(m.op.ID) == nil }

func (c *chaos) Rearm(*Slot) {}

func (c *chaos) Start(s *Slot) {
	m := c.byID[s.ID()]
	if m == nil || m.open {
		c.t.Fatalf("%v has been started, known %v", s.Op.Code, m != nil)
	}
	m.open = true
	for _, o := range c.ops[m.unit:m.at] {
		if !c.over(o) {
			c.t.Fatalf("the operation %d has been started while %d of its chain goes on", m.at, o.at)
		}
	}
	for ; c.alive < len(c.ops) && c.ended(c.ops[c.alive]); c.alive++ {
	}
	for _, o := range c.ops[c.alive:max(c.alive, m.unit)] {
		switch {
		case c.ended(o):
		case o.drain:
			c.t.Fatalf("the operation %d has been started while the drain at %d goes on", m.at, o.at)
		case m.drain:
			c.t.Fatalf("the drain at %d has been started while %d goes on", m.at, o.at)
		}
	}
	if c.e.ending && s.Op.Code != api.OpClose {
		c.t.Fatalf("%v has been started while the engine is being closed", s.Op.Code)
	}
	if s.Op.Code == api.OpClose || c.r.IntN(3) == 0 {
		c.tell(s, c.result(s))
		return
	}
	c.begun = append(c.begun, s)
}

// tell ends s, or if it is a zero-copy send, gives its result, with some notifications to come.
func (c *chaos) tell(s *Slot, res int32) {
	if !optab.Of(s.Op.Code).Notifies {
		c.e.End(s, res)
		return
	}
	s.Notifs = int32(c.r.IntN(3))
	for range s.Notifs {
		c.owed = append(c.owed, s)
	}
	c.e.End(s, res)
}

// notify lets one notification come.
func (c *chaos) notify() {
	i := c.r.IntN(len(c.owed))
	s := c.owed[i]
	c.owed = append(c.owed[:i], c.owed[i+1:]...)
	if !s.Over() {
		c.t.Fatalf("a slot that a notification is to come for is in state %d", s.state)
	}
	c.e.Notified(s, c.r.IntN(2) == 0)
}

func (c *chaos) result(s *Slot) int32 {
	switch {
	case s.Op.Code == api.OpClose:
		return 0
	case c.r.IntN(5) == 0:
		return -int32(syscall.ECONNRESET)
	case s.Op.Code == api.OpRead || s.Op.Code == api.OpRecv && s.Op.Flags&api.BufferSelect == 0:
		return int32(c.r.IntN(len(s.Op.Buf) + 1))
	}
	return 0
}

func (c *chaos) Cancel(s, by *Slot) CancelResult {
	switch c.r.IntN(3) {
	case 0:
		return Unstoppable
	case 1:
		a := question{s: s}
		if by != nil {
			a.by = by.ID()
		}
		c.asked = append(c.asked, a)
		return Pending
	}
	c.drop(s)
	c.e.End(s, -int32(api.ECanceled))
	return Ended
}

func (c *chaos) drop(s *Slot) {
	for i, b := range c.begun {
		if b == s {
			c.begun = append(c.begun[:i], c.begun[i+1:]...)
			return
		}
	}
	c.t.Fatal("the driver does not have what it is to end")
}

// finish ends s, and answers the cancel that is about it. The answer comes before or after.
func (c *chaos) finish(s *Slot) {
	by, pending := api.OpID(0), false
	for i, a := range c.asked {
		if a.s == s {
			by, pending = a.by, true
			c.asked = append(c.asked[:i], c.asked[i+1:]...)
			break
		}
	}
	c.drop(s)
	res := c.result(s)
	answer := []int32{-int32(syscall.ENOENT), -int32(syscall.EALREADY)}[c.r.IntN(2)]
	if pending && c.r.IntN(2) == 0 {
		res, answer = -int32(api.ECanceled), 0
	}
	c.tell(s, res)
	if b := c.e.slots.lookup(by); pending && b != nil {
		c.e.CancelDone(b, answer)
	} else if pending && by != 0 {
		c.t.Fatal("who has asked is gone before the answer")
	}
}

func (c *chaos) Turn(_ int, d time.Duration) error {
	n := c.r.IntN(4)
	if d != 0 {
		n++
	}
	for ; n > 0 && len(c.begun) > 0; n-- {
		s := c.begun[c.r.IntN(len(c.begun))]
		if s.Op.Flags&api.Multishot != 0 && c.r.IntN(2) == 0 {
			c.e.Emit(s, 1)
			continue
		}
		c.finish(s)
	}
	for len(c.owed) > 0 && (d != 0 && len(c.begun) == 0 || c.r.IntN(2) == 0) {
		c.notify()
	}
	return nil
}

// note remembers what Submit has taken.
func (c *chaos) note(ops []api.Op) {
	for i := 0; i < len(ops); {
		n := 1
		for ; i+n < len(ops) && ops[i+n-1].Flags&(api.Link|api.HardLink) != 0; n++ {
		}
		unit, drain := len(c.ops), false
		for _, op := range ops[i : i+n] {
			drain = drain || op.Flags&api.Drain != 0
		}
		for _, op := range ops[i : i+n] {
			m := &modelOp{op: op, at: len(c.ops), unit: unit, last: unit + n - 1, drain: drain}
			c.ops = append(c.ops, m)
			if op.ID == 0 || c.byID[op.ID] != nil {
				c.t.Fatalf("the id %#x", uint64(op.ID))
			}
			c.byID[op.ID] = m
		}
		i += n
	}
}

// reaped checks completions.
func (c *chaos) reaped(cs []api.Completion) {
	for _, x := range cs {
		m := c.byID[x.ID]
		switch {
		case m == nil || m.told:
			c.t.Fatalf("a completion of nothing, or behind the last: %+v", x)
		case x.Tag != m.op.Tag || x.Code != m.op.Code:
			c.t.Fatalf("%+v of %+v", x, m.op)
		case x.More():
			continue
		}
		m.told, m.res = true, x.Res
	}
}

// settled checks that all is over, and that what has no completion may have none.
func (c *chaos) settled(closed bool) {
	e := c.e
	if e.chained != 0 || e.drain.held != 0 || e.slots.used != 0 || e.timers.Len() != 0 || len(c.begun) != 0 || len(c.asked) != 0 || len(c.owed) != 0 || e.told != 0 {
		c.t.Fatalf("left over: %d chained, %d held, %d slots, %d timers, %d begun, %d cancels",
			e.chained, e.drain.held, e.slots.used, e.timers.Len(), len(c.begun), len(c.asked))
	}
	for fd, n := range e.waiting.n {
		if n != 0 {
			c.t.Fatalf("%d are counted to wait for the fd %d", n, fd)
		}
	}
	for _, f := range e.fds.fds {
		if f != nil && (f.count != 0 || f.ops != none || f.closing != none || f.head != [2]int32{none, none} || f.tail != [2]int32{none, none}) {
			c.t.Fatalf("left over on an fd: %+v", *f)
		}
	}
	for _, m := range c.ops {
		if m.told || closed || m.op.Flags&api.SkipSuccess != 0 {
			continue
		}
		quiet := false
		for _, o := range c.ops[m.unit : m.last+1] {
			quiet = quiet || o.told && o.op.Flags&api.SkipSuccess != 0
		}
		if !quiet {
			c.t.Fatalf("no completion of %+v", m.op)
		}
	}
	if !closed && e.submitted != e.ended {
		c.t.Fatalf("%d submitted, %d ended", e.submitted, e.ended)
	}
}

// batch makes operations of all kinds.
func (c *chaos) batch(fds []int) (ops []api.Op) {
	r, buf := c.r, make([]byte, 4)
	for range 1 + r.IntN(6) {
		fd, tag := fds[r.IntN(len(fds))], r.Uint64()
		var op api.Op
		switch r.IntN(16) {
		case 15:
			op = api.SendZC(fd, buf, tag)
		case 0:
			op = api.Nop(tag)
		case 1, 2:
			op = api.Recv(fd, buf, tag)
		case 3:
			op = api.Read(fd, buf, 0, tag)
		case 4:
			op = api.Send(fd, buf, tag)
		case 5:
			op = api.Poll(fd, api.PollIn, tag)
		case 6:
			op = api.Timeout(time.Duration(r.IntN(50))*time.Microsecond, tag)
		case 7:
			op = api.LinkTimeout(time.Duration(r.IntN(50))*time.Microsecond, tag)
		case 8:
			op = api.Cancel(c.anyID(), tag)
		case 9:
			op = c.cancelMany(fd, tag)
		case 10:
			op = api.Close(fd, tag)
		case 11:
			op = api.PollMultishot(fd, api.PollIn, tag)
		case 12:
			op = api.Splice(fd, api.CurrentPosition, fds[r.IntN(len(fds))], api.CurrentPosition, 4, 0, tag)
		case 13:
			op = api.RecvBuffer(fd, 1, tag)
		case 14:
			op = api.Timeout(time.Hour, tag)
		}
		if r.IntN(8) == 0 {
			op.Deadline = api.After(time.Duration(r.IntN(50)) * time.Microsecond)
		}
		for _, f := range []api.OpFlags{api.Link, api.Link, api.HardLink, api.SkipSuccess} {
			if r.IntN(3) == 0 {
				op.Flags |= f
			}
		}
		if r.IntN(12) == 0 {
			op.Flags |= api.Drain
		}
		ops = append(ops, op)
	}
	return ops
}

func (c *chaos) anyID() api.OpID {
	if len(c.ops) == 0 {
		return 0
	}
	return c.ops[max(0, len(c.ops)-1-c.r.IntN(20))].op.ID
}

func (c *chaos) cancelMany(fd int, tag uint64) api.Op {
	op := [...]api.Op{api.CancelFD(fd, tag), api.CancelOp(api.OpRecv, tag), api.CancelAny(tag), api.CancelFD(fd, tag).With(api.ByOp)}[c.r.IntN(4)]
	if c.r.IntN(3) == 0 {
		op.Flags |= api.First
	}
	return op
}

// sync makes a CancelSync.
func (c *chaos) sync(fds []int) {
	op := api.Cancel(c.anyID(), 0)
	if c.r.IntN(2) == 0 {
		op = c.cancelMany(fds[c.r.IntN(len(fds))], 0)
	}
	limit := time.Duration(-1)
	if c.r.IntN(2) == 0 {
		limit = time.Duration(c.r.IntN(20)) * time.Microsecond
	}
	_, err := c.e.CancelSync(op, limit)
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, api.ErrQueueFull) {
		c.t.Fatalf("CancelSync: %v", err)
	}
}

// run is one life of an engine.
func (c *chaos) run(fds []int) {
	opt, err := (&api.Options{MaxInFlight: 4 + c.r.IntN(60)}).WithDefaults()
	if err != nil {
		c.t.Fatal(err)
	}
	e, err := New("chaos", opt, api.Features{}, c)
	if err != nil {
		c.t.Fatal(err)
	}
	defer e.wake.fd.Close()
	group := func() api.BufferGroup {
		g, err := e.NewBufferGroup(api.BufferGroupOptions{ID: 1, Count: 4, Size: 8})
		if err != nil {
			c.t.Fatal(err)
		}
		return g
	}
	g := group()
	for range 20 + c.r.IntN(100) {
		switch c.r.IntN(12) {
		case 0:
			c.sync(fds)
		case 1:
			if err := g.Close(); err != nil || g.(*Group).users != 0 {
				c.t.Fatalf("closing a group: %v, %d users", err, g.(*Group).users)
			}
			g = group()
		case 2, 3, 4, 5:
			ops := c.batch(fds)
			n, err := e.Submit(ops)
			if err != nil && !errors.Is(err, api.ErrQueueFull) {
				c.t.Fatal(err)
			}
			c.note(ops[:n])
		default:
			dst := make([]api.Completion, c.r.IntN(8))
			w := api.Wait{}
			if c.r.IntN(3) == 0 {
				w = api.Wait{Min: 1, Deadline: api.After(30 * time.Microsecond)}
			}
			n, err := e.Complete(dst, w)
			if err != nil {
				c.t.Fatal(err)
			}
			c.reaped(dst[:n])
		}
	}
	c.end(e)
}

// end closes the engine at once, or when all is over.
func (c *chaos) end(e *Engine) {
	closed := c.r.IntN(2) == 0
	for turns := 0; !closed && e.submitted != e.ended; turns++ {
		if turns > 10000 {
			c.t.Fatalf("%d operations do not end; %d held up, %d in chains", e.submitted-e.ended, e.drain.held, e.chained)
		}
		op := []api.Op{api.CancelAny(0)}
		if n, _ := e.Submit(op); n == 1 {
			c.note(op)
		} else if _, err := e.CancelSync(api.CancelAny(0), 0); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, api.ErrQueueFull) {
			c.t.Fatal(err)
		}
		dst := make([]api.Completion, 16)
		n, err := e.Complete(dst, api.Wait{})
		if err != nil {
			c.t.Fatal(err)
		}
		c.reaped(dst[:n])
	}
	if err := e.Close(); err != nil {
		c.t.Fatal(err)
	}
	c.settled(closed)
}

// TestChaos lets engines do everything in any order. CHAOS_SEED repeats one of them.
func TestChaos(t *testing.T) {
	in := optab.Of(api.OpSplice)
	was := in.Done
	in.Done = true // the driver performs it
	defer func() { in.Done = was }()
	fds := []int{devNull(t), devNull(t), devNull(t)}
	seed, err := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().UnixNano())
	}
	lives := 0
	defer func() { t.Logf("%d engines, the last with CHAOS_SEED=%d", lives, seed) }()
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); lives++ {
		c := &chaos{t: t, r: rand.New(rand.NewPCG(seed, 1)), byID: map[api.OpID]*modelOp{}}
		c.run(fds)
		seed++
	}
}
