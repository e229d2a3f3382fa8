package core

import (
	"slices"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
	"github.com/sluiceio/sluice/internal/offheap"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
)

// A slot is in one of these states:
//
//	free ──Submit──▶ submitted ──▶ queued ──▶ started ──End──▶ free
//	          │          ▲ │   (behind others)     ▲    │        ▲
//	          ▼          │ └───────────────────────┘    └▶ told ─┘ (zero-copy sends: see notif.go)
//	       chained ──────┘
type state uint8

const (
	stateFree      state = iota
	stateChained         // behind another of its chain
	stateSubmitted       // in the run queue, or held up by a drain
	stateQueued          // in the FIFO of its fd and direction, behind another
	stateStarted         // with the driver, the timers, or waiting for cancels
	stateTold            // has had its result, and waits for its notification
	stateFailing         // has failed, and ends when nothing reads its memory
)

// reason says why an operation is being ended early.
type reason uint8

const (
	reasonNone reason = iota
	reasonCancel
	reasonDeadline
)

// none is no slot, in the links between them.
const none = -1

// Slot holds one operation in flight. Slots never move, so the kernel may be given
// addresses into Msg; they are reused, and their generation tells the uses apart. What every operation needs stands first: a busy engine goes
// through more slots than the nearest cache has room for.
type Slot struct {
	Op    api.Op
	Index int32
	Gen   uint32

	use

	FD    *FD            // of an operation that is on the list of its fd
	Group *Group         // of a BufferSelect
	Msg   *sysx.MsgBuf   // what the kernel reads and writes of Op.Msg; made when first needed, then kept
	Fixed *Buffer        // of an operation on a registered buffer
	maps  []*offheap.Map // that hold its memory; empty for that of the Go heap
	seq   uint64         // how many operations were submitted before

	fifoNext       int32
	fdNext, fdPrev int32 // fdPrev of an operation that is chained: the one before it in its chain
	next           int32 // the next of its chain, or none

	Paths *sysx.PathBuf // the strings of Op.Args; as Msg
	Extra *Extra        // what few operations need; as Msg

	wax invariants.Seal

	// FD2 is Op.Args.FD2 as it was when the operation was submitted, or the descriptor of the registered file that it names.
	FD2 int32

	held    bool // counted in drain.held
	counted bool // in waiting: it is chained or held
	silent  bool // has no completion: the one before it in its chain failed with SkipSuccess
	hidden  bool // is the engine's own: of CancelSync, or the close of a registered file

	// mate is the other slot of an operation on two files, or none. The one of the second file is a shadow: it stands in
	// the lists of that file, and has no completion.
	mate   int32
	shadow bool

	due  int64  // of a timeout: when it expires, by its clock; of an update of one, when it was submitted
	goal uint64 // of a timeout with a count: how many completions the program has been given by then, else 0

	res int32 // of an operation that is failing

	// Job is the pool's own (internal/workers).
	Job uint32
}

// use is what begins anew with each use of a slot. It is together so that a few wide stores set it.
type use struct {
	state  state
	reason reason
	dir    optab.Direction
	timed  uint8 // the queues of time that it is in: see timer.go
	// Phase is how far the attempts at the operation have come (internal/attempt).
	Phase uint8
	// Leg is the driver's own: where the operation is.
	Leg    uint8
	inFIFO bool
	simple bool // endSimple will do

	// Held is a buffer of Group that the operation goes on with, or none: a read that a worker performs has taken it, and a receive with Bundle has
	// filled Done bytes of it while it looks whether there is more.
	Held int32
	// Done is how many bytes an operation has moved that goes on until all is moved.
	Done  int32
	parts int32 // cancels under way on behalf of this one
	// Notifs is how many notifications of the kernel's are to come for a zero-copy send, and Copied that some of its data was copied.
	Notifs int32
	Copied bool
	// Persona is the driver's number of Op.Personality.
	Persona uint16
	// ByPlace is the driver's own: what the kernel has of the operation names the file by FD.Place.
	ByPlace bool
	// ByTable is the driver's own: what the kernel has of the operation names the buffer in the kernel's own table.
	ByTable bool
	counts  bool // among Engine.unstarted
}

