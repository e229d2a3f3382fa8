package iouring

import (
	"fmt"
	"testing"
)

// BenchmarkNop measures the cost of one request without any work behind it. The figure is per request, not per batch.
func BenchmarkNop(b *testing.B) {
	for _, s := range setups {
		for _, batch := range []int{1, 32} {
			b.Run(fmt.Sprintf("ring=%s/batch=%d", s.name, batch), func(b *testing.B) {
				var r *Ring
				if s.owned {
					r = newOwnedRing(b, 64, s.flags)
					if err := r.RegisterRingFD(); err != nil {
						b.Fatal(err)
					}
				} else {
					r = newRing(b, 64, s.flags)
				}
				benchmarkNop(b, r, batch)
			})
		}
	}
}

func benchmarkNop(b *testing.B, r *Ring, batch int) {
	b.ReportAllocs()
	pending, reaped := 0, uint64(0)
	for b.Loop() {
		s := r.NextSQE()
		s.PrepNop()
		s.UserData = 1
		if pending++; pending < batch {
			continue
		}
		if _, errno := r.Enter(r.Flush(), uint32(batch), IORING_ENTER_GETEVENTS); errno != 0 {
			b.Fatal(errno)
		}
		head, tail := r.Peek()
		for i := head; i != tail; i++ {
			reaped += r.CQEAt(i).UserData
		}
		r.Advance(tail - head)
		pending = 0
	}
	if want := uint64(b.N - pending); reaped != want {
		b.Errorf("got %d completions, want %d", reaped, want)
	}
}

func BenchmarkBufRingRecycle(b *testing.B) {
	r := newRing(b, 8, 0)
	br := newBufRing(b, r, 64, 1, 0)
	a := newArena(b, 64, 64)
	b.ReportAllocs()
	var bid uint16
	for b.Loop() {
		a.add(br, bid&63)
		br.Publish()
		bid++
	}
}
