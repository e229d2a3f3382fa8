package reactor

// Remote is a handle on a connection for any goroutine, at any time, also when the connection is no more. The zero Remote is one of none. Two that
// are equal are of the same connection.
type Remote struct{ c *Conn }

// Post has fn called in the connection's turn, like a callback, behind those posted before. It does not wait. ErrClosed says that
// the connection is no more; without an error, fn is called unless the connection ends before.
func (r Remote) Post(fn func(*Conn)) error {
	if r.c == nil || r.c.gone.Load() {
		return ErrClosed
	}
	return r.c.drv.post(&note{c: r.c, fn: fn})
}

// Wake has OnData called, whether there is input or not. It does not wait. ErrClosed says that the connection is no more.
func (r Remote) Wake() error { return r.Post(wake) }

func wake(c *Conn) {
	if c.asked&askJoin == 0 {
		c.handler.OnData(c)
	}
}

// Close is Conn.Close.
func (r Remote) Close() error { return r.Post((*Conn).Close) }

// Abort is Conn.Abort.
func (r Remote) Abort(err error) error { return r.Post(func(c *Conn) { c.Abort(err) }) }

// Open says whether the connection is not known to have ended.
func (r Remote) Open() bool { return r.c != nil && !r.c.gone.Load() }
