package reactor

import "github.com/sluiceio/sluice/api"

// Stats are counters of a server since its start, over all loops.
type Stats struct {
	Accepted     uint64 // connections that were accepted
	Closed       uint64 // connections that have ended, dialled ones too
	Open         int    // connections that are open at present
	AcceptFailed uint64 // times that a listener had to rest, for want of fds say, or that a connection was closed for want of Config.Engine.MaxInFlight

	PacketsIn      uint64 // datagrams that were received
	PacketsOut     uint64 // datagrams that were sent
	PacketsDropped uint64 // replies that were not, since too many waited, or the system has refused them

	Engines []api.Stats // of each loop's engine; none for the variants without
}

// Stats reads the counters. Those of different loops are not of the same moment.
func (s *Server) Stats() Stats {
	t := Stats{Open: int(s.conns.Load())}
	for _, l := range s.loops {
		t.Accepted += l.accepted.Load()
		t.Closed += l.closed.Load()
		t.AcceptFailed += l.failed.Load()
		t.PacketsIn += l.packetsIn.Load()
		t.PacketsOut += l.packetsOut.Load()
		t.PacketsDropped += l.packetsDropped.Load()
		t.Engines = append(t.Engines, l.engine.Stats())
	}
	if b := s.blocking; b != nil {
		t.Accepted, t.Closed, t.AcceptFailed = b.accepted.Load(), b.closed.Load(), b.failed.Load()
	}
	return t
}
