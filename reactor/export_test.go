package reactor

import "github.com/sluiceio/sluice/api"

// EachLoop has fn called in each loop, and waits for it. It is false when one has ended.
func EachLoop(s *Server, fn func(l *loop)) bool {
	done := make(chan struct{})
	for _, l := range s.loops {
		if l.tell(func(l *loop) { fn(l); done <- struct{}{} }) != nil {
			return false
		}
		<-done
	}
	return true
}

// Lent is how many buffers of all loops are out.
func Lent(s *Server) (n int) {
	EachLoop(s, func(l *loop) { n += l.group.Count() - l.group.Available() })
	return n
}

// Waiting is how many bytes of input wait for workers, of the connection of which the most do.
func Waiting(s *Server) (n int) {
	EachLoop(s, func(l *loop) {
		for _, c := range l.conns {
			if c != nil && c.mail != nil {
				n = max(n, c.mail.waiting)
			}
		}
	})
	return n
}

// Kept is how many operations that were submitted the loops still refer to the memory of.
func Kept(s *Server) (n int) {
	EachLoop(s, func(l *loop) {
		for _, op := range l.ops[len(l.ops):cap(l.ops)] {
			if op.Buf != nil || op.Msg != nil || op.Args != nil {
				n++
			}
		}
	})
	return n
}

// BreakEngines makes the engines of all loops fail.
func BreakEngines(s *Server) { EachLoop(s, func(l *loop) { _ = l.engine.Close() }) }

// BreakBehindClose has a loop close its first connection, or its listener, and the engine fail: before that is submitted, or else when it has been
// performed, and the completion is lost. closed is called in between, with the number.
func BreakBehindClose(s *Server, listener, submitted bool, closed func(fd int)) {
	_ = s.loops[0].tell(func(l *loop) {
		var fd int32
		if listener {
			fd = l.listeners[0].fd
			l.unlisten(0)
		} else {
			fd = l.conns[0].io.fd
			l.kill(l.conns[0])
		}
		if submitted {
			n, _ := l.engine.Submit(l.ops)
			l.submitted(l.ops[:n])
			l.ops = l.ops[:copy(l.ops, l.ops[n:])]
			for lost, done := false, make([]api.Completion, 1); !lost; {
				n, err := l.engine.Complete(done, api.Wait{Min: 1})
				lost = err != nil || n > 0 && done[0].Code == api.OpClose
			}
		}
		closed(int(fd))
		_ = l.engine.Close()
	})
}

// Pooled says whether the variant has workers.
func (v Variant) Pooled() bool { return v.pooled() }

// Lanes are how many pipes all loops have, and how many of them are in use.
func Lanes(s *Server) (all, used int) {
	EachLoop(s, func(l *loop) {
		all += len(l.lanes)
		used += len(l.lanes) - len(l.freeLanes)
	})
	return all, used
}

// LimitLanes lets each loop have n pipes.
func LimitLanes(s *Server, n int) { EachLoop(s, func(l *loop) { l.lanesMost = n }) }

// Laden are how many pipes are full, and wait to be emptied.
func Laden(s *Server) (n int) {
	EachLoop(s, func(l *loop) {
		for _, ln := range l.lanes {
			if ln.out {
				n++
			}
		}
	})
	return n
}

// TakeLane asks the loops for a pipe of some size each, and gives it back. It says whether there is one in the last.
func TakeLane(s *Server, size int) (ok bool) {
	EachLoop(s, func(l *loop) {
		ln := l.getLane(size)
		if ok = ln != nil; ok {
			l.putLane(ln)
		}
	})
	return ok
}

// Filling is how many pipes are being filled by joins.
func Filling(s *Server) (n int) {
	EachLoop(s, func(l *loop) {
		for _, c := range l.conns {
			if c != nil && c.io.joint != nil && c.io.joint.filling {
				n++
			}
		}
	})
	return n
}

// BreakAtAccept has the engine of the only loop fail in the Complete that tells of a connection.
func BreakAtAccept(s *Server, err error) {
	told, done := make(chan struct{}), make(chan struct{})
	_ = s.loops[0].tell(func(l *loop) {
		<-told // behind which nobody wakes it any more, which is what engine is else looked at for
		l.engine = &breaking{l.engine, err}
		close(done)
	})
	close(told)
	<-done
}

type breaking struct {
	api.Engine
	err error
}

func (b *breaking) Complete(dst []api.Completion, w api.Wait) (int, error) {
	n, err := b.Engine.Complete(dst, w)
	for i := range n {
		if dst[i].Code == api.OpAccept && dst[i].Res >= 0 {
			err = b.err
		}
	}
	return n, err
}

// PostPast is r.Post by somebody who has looked at the connection before it ended.
func PostPast(r Remote, fn func(*Conn)) error { return r.c.drv.post(&note{c: r.c, fn: fn}) }

// Hold stops the first loop, until the function that it returns is called.
func Hold(s *Server) (release func()) {
	held, goOn := make(chan struct{}), make(chan struct{})
	_ = s.loops[0].tell(func(*loop) { close(held); <-goOn })
	<-held
	return func() { close(goOn) }
}
