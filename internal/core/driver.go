package core

import (
	"time"

	"github.com/sluiceio/sluice/api"
)

// Driver performs operations for an Engine. The engine's owner makes all calls, except that
// with the strategy Park on a driver without PollFD, Turn runs in a goroutine of the engine while
// the owner waits for it.
type Driver interface {
	// Attach is called once, before all else. The driver keeps e to report to.
	Attach(e *Engine) error

	// Bind is called once, at the first Submit or Complete, in the goroutine that is the owner from then on.
	Bind() error

	// Start begins the operation in s. The driver calls e.Emit for each completion with more
	// to follow and e.End for the last one, during Start or in a later Turn.
	// For OpClose, no other operation on the fd is in flight. Of an operation that notifies (optab.Info), it counts in Slot.Notifs
	// what reads its memory, and calls e.Notified each time that one of those does so no more, before e.End or after.
	Start(s *Slot)

	// Cancel ends a started operation early if it can. Where that is possible at once, it
	// calls e.End with -ECANCELED (or with what had been moved) and returns Ended. If the operation can
	// no longer be stopped it returns Unstoppable. If the answer comes later it returns Pending,
	// and calls e.CancelDone(by, res) when it is there; by is nil when nobody asks.
	Cancel(s, by *Slot) CancelResult

	// Rearm lets the poll in s, which has been started and has not ended, begin anew. Its mask has changed, or it is
	// level-triggered and rests (see Engine.Rest). It reports what holds already, and nothing that has been found
	// before and does not fit the mask.
	Rearm(s *Slot)

	// Turn hands to the kernel what Start has gathered, and reports what has happened since. It
	// waits up to d (negative: without limit) for about need things to happen, or until
	// the wake fd becomes readable. A negative need says that there are completions enough already: what has
	// happened since may as well wait for one of the next Turns. It stops reporting when e.Room is 0 and goes on in the next Turn. The errors that it returns
	// are those after which the engine cannot be used.
	Turn(need int, d time.Duration) error

	// Limit is how long the next Turn may wait as far as the driver is concerned: 0 when it has more to
	// report without waiting, negative for no limit.
	Limit() time.Duration

	// BeforePark is called when a Turn has reported nothing and the owner is about to park on PollFD. It says
	// that there is a reason not to.
	BeforePark() bool

	// PollFD is the fd that becomes readable when Turn has something to report, to be parked on; -1
	// where there is none.
	PollFD() int

	// AddGroup and RemoveGroup tell of the buffer groups. Recycle tells that a buffer of a
	// group has come back, where AddGroup said that the driver hands out the buffers itself
	// (the kernel does, from a ring) and names each one that is used in EmitBuffer or EndBuffer. What it has taken and delivers in
	// no completion it takes back itself, and calls Group.Touch.
	AddGroup(g *Group) (handsOut bool, err error)
	RemoveGroup(g *Group)
	Recycle(g *Group, bid uint16)

	// Enters counts the system calls that the driver has made, and those that may have
	// blocked; Overflows, Blocking, PoolDepth and PoolQueued are as in api.Stats.
	Counters() Counters

	// Close frees everything. Nothing is in flight any more.
	Close() error
}

// Resizer is what a Driver is, too, when it has queues whose sizes are Options.Entries and CQEntries.
type Resizer interface {
	// Resize gives the queues the sizes in o. Completions that it takes in meanwhile are kept for the next Complete, however
	// many they are. The errors are those of api.Engine.ResizeQueues.
	Resize(o *api.Options) error
}

// Receiver is what a Driver is, too, when it can have a network card write into the memory of a group.
type Receiver interface {
	// AddArea gives the memory of g, which is mem, to the receive queue that o names, of an interface that there is. From then on each piece of data is told of with EmitPiece,
	// and each that is released with Recycle. The driver keeps mem from being used for anything else until RemoveGroup, and Close. An *api.UnavailableError says
	// why the card, the kernel, or the ring cannot; any other error is the program's.
	AddArea(g *Group, mem []byte, o *api.ZeroCopyOptions) error
}

// Batcher is what a Driver is, too, when it can wait for more than one thing at a time.
type Batcher interface {
	// Batch says that the next Turn, if it waits at all, shall wait until as many things have happened as it is told to need, for no longer than
	// left, and from then on for one. It may wait for one only; what it needs may have happened, and not show, before left is over.
	Batch(left time.Duration)
}

// Noper is what a Driver is, too, when it can begin many nops for less than one at a time.
type Noper interface {
	// StartNops is Start for nops, and says how many it has begun: fewer than there are where it has no room. It ends none of them.
	StartNops(ids []api.OpID) int
}

// Counters are what a driver counts for api.Stats.
type Counters struct {
	Enters, Waits, Overflows, Blocking, PoolDepth, PoolQueued, Stale uint64
}

// CancelResult is what Driver.Cancel answers.
type CancelResult uint8

// The answers of Driver.Cancel.
const (
	Ended       CancelResult = iota // End has been called
	Unstoppable                     // it will end by itself
	Pending                         // CancelDone will be called
	gone                            // another cancel has it; the core's own answer
)
