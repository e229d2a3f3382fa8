package readiness

import (
	"fmt"
	"math/bits"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/futexq"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
	"github.com/sluiceio/sluice/internal/workers"
)

const (
	// eventBatch is how many events one wait fetches.
	eventBatch = 256
	// fairShare is how many completions one multishot operation may give in one go, so that a busy
	// fd does not starve the others. The kernel has the same bound (MULTISHOT_MAX_RETRY, 32).
	fairShare = 32
	// verifyEvery is after how many busy turns a registration that may be stale is renewed.
	verifyEvery = 64
	// skipMax bounds how many turns in a row do not ask the Poller, because there was enough to do
	// without: others must not starve.
	skipMax = 8
)

// driver implements core.Driver over a Poller.
type driver struct {
	e              *core.Engine
	p              Poller
	edge           bool
	hangupReadable bool // Traits.HangupReadable
	try            attempt.Tries
	fds            []*file // by fd; grown to the largest
	evs            []Event
	pool           workers.Pool
	futex          futexq.Queue
	direct         direct

	ready   []*file // have something to do that the last turn left over
	spare   []*file
	dirty   []*file // their interest may have changed
	verify  []*file // wait on a registration that may be stale
	busy    int     // turns since verify was last dealt with
	more    bool    // the last wait filled evs
	skipped int     // turns since the Poller was last asked
	soon    later   // nothing tells when they can go on
	peers   peers

	count core.Counters
}

// file is what the driver knows of an fd.
type file struct {
	n     int32
	watch Interest // what the Poller has been asked for
	latch Interest // what may hold
	kind  uint8    // of socket: whether a short read means that there is no more
	vain  uint8    // attempts in a row, at a report of the Poller, that came to nothing
	// waits are the operations that wait for this fd: the first of each direction, and those
	// that are in no order.
	first   [2]*core.Slot
	loose   []*core.Slot
	isReady bool
	isDirty bool
	doubted bool // on the list verify
	isPeer  bool // on the list of driver.peers
}

const (
	kindUnknown uint8 = iota
	kindStream
	kindDatagram
)

// New makes an engine called name over p.
func New(name string, o *api.Options, p Poller) (api.Engine, error) {
	opt, err := o.WithDefaults()
	if err != nil {
		p.Close()
		return nil, err
	}
	opt.Ring.Attach = nil // is ignored, and may go
	d := &driver{p: p, edge: p.Traits().EdgeTriggered, hangupReadable: p.Traits().HangupReadable, evs: make([]Event, eventBatch)}
	e, err := core.New(name, opt, Features(p.PollFD() >= 0), d)
	if err != nil {
		p.Close()
		return nil, Unavailable(name, err, "")
	}
	return e, nil
}

// Features are those of a readiness backend. parks says that its Poller has an fd to park on.
func Features(parks bool) api.Features {
	f := api.Features{Emulated: api.AllFeatures &^ api.FeatPersonality, OpsEmulated: optab.Done()}
	if parks {
		f.Emulated &^= api.FeatPark
		f.Native |= api.FeatPark
	}
	return f
}

// Attach implements core.Driver.
func (d *driver) Attach(e *core.Engine) error {
	d.e = e
	d.pool.Init(e.Options().Workers, e.Notify)
	e.UsePool(optab.Pooled(), d.pool.Busy)
	d.futex.Init(e.Notify)
	d.try.ZC.Init(e)
	d.try.NoSignal, d.try.Engine = sysx.NoSignal(), e
	d.try.Async = sysx.HasAIO
	if err := d.p.Arm(e.WakeFD(), Readable); err != nil {
		return fmt.Errorf("watching the fd that wakes the engine: %w", err)
	}
	return nil
}

// Bind implements core.Driver.
func (d *driver) Bind() error { return nil }

// PollFD implements core.Driver.
func (d *driver) PollFD() int { return d.p.PollFD() }

// AddGroup implements core.Driver: the core hands out the buffers.
func (d *driver) AddGroup(*core.Group) (bool, error) { return false, nil }

// RemoveGroup implements core.Driver.
func (d *driver) RemoveGroup(*core.Group) {}

// Recycle implements core.Driver.
func (d *driver) Recycle(*core.Group, uint16) {}

