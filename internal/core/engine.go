package core

import (
	"fmt"
	"sync/atomic"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/fifo"
	"github.com/sluiceio/sluice/internal/invariants"
	"github.com/sluiceio/sluice/internal/offheap"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/timerq"
	"github.com/sluiceio/sluice/internal/wakefd"
)

// Engine is an api.Engine over a Driver.
type Engine struct {
	drv   Driver
	opt   api.Options // with defaults
	name  string
	feats api.Features

	slots   slotTable
	fds     fdTable
	files   files
	bufs    buffers
	groups  []*Group // by id; grown to the largest
	areas   []*Group // that network cards write into, closed ones with leases that are out included
	lows    []*Group // have fallen below their water mark: see callLow
	run     runQueue // submitted, or their turn has come
	drain   drain
	waiting waiting
	sync    syncCancel
	found   []api.OpID                 // what a cancel of many is about; kept for its memory
	kept    fifo.Queue[api.Completion] // did not fit into dst
	pipes   fifo.Queue[[2]int32]       // of those of pipes in kept: the ends
	pipe    [2]int32                   // the ends of the last pipe that was made
	timers  timerq.Queue               // deadlines and timeouts, by slot index
	boot    timerq.Queue               // timeouts by the clock that goes on while the machine sleeps
	real    timerq.Queue               // timeouts at a time of the wall clock
	counts  timerq.Queue               // timeouts with a count, by seen
	rests   rests                      // level-triggered polls

	dst []api.Completion // of the present Complete
	n   int              // how many of dst are filled

	performs bool     // see Performs
	personas []uint16 // the driver's numbers of personalities, by id less 1; 0 where there is none

	inbox    inbox
	posted   atomic.Bool // the inbox may hold something
	crowded  bool        // what was posted has filled dst in the last Complete
	wake     waker
	park     parker
	owner    invariants.Owner
	bound    bool
	closed   atomic.Bool // written by the owner
	holding  bool        // drain holds operations up, or will: see hold
	drops    int         // hidden closes under way: see dropFiles
	told     int         // operations whose result is known, and that wait for notifications
	chained  int         // how many operations wait for others of their chains: to be checked
	settling bool        // completions are taken without a Complete: see settle
	ending   bool        // Close is at work: completions are dropped
	holds    bool        // Close has returned a HeldError, and must be called again
	reaching bool        // reach is at work
	calling  bool        // callLow is at work
	failed   error       // of the system; the engine is of no more use

	batcher   Batcher   // the driver, if it is one
	noper     Noper     // the driver, if it is one
	behind    int       // operations that wait in the FIFO of an fd, and whose turn has not come
	plain     api.OpSet // what Submit takes without a second look
	depth     func() int
	unstarted int // operations that need a worker and have not come to the driver yet

	submitted, completed, ended uint64
	delivered                   uint64 // to the program, kept, or dropped
	timeouts                    uint64 // of completed, those that do not count: see seen
	genBase                     uint32 // of the leases of the next group
	pub                         published
}

var _ api.Engine = (*Engine)(nil)

// New makes an engine called name over d. opt must come from WithDefaults.
func New(name string, opt api.Options, feats api.Features, d Driver) (*Engine, error) {
	w, err := wakefd.New()
	if err != nil {
		return nil, err
	}
	e := &Engine{name: name, opt: opt, feats: feats, drv: d, plain: optab.Done(), sync: syncCancel{slot: none}}
	e.slots.limit = 2*opt.MaxInFlight + 1 + maxDrops // each may have a shadow; and there is one for CancelSync
	if r := opt.Restrict; r != 0 {
		e.plain &= r
		e.feats.OpsNative &= r
		e.feats.OpsEmulated &= r
	}
	e.inbox.limit = opt.MaxInFlight
	// Not the same as in other engines: their leases shall not fit the groups of this one. The factor spreads what differs in a few bits
	// (2^32 divided by the golden ratio), and the shift leaves as many generations as can be used before they begin anew.
	e.genBase = uint32(api.Now()) * 2654435769 >> 2 << 1
	e.wake.fd = w
	e.batcher, _ = d.(Batcher)
	e.noper, _ = d.(Noper)
	if err := d.Attach(e); err != nil {
		w.Close()
		return nil, err
	}
	if opt.Strategy.Mode == api.ModePark && d.PollFD() >= 0 {
		// Not when it is first needed: there may be no fd left by then.
		if err := e.park.open(e); err != nil {
			w.Close()
			return nil, err
		}
	}
	return e, nil
}

// Options are the engine's, with defaults.
func (e *Engine) Options() *api.Options { return &e.opt }

// WakeFD is the fd that the driver watches so that Turn returns when it becomes readable.
func (e *Engine) WakeFD() int32 { return e.wake.fd.FD() }

// Woken is for the driver: the wake fd became readable. It takes the signal away.
func (e *Engine) Woken() { e.wake.fd.Drain() }

// Name implements api.Engine.
func (e *Engine) Name() string { return e.name }

// Features implements api.Engine.
func (e *Engine) Features() api.Features { return e.feats }

// Driver is what performs the operations.
func (e *Engine) Driver() Driver { return e.drv }

// enter is what Submit and Complete have in common.
func (e *Engine) enter() error {
	if e.closed.Load() {
		return api.ErrClosed
	}
	if !e.owner.Mine() {
		return api.ErrNotOwner
	}
	if e.failed != nil {
		return e.failed
	}
	if e.bound {
		return nil
	}
	if err := e.drv.Bind(); err != nil {
		return err
	}
	e.bound = true
	return nil
}

