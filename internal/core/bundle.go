package core

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

// A receive with Bundle fills one buffer of its group after the other with what is there, and has a completion for each. The last one of a
// receive that is no multishot is known only when there is no more: until then the driver holds it back, in Slot.Held and Slot.Done.

// Hold keeps the next n bytes of a buffer, which s has filled, until the driver knows whether there is more.
func (s *Slot) Hold(bid uint16, n int32) { s.Held, s.Done = int32(bid), n }

// Holds says whether s has something on hold.
func (s *Slot) Holds() bool { return s.Held != none }

// EmitHeld delivers what is on hold, and says that more follows.
func (e *Engine) EmitHeld(s *Slot) {
	bid, n := uint16(s.Held), s.Done
	s.Held, s.Done = none, 0
	e.EmitBuffer(s, bid, n)
}

// unbundle takes the flag Bundle from a receive on other than a stream: a datagram or record is in one buffer.
func unbundle(op *api.Op) {
	if op.Code != api.OpRecv || op.Flags&api.Bundle == 0 {
		return
	}
	if typ, errno := sysx.SocketType(op.FD); errno != 0 || typ != syscall.SOCK_STREAM {
		op.Flags &^= api.Bundle
	}
}
