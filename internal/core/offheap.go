package core

import (
	"github.com/sluiceio/sluice/internal/offheap"
	"github.com/sluiceio/sluice/internal/optab"
)

// holdMemory keeps the memory of an operation mapped that is none of the Go heap's, from Submit until it has ended.
func (s *Slot) holdMemory() {
	if !offheap.Any() {
		return
	}
	s.holdPart(s.Op.Buf)
	if m := s.Op.Msg; m != nil && optab.Of(s.Op.Code).Msg {
		for _, b := range m.Bufs {
			s.holdPart(b)
		}
		s.holdPart(m.Control)
	}
}

func (s *Slot) holdPart(b []byte) {
	m := offheap.Hold(b)
	for _, have := range s.maps {
		if m == have && m != nil {
			m.Release() // an operation counts once
			return
		}
	}
	if m != nil {
		s.maps = append(s.maps, m)
	}
}

func (s *Slot) releaseMemory() {
	for i, m := range s.maps {
		s.maps[i] = nil
		m.Release()
	}
	s.maps = s.maps[:0]
}
