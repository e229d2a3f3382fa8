package reactor

// Loop is a loop of a server, as OnTick sees it.
type Loop struct{ l *loop }

// Index is the number of the loop, from 0 on.
func (t *Loop) Index() int { return t.l.index }

// Conns is how many connections it has.
func (t *Loop) Conns() int { return t.l.open }

// Each calls fn with a handle on each open connection of the loop, until it returns false.
func (t *Loop) Each(fn func(Remote) bool) {
	for _, c := range t.l.conns {
		if c != nil && c.io.is(stOpened) && !c.gone.Load() && !fn(Remote{c}) {
			return
		}
	}
}

// onTick calls OnTick. A panic of it is logged, and nothing else.
func (s *Server) onTick(l *loop) { l.protect(func() { s.handler.OnTick(&Loop{l}) }) }

// protect calls fn, and logs a panic. If it was that of a connection's callback, the connection ends.
func (l *loop) protect(fn func()) {
	defer func() {
		v := recover()
		switch {
		case v == nil:
		case l.cur != nil:
			l.recovered(v)
		default:
			l.srv.panicked(v)
		}
	}()
	fn()
}
