package reactor

import (
	"hash/maphash"

	"github.com/sluiceio/sluice/sock"
)

var hashSeed = maphash.MakeSeed()

// choose says which loop a connection belongs to, that from has accepted.
func (s *Server) choose(from *loop, fd int32) *loop {
	if len(s.loops) == 1 || s.cfg.Balance == ReusePort && !from.hands {
		return from
	}
	switch s.cfg.Balance {
	case LeastConns:
		return s.least()
	case Hash:
		peer, err := sock.PeerAddr(int(fd))
		if err != nil || !peer.IP.IsValid() {
			break
		}
		ip := peer.IP.Addr().As16()
		return s.loops[maphash.Bytes(hashSeed, ip[:])%uint64(len(s.loops))]
	}
	return s.loops[int(s.turn.Add(1)-1)%len(s.loops)]
}

func (s *Server) least() *loop {
	best := s.loops[0]
	for _, l := range s.loops[1:] {
		if l.openNow.Load() < best.openNow.Load() {
			best = l
		}
	}
	best.openNow.Add(1) // until it counts itself: those that are under way count, too
	return best
}
