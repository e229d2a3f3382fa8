package readiness

import (
	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/attempt"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/optab"
)

// fileless performs an operation that acts on no file that is open: a path, what makes a file, or memory. It never
// waits but in a worker.
func (d *driver) fileless(s *core.Slot) {
	res, v := d.try.Try(s)
	if v == attempt.Blocking {
		s.Leg = legPooled
		d.pool.Submit(s)
		return
	}
	d.end(s, res)
}

// end ends s, which may have made files.
func (d *driver) end(s *core.Slot, res int32) {
	switch {
	case res < 0:
	case optab.Of(s.Op.Code).Opens:
		d.opened(res)
	case s.Op.Code == api.OpPipe:
		d.opened(s.Op.Args.Pipe[0])
		d.opened(s.Op.Args.Pipe[1])
	}
	d.e.End(s, res)
}

// finish takes in what a worker has made of s.
func (d *driver) finish(s *core.Slot, res int32) {
	s.Leg = 0
	if attempt.Resumes(s, res) {
		if !s.Ending() {
			d.run(d.file(s.Op.FD), s)
			return
		}
		res = -int32(api.ECanceled)
	}
	id := s.ID()
	d.end(s, res)
	d.pool.Answer(d.e, id, res)
}

// A splice or tee waits for one of its two files: the first one to be readable, or the second to be writable.

// waitsFor is the file that the verdict v on s is about; f is one of those of s.
func (d *driver) waitsFor(f *file, s *core.Slot, v attempt.Verdict) *file {
	switch {
	case !attempt.TwoFiles(s.Op.Code):
		return f
	case v == attempt.Writable:
		return d.file(s.FD2)
	}
	return d.file(s.Op.FD)
}

// isSecond says whether f is the second file of s, which then waits for it.
func isSecond(f *file, s *core.Slot) bool {
	return attempt.TwoFiles(s.Op.Code) && f.n == s.FD2 && f.n != s.Op.FD
}
