package reactor

import (
	"net"

	"github.com/sluiceio/sluice/api"
)

// ioState is the side of a connection that its loop works on.
type ioState struct {
	flight    item        // what is being sent
	gather    *gather     // and what else is, if it is more than one item
	file      *outfile    // the part of a file that is being sent
	fwd       *forwarding // Conn.fwd, as the handler's side has handed it over
	joint     *joint      // to which connection it is joined, when stJoined
	receive   api.OpID    // the multishot receive, when stReceiving
	left      int         // bytes of input that the handler has not consumed
	written   uint64      // bytes of output that the handler's side has handed over
	forwarded uint64      // and behind those, bytes that have come from the connection to which it is joined
	sentBytes uint64      // of both, those that were sent
	opened    api.Instant // when it was accepted
	active    api.Instant // when something last came or went
	alarm     api.Instant // what the timer is set to; 0: not set
	readBy    api.Instant
	writeBy   api.Instant
	lingerBy  api.Instant
	err       error // why the connection ends
	dialled   net.Addr
	ops       int32 // in flight, which refer to slot
	fd        int32
	slot      uint32
	state     state
}

// state are facts about a connection.
//
//	dialling ── opened ─┬─ closing ── (all sent) ──┬─ lingering ─┬─ dead ── (no operation left) ── ended
//	                    │                          └─────────────┤
//	                    └───────────── error, abort ─────────────┘
type state uint32

const (
	stOpened    state = 1 << iota // OnOpen was called
	stReceiving                   // the multishot receive is in flight
	stCanceling                   // and is being cancelled
	stEOF                         // the peer sends no more
	stFull                        // not read because of too much output
	stClosing                     // closed by Close when all is sent; input is dropped
	stFin                         // to be shut down for writing when all is sent
	stShut                        // was shut down for writing
	stLingering                   // all is sent, input is dropped until the peer ends
	stDead                        // the close of the fd is in flight, or done
	stGiven                       // the close has been submitted: the fd is the engine's
	stClosed                      // the fd is closed
	stStarved                     // it waits for a buffer, in loop.starved
	stSending                     // a send is in flight
	stHeld                        // the worker has not consumed Config.WorkQueue bytes yet
	stPaused                      // Conn.Pause
	stSeen                        // input has come
	stLeft                        // the handler has left input unconsumed
	stJoined                      // Conn.Forward: the handler gets no input any more
	stBlocked                     // not read because the connection to which it is joined has too much output, or is not ready to take it
	stFlush                       // in loop.flush
	stReading                     // the reading of a file is in flight
)

// unsent is how many bytes of output wait to be sent, or are being sent.
func (s *ioState) unsent() int { return clamp(s.written + s.forwarded - s.sentBytes) }

func (s *ioState) is(f state) bool  { return s.state&f != 0 }
func (s *ioState) set(f state)      { s.state |= f }
func (s *ioState) clear(f state)    { s.state &^= f }
func (s *ioState) all(f state) bool { return s.state&f == f }