// Counters implements core.Driver.
func (d *driver) Counters() core.Counters {
	c := d.count
	c.Enters += d.try.Calls
	d.pool.Count(&c)
	return c
}

// Close implements core.Driver.
func (d *driver) Close() error {
	d.pool.Close()
	d.direct.close()
	d.futex.Close()
	d.try.ZC.Close()
	return d.p.Close()
}

// file gives the state of an fd, which the core has seen to be open.
func (d *driver) file(fd int32) *file {
	if int(fd) >= len(d.fds) {
		n := 1 << bits.Len32(uint32(fd))
		d.fds = append(d.fds, make([]*file, n-len(d.fds))...)
	}
	f := d.fds[fd]
	if f == nil {
		f = &file{n: fd, latch: Readable | Writable}
		d.fds[fd] = f
	}
	return f
}

// opened is called for an fd that the kernel has just given out: whatever was known is of another file.
func (d *driver) opened(fd int32) {
	if int(fd) < len(d.fds) && d.fds[fd] != nil {
		f := d.fds[fd]
		if !d.edge && f.watch != 0 {
			d.p.Forget(fd) // or it would report the new file, to nobody
		}
		f.reset()
	}
}

// reset takes back all that is known of the file behind the number.
func (f *file) reset() { f.watch, f.latch, f.kind = 0, Readable|Writable, kindUnknown }

// Start implements core.Driver.
func (d *driver) Start(s *core.Slot) {
	switch s.Op.Code {
	case api.OpClose:
		d.close(s)
		return
	case api.OpNop:
		d.e.End(s, 0)
		return
	case api.OpWaitid, api.OpFutexWait, api.OpFutexWake, api.OpFutexWaitv:
		d.free(s)
		return
	}
	if s.FD == nil {
		d.fileless(s)
		return
	}
	f := d.file(s.Op.FD)
	if d.told(f) && s.Op.Flags&(api.DontWait|api.Multishot) == 0 && hopeless(f, s) {
		d.park(f, s, verdictOf(s))
		return
	}
	d.run(f, s)
}

// told says whether the Poller will tell when something changes that f.latch says does not hold: a
// level-triggered one always will, once it is asked, and an edge-triggered one if it watches f already.
func (d *driver) told(f *file) bool { return !d.edge || f.watch != 0 }

// hopeless says that the last thing known of f is that an operation like s would have to wait.
func hopeless(f *file, s *core.Slot) bool {
	if s.Op.Arg != 0 || f.kind == kindUnknown {
		// MSG_ERRQUEUE and others ask for something else; and what is no socket has no receives at all.
		return false
	}
	switch s.Op.Code {
	case api.OpRecv, api.OpRecvMsg:
		return f.latch&(Readable|Hangup) == 0 // see run
	case api.OpSend:
		return f.latch&Writable == 0 && len(s.Op.Buf) > 0 // nothing can always be sent
	}
	return false
}

func verdictOf(s *core.Slot) attempt.Verdict {
	if optab.Of(s.Op.Code).Dir == optab.Write {
		return attempt.Writable
	}
	return attempt.Readable
}

// close performs an OpClose.
func (d *driver) close(s *core.Slot) {
	if int(s.Op.FD) < len(d.fds) {
		if f := d.fds[s.Op.FD]; f != nil {
			if f.watch != 0 {
				d.p.Forget(f.n)
				d.count.Enters++
			}
			f.reset()
		}
	}
	d.try.Closing(s.Op.FD)
	d.count.Enters++
	d.e.End(s, -int32(sysx.Close(s.Op.FD)))
}

// Turn implements core.Driver.
func (d *driver) Turn(need int, wait time.Duration) error {
	was := d.e.Delivered()
	d.fetch()
	d.try.Look()
	d.runReady()
	d.runSoon()
	d.lookPeers()
	d.arm()
	d.submitDirect()
	wait = d.still(was, wait)
	if need < 0 && wait == 0 && d.skipped < skipMax {
		// There is enough for the program to do; looking for more costs a system call.
		d.skipped++
		return nil
	}
	d.skipped = 0
	if err := d.poll(wait); err != nil {
		return err
	}
	d.fetch()
	d.submitDirect() // what has been found to need it: who parks may not come back before it has ended
	return nil
}