// ID is the id of the operation that the slot holds.
func (s *Slot) ID() api.OpID { return api.MakeOpID(uint32(s.Index), s.Gen) }

// Ending says that the operation has been cancelled or has run out of time, and shall move no more.
func (s *Slot) Ending() bool { return s.reason != reasonNone }

// NeedMsg gives the slot its MsgBuf.
func (s *Slot) NeedMsg() *sysx.MsgBuf {
	if s.Msg == nil {
		s.Msg = new(sysx.MsgBuf)
	}
	return s.Msg
}

// NeedPaths gives the slot its PathBuf.
func (s *Slot) NeedPaths() *sysx.PathBuf {
	if s.Paths == nil {
		s.Paths = new(sysx.PathBuf)
	}
	return s.Paths
}

// slotChunk is how many slots are made at a time.
const slotChunk = 256

type slotTable struct {
	all   []*Slot // by index: one step to each, where pages of them would take two
	free  []int32 // the last one freed is used next: its memory is warm
	limit int
	used  int
}

// get gives a slot that is not in use, nil when all are.
func (t *slotTable) get() *Slot {
	if len(t.free) == 0 && !t.grow() {
		return nil
	}
	n := len(t.free) - 1
	s := t.at(t.free[n])
	t.free = t.free[:n]
	t.used++
	s.use = use{dir: optab.None, Held: none}
	return s
}

func (t *slotTable) grow() bool {
	base := len(t.all)
	n := min(slotChunk, t.limit-base)
	if n <= 0 {
		return false
	}
	c := make([]Slot, n)
	t.all = slices.Grow(t.all, n)
	t.free = slices.Grow(t.free, base+n-len(t.free))
	for i := range c {
		c[i].Index = int32(base + i)
		c[i].mate, c[i].next = none, none
		c[i].Gen = 1
		t.all = append(t.all, &c[i])
	}
	for i := n - 1; i >= 0; i-- {
		t.free = append(t.free, int32(base+i))
	}
	return true
}

func (t *slotTable) put(s *Slot) {
	s.Group, s.FD = nil, nil
	s.mate, s.next = none, none
	s.shadow, s.held, s.counted, s.silent, s.hidden = false, false, false, false, false
	t.recycle(s)
}

// recycle is put for a slot of which only these have changed.
func (t *slotTable) recycle(s *Slot) {
	if s.Op.Buf != nil || s.Op.Msg != nil || s.Op.Args != nil {
		s.Op.Buf, s.Op.Msg, s.Op.Args = nil, nil, nil
	}
	s.state = stateFree
	if s.Gen++; s.Gen == 0 {
		s.Gen = 1
	}
	n := len(t.free)
	t.free = t.free[:n+1] // there is room for all slots: see grow
	t.free[n] = s.Index
	t.used--
}

func (t *slotTable) at(i int32) *Slot { return t.all[uint32(i)] }

// lookup gives the slot that holds the operation id, nil when it has ended or never was.
func (t *slotTable) lookup(id api.OpID) *Slot {
	i := id.Slot()
	if uint64(i) >= uint64(len(t.all)) {
		return nil
	}
	s := t.all[i]
	if s.state == stateFree || s.Gen != id.Generation() {
		return nil
	}
	return s
}

// Lookup is for a driver that has only numbers to go by: it gives the slot with this index while it holds the operation of this
// generation, nil afterwards.
func (e *Engine) Lookup(index, generation uint32) *Slot {
	return e.slots.lookup(api.MakeOpID(index, generation))
}

// each calls f for every slot in use.
func (t *slotTable) each(f func(*Slot)) {
	for _, s := range t.all {
		if s.state != stateFree {
			f(s)
		}
	}
}
