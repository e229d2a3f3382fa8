package reactor

// Loop is a loop of a server, as OnTick sees it. A server of a variant without loops has one for all of its connections.
type Loop struct{ l ticking }

// ticking is a loop, or what is in its stead.
type ticking interface {
	number() int
	count() int
	each(fn func(*Conn) bool)
}

// Index is the number of the loop, from 0 on.
func (t *Loop) Index() int { return t.l.number() }

// Conns is how many connections it has.
func (t *Loop) Conns() int { return t.l.count() }

// Each calls fn with a handle on each open connection of the loop, until it returns false.
func (t *Loop) Each(fn func(Remote) bool) { t.l.each(func(c *Conn) bool { return fn(Remote{c}) }) }

func (l *loop) number() int { return l.index }

func (l *loop) count() int { return l.open }

func (l *loop) each(fn func(*Conn) bool) {
	for _, c := range l.conns {
		if c != nil && c.io.is(stOpened) && !c.gone.Load() && !fn(c) {
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