// still is how much of wait is left to be waited, given that the engine had delivered was completions before.
func (d *driver) still(was uint64, wait time.Duration) time.Duration {
	if len(d.ready) > 0 || d.e.Delivered() != was {
		return 0
	}
	return sooner(wait, d.clock())
}

// sooner is the shorter of two times to wait, of which a negative one has no end.
func sooner(a, b time.Duration) time.Duration {
	if b >= 0 && (a < 0 || b < a) {
		return b
	}
	return a
}

// Limit implements core.Driver.
func (d *driver) Limit() time.Duration {
	if len(d.ready) > 0 || d.more {
		return 0
	}
	return d.clock()
}

// clock is how long there is until something is to be done that no event tells of.
func (d *driver) clock() time.Duration {
	return sooner(sooner(d.soon.left(), d.peers.left()), d.try.ZC.Left())
}

// BeforePark implements core.Driver.
func (d *driver) BeforePark() bool {
	was, soon := d.e.Delivered(), len(d.soon.list)
	d.renew()
	// What has gone over to waiting for another file since the last turn has not been registered.
	return d.e.Delivered() != was || len(d.soon.list) > soon || len(d.dirty) > 0
}

// poll waits for events and deals with them.
func (d *driver) poll(wait time.Duration) error {
	if len(d.verify) > 0 {
		// Renewing a registration costs a system call, so it is done when there is nothing else to do,
		// or has not been for long.
		d.busy++
		if wait != 0 {
			n, err := d.events(0)
			if n > 0 || err != nil {
				return err
			}
		}
		if wait != 0 || d.busy > verifyEvery {
			was := d.e.Delivered()
			d.renew() // may end operations, and make others wait for the clock
			wait = d.still(was, wait)
		}
	}
	_, err := d.events(wait)
	return err
}

func (d *driver) events(wait time.Duration) (int, error) {
	d.count.Enters++
	if wait != 0 {
		d.count.Waits++
	}
	n, err := d.p.Wait(d.evs, wait)
	if err != nil {
		return 0, err
	}
	d.more = n == len(d.evs)
	for i := range d.evs[:n] {
		d.event(&d.evs[i])
	}
	return n, nil
}

func (d *driver) event(ev *Event) {
	if ev.FD == d.e.WakeFD() {
		d.e.Woken()
		d.count.Enters++
		return
	}
	if int(ev.FD) >= len(d.fds) || d.fds[ev.FD] == nil {
		d.count.Stale++
		return
	}
	f := d.fds[ev.FD]
	got := ev.Ready
	if got&Hangup != 0 && d.try.Reaped(f.n) {
		if got = d.holds(f.n); got == 0 {
			return
		}
	}
	if got&(Hangup|Priority) != 0 {
		got |= Readable | Writable
	}
	f.latch |= got
	d.wake(f, got)
}

// holds asks what holds for fd after all.
func (d *driver) holds(fd int32) (got Interest) {
	d.try.Calls++
	p, _ := sysx.Poll1(fd, api.PollIn|api.PollOut|api.PollPri|sysx.PollRdHup)
	if p&api.PollIn != 0 {
		got |= Readable
	}
	if p&api.PollOut != 0 {
		got |= Writable
	}
	if p&api.PollPri != 0 {
		got |= Priority
	}
	if p&^(api.PollIn|api.PollOut|api.PollPri) != 0 {
		got |= Hangup
	}
	return got
}

// later puts f on the list of those that the next turn goes on with.
func (d *driver) later(f *file) {
	if !f.isReady {
		f.isReady = true
		d.ready = append(d.ready, f)
	}
}

// runReady goes on with what the last turn left over.
func (d *driver) runReady() {
	if len(d.ready) == 0 {
		return
	}
	list := d.ready
	d.ready, d.spare = d.spare[:0], list
	for i, f := range list {
		if d.e.Room() <= 0 {
			// Those that have had no turn come before those that have.
			n := copy(list, list[i:])
			d.ready, d.spare = append(list[:n], d.ready...), d.ready[:0]
			return
		}
		f.isReady = false
		d.wake(f, f.latch)
	}
}

// fetch ends what the workers have done.
func (d *driver) fetch() {
	for d.futex.Next(d.e) {
	}
	d.fetchDirect()
	for {
		s, res, ok := d.pool.Done()
		if !ok {
			return
		}
		d.finish(s, res)
	}
}
