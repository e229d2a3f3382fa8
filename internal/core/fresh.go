package core

import (
	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
	"github.com/sluiceio/sluice/internal/sysx"
)

// What is here is for the operations that give out fds: in the result (optab.Info.Opens), or as a pipe does, where its Args say, or in the control data of
// a message in a provided buffer.

// fresh is called when the kernel has given out the fd n. A close of that number whose completion has not
// been seen has happened, then, and must not stand in the way of operations on the new file.
func (e *Engine) fresh(n int32) {
	if e.fds.has(n) {
		e.fds.fds[n].anew()
	}
}

// freshPipe is fresh for both ends of the pipe that s has made. It notes them, for they are not in the completion.
func (e *Engine) freshPipe(s *Slot) {
	e.pipe = *s.Op.Args.Pipe
	e.fresh(e.pipe[0])
	e.fresh(e.pipe[1])
}

// madePipe says whether c is of a pipe that has been made, and whose ends are fds.
func madePipe(c *api.Completion) bool {
	return c.Code == api.OpPipe && c.Res == 0 && c.Flags&intoSlot == 0
}

// keep is for a completion that does not fit into dst.
func (e *Engine) keep(c api.Completion) {
	if madePipe(&c) {
		e.pipes.Push(e.pipe)
	}
	e.kept.Push(c)
}

// unkeep takes the first of those back, and the ends of the pipe if it is of one.
func (e *Engine) unkeep() (c api.Completion, pipe [2]int32) {
	c = e.kept.Pop()
	if madePipe(&c) {
		pipe = e.pipes.Pop()
	}
	return c, pipe
}

// drop forgets a completion that nobody will reap. The fds that it tells of are known to nobody else; what is in the table goes with that.
func (e *Engine) drop(c *api.Completion, pipe [2]int32) {
	switch {
	case c.Flags&intoSlot != 0:
	case c.Res >= 0 && optab.Of(c.Code).Opens:
		sysx.Close(c.Res)
	case c.Flags&flagHead != 0:
		dropParts(c.Buf)
	case madePipe(c):
		sysx.Close(pipe[0])
		sysx.Close(pipe[1])
	case c.Code == api.OpRecvZC && c.Lease != 0:
		e.takeBack(c.Lease)
	}
}
