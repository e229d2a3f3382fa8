package core

import (
	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
	"github.com/sluiceio/sluice/internal/optab"
)

// readers are the operations that only read their memory.
var readers = api.Ops(api.OpWrite, api.OpWritev, api.OpSend, api.OpSendMsg, api.OpSendZC, api.OpSendMsgZC, api.OpSetxattr, api.OpFsetxattr, api.OpWriteFixed, api.OpWritevFixed)

// seal remembers what an operation that begins is to write, in the invariants build: unseal then tells when the program has changed it
// meanwhile, in any goroutine, and where the race detector is not there. Not from Submit on, for a receive before it in its chain may be what
// puts it there.
func (s *Slot) seal() {
	if invariants.Enabled && readers.Has(s.Op.Code) {
		s.wax = s.sum()
	}
}

func (s *Slot) unseal() {
	if invariants.Enabled && readers.Has(s.Op.Code) {
		was, is := s.wax.Take(), s.sum()
		if was != 0 && was != is.Take() { // looked at first: the arguments would be allocated
			invariants.Check(false, "the program has changed the memory of the %v with tag %d before that has completed", s.Op.Code, s.Op.Tag)
		}
	}
}

func (s *Slot) sum() (sum invariants.Seal) {
	sum.Put(s.Op.Buf)
	if optab.Of(s.Op.Code).Vector && s.Op.Msg != nil {
		for _, b := range s.Op.Msg.Bufs {
			sum.Put(b)
		}
	}
	if s.Group != nil && s.Op.Code == api.OpSend {
		for _, b := range s.Group.line.sending() {
			sum.Put(s.Group.bufs[b.bid][:b.n])
		}
	}
	return sum
}