// Submit implements api.Engine.
func (e *Engine) Submit(ops []api.Op) (int, error) {
	if err := e.enter(); err != nil {
		return 0, err
	}
	c := chain{head: none, tail: none}
	for i := 0; i < len(ops); i++ {
		if c.len == 0 && !e.holding {
			if i += e.takeSimple(ops[i:]); i == len(ops) {
				break
			}
		}
		s, err := e.take(&ops[i], i)
		if err != nil {
			return e.untake(ops[:i], c.len), err
		}
		if ops[i].Flags&api.ChainFlags == 0 && c.len == 0 && !e.holding {
			e.startClock(s)
			e.run.Push(s.ID())
			continue
		}
		if e.extend(&c, s); ops[i].Flags&(api.Link|api.HardLink) == 0 || i == len(ops)-1 {
			e.launch(c)
			c = chain{head: none, tail: none}
		}
	}
	return len(ops), nil
}

// takeSimple takes those at the beginning of ops that are simple, and says how many they are. It is most of them, and they need but a slot and a
// place in the queue.
func (e *Engine) takeSimple(ops []api.Op) int {
	if room := e.opt.MaxInFlight - int(e.submitted-e.ended); len(ops) > room {
		ops = ops[:max(room, 0)] // who takes the next one finds that there is no room
	}
	for len(e.slots.free) < len(ops) && e.slots.grow() {
	}
	ops = ops[:min(len(ops), len(e.slots.free))]
	free, slots, codes, seq := e.slots.free, e.slots.all, simple&e.plain, e.submitted
	ids := e.run.extend(len(ops))
	n := 0
	for ; n < len(ops); n++ {
		op := &ops[n]
		if codes>>op.Code&1 == 0 || op.Flags&^api.FixedFile != 0 || op.Deadline != 0 || op.Personality != 0 {
			break
		}
		s := slots[free[len(free)-1-n]]
		s.Op = *op
		s.use = use{dir: optab.None, Held: none, state: stateSubmitted, simple: true}
		id := s.ID()
		op.ID, s.Op.ID, ids[n] = id, id, id
		s.seq = seq + uint64(n)
		raceSubmit(&s.Op)
	}
	e.run.shorten(len(ops) - n)
	e.slots.free = free[:len(free)-n]
	e.slots.used += n
	e.submitted += uint64(n)
	if offheap.Any() {
		for _, id := range ids[:n] {
			e.slots.at(int32(id.Slot())).holdMemory()
		}
	}
	return n
}

// take gives op a slot.
func (e *Engine) take(op *api.Op, i int) (*Slot, error) {
	switch {
	case !op.Code.Valid():
		return nil, &api.InvalidOpError{Index: i, Code: op.Code, Reason: "there is no operation with this code"}
	case !op.Flags.Known():
		return nil, &api.InvalidOpError{Index: i, Code: op.Code, Reason: fmt.Sprintf("it has flags that do not exist: %#x", uint32(op.Flags))}
	case e.submitted-e.ended >= uint64(e.opt.MaxInFlight):
		return nil, api.ErrQueueFull
	case e.plain>>op.Code&1 == 0:
		if err := e.admit(op.Code); err != nil {
			return nil, err
		}
	}
	s := e.slots.get()
	s.Op = *op
	if optab.Of(op.Code).FD2 && op.Args != nil {
		if s.FD2 = op.Args.FD2; s.FD2 >= 0 {
			e.pairUp(s)
		}
	}
	op.ID = s.ID()
	s.Op.ID = op.ID
	s.state = stateSubmitted
	if s.counts = e.plain>>op.Code&1 == 0; s.counts {
		e.unstarted++
	}
	s.seq = e.submitted
	raceSubmit(&s.Op)
	s.holdMemory()
	e.submitted++
	return s, nil
}

// simple are the operations that, without flags and a deadline, alone, and with a worker only if they turn out to need one, are
// on no list but that of their file, and whose result is nothing but a number: see endSimple.
var simple = api.Ops(api.OpNop, api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev, api.OpReadFixed, api.OpWriteFixed, api.OpReadvFixed, api.OpWritevFixed,
	api.OpRecv, api.OpSend, api.OpRecvMsg, api.OpSendMsg, api.OpFsync)

// startClock makes the time of a timeout, or of its update, count from now: from Submit, or from when its turn has come.
func (e *Engine) startClock(s *Slot) {
	switch s.Op.Code {
	case api.OpTimeout:
		e.stamp(s)
	case api.OpTimeoutRemove:
		s.due = int64(api.Now())
	}
}

// untake takes back the last n of ops, a chain that could not be taken whole, and says how many are left.
func (e *Engine) untake(ops []api.Op, n int) int {
	left := len(ops) - n
	for i := range ops[left:] {
		op := &ops[left+i]
		s := e.slots.lookup(op.ID)
		op.ID = 0
		raceDone(&s.Op)
		s.releaseMemory()
		if s.state == stateChained {
			e.chained--
		}
		if s.timed != 0 {
			e.untime(s)
		}
		if s.counts {
			e.handed(s)
		}
		e.uncount(s)
		e.dropShadow(s)
		e.slots.put(s)
		e.submitted--
	}
	return left
}
