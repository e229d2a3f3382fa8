package readiness

import (
	"slices"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// direct are the reads and writes that go around the page cache, at a position of their own. Linux does these without a thread that
// waits (io_submit(2)), and tells the fd that wakes the engine when one has ended. Workers do what it does not take. With threads of
// Go's a disk cannot be kept busy: each that waits holds a processor until the runtime's monitor takes it away, some 50 µs later.
//
// It is tried when it is first needed; Tries.Async says whether there is such a thing.
type direct struct {
	aio   *sysx.AIO
	list  []*core.Slot // to be submitted in this Turn or the next
	spare []*core.Slot // the memory of the last list
	out   int          // how many are with the kernel
}

// block has s performed where it may wait.
func (d *driver) block(s *core.Slot) {
	q := &d.direct
	if !d.try.Async || !attempt.Direct(s) {
		s.Leg = legPooled
		d.pool.Submit(s)
		return
	}
	if q.out+len(q.list) == sysx.AIOMax {
		d.threaded(s)
		return
	}
	s.Leg = legDirect
	q.list = append(q.list, s)
}

// threaded leaves to a worker what the kernel does not do without a thread.
func (d *driver) threaded(s *core.Slot) {
	s.Leg = 0
	switch same, errno := d.try.Again(s); {
	case errno != 0:
		d.e.End(s, -int32(errno))
	case same:
		s.Leg = legPooled
		d.pool.Submit(s)
	case s.Done > 0:
		d.e.End(s, s.Done)
	default:
		d.run(d.file(s.Op.FD), s)
	}
}

// submitDirect hands to the kernel what is on the list.
func (d *driver) submitDirect() {
	q := &d.direct
	if len(q.list) == 0 {
		return
	}
	if q.aio == nil {
		d.count.Enters++
		aio, errno := sysx.NewAIO(d.e.WakeFD())
		if d.try.Async = errno == 0; d.try.Async {
			q.aio = aio
		}
	}
	list := q.list
	q.list, q.spare = q.spare[:0], nil
	for left := list; len(left) > 0; {
		n := 0
		if d.try.Async {
			for _, s := range left {
				q.aio.Add(s.Op.FD, s.Msg.Vecs(), s.Op.Off, verdictOf(s) == attempt.Writable, uint64(s.ID()))
			}
			d.count.Enters++
			n, _ = q.aio.Submit() // a worker meets the same error, if it is one
			q.out += n
		}
		if left = left[n:]; len(left) > 0 {
			d.threaded(left[0])
			left = left[1:]
		}
	}
	clear(list)
	q.spare = list[:0]
}

// fetchDirect ends what the kernel has done.
func (d *driver) fetchDirect() {
	if d.direct.out == 0 {
		return
	}
	d.count.Enters++
	events := d.direct.aio.Events()
	d.direct.out -= len(events)
	for i := range events {
		id := api.OpID(events[i].Data)
		if s := d.e.Lookup(id.Slot(), id.Generation()); s != nil {
			d.directDone(s, events[i].Res)
		}
	}
}

// directDone takes in the result of s. What it has not done, for it would have had to wait for something but the disk, is done by a
// worker, which also finds out what is wrong.
func (d *driver) directDone(s *core.Slot, res int64) {
	s.Leg = 0
	if res > 0 {
		s.Done += int32(res)
		s.Msg.Advance(int(res))
	}
	if res == 0 || s.Msg.Len() == 0 || s.Ending() {
		if res < 0 {
			res = -int64(api.ECanceled)
		}
		d.e.End(s, int32(res))
		return
	}
	d.threaded(s)
}

// withdraw takes s off the list, and says whether it was there.
func (q *direct) withdraw(s *core.Slot) bool {
	i := slices.Index(q.list, s)
	if i < 0 {
		return false
	}
	q.list = slices.Delete(q.list, i, i+1)
	return true
}

// close frees the context. Nothing is in flight any more.
func (q *direct) close() {
	if q.aio != nil {
		q.aio.Close()
	}
}
