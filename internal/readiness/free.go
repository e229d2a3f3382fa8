package readiness

import (
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
)

// free tries an operation that is on no file of the program's: a waitid, or one on futexes.
func (d *driver) free(s *core.Slot) {
	had := attempt.WaitFD(s)
	res, v := d.try.Try(s)
	switch v {
	case attempt.Thread:
		if errno := d.futex.Start(s); errno != 0 {
			d.e.End(s, -int32(errno))
		}
	case attempt.Readable:
		fd := attempt.WaitFD(s)
		if fd != had {
			d.opened(fd) // just now, for it: whatever was known of the number is of another file
		}
		d.park(d.file(fd), s, v)
	case attempt.Soon:
		d.soon.add(s)
	default:
		d.release(s)
		d.e.End(s, res)
	}
}

// release closes the fd that was made for s, if there is one, of which the Poller must know no more.
func (d *driver) release(s *core.Slot) {
	if s.Extra == nil || s.Extra.FD < 0 {
		return
	}
	f := d.file(s.Extra.FD)
	if f.watch != 0 {
		d.p.Forget(f.n)
		d.count.Enters++
	}
	f.reset()
	d.count.Enters++
	attempt.Release(s)
}
