package reactor

import "errors"

// turnMax is how many events of a connection a worker handles before the loop gets what has come out of it, and other connections
// have their turn. More would let the first answer wait for the last, less would hand over more often.
const turnMax = 8

// errGoexit is what a callback that has called runtime.Goexit is said to have panicked with.
var errGoexit = errors.New("reactor: a handler has called runtime.Goexit")

// turn handles some of what has come for a connection.
func (m *mailbox) turn() {
	if m.at == len(m.batch) {
		m.fetch()
	}
	for end := min(len(m.batch), m.at+turnMax); m.at < end; {
		m.handleTo(end)
	}
}

// handleTo handles events up to an index, or the first that panics.
func (m *mailbox) handleTo(end int) {
	calm := false
	defer func() {
		if !calm {
			m.panicked(recover())
		}
	}()
	for m.at < end {
		e := m.batch[m.at]
		m.batch[m.at] = event{} // so that it keeps nothing alive
		m.at++
		m.handle(&e)
	}
	calm = true
}

// deaf says that there is no callback any more but OnClose.
func (m *mailbox) deaf() bool {
	return m.failed != nil || m.c.asked&(askClose|askAbort) != 0 || m.c.gone.Load()
}

func (m *mailbox) handle(e *event) {
	c := m.c
	if e.kind == evAgain {
		m.handled += m.u.cfg.WorkQueue
	}
	switch {
	case e.kind == evEnd:
		m.end()
		return
	case e.kind != evOpen && m.deaf():
		m.handled += len(e.buf)
		m.giveBack(e)
		return
	}
	sent := c.sent.Load()
	m.call(e)
	m.called(c.written - sent)
}

// call calls the handler.
func (m *mailbox) call(e *event) {
	c := m.c
	switch e.kind {
	case evOpen:
		c.handler.OnOpen(c)
	case evRun:
		e.fn(c)
	case evEOF:
		m.eof = true
		if c.asked&askJoin == 0 {
			c.handler.OnEOF(c)
		}
	default:
		m.input(e)
		if len(c.in) > 0 && c.asked&askJoin == 0 { // else handOver is on its way
			c.handler.OnData(c)
		}
	}
}

// input puts what has come behind what there is.
func (m *mailbox) input(e *event) {
	m.handled += len(e.buf)
	if len(m.c.in) > 0 {
		m.c.append(e.buf)
		m.giveBack(e)
		return
	}
	if len(e.buf) > 0 {
		m.c.in = e.buf
		m.lent = *e
	}
}

// called ends a callback. unsent is the most that Conn.Unsent can have told it: the loop goes on sending, and what the handler has
// done, or not, it has done because of what it has seen.
func (m *mailbox) called(unsent uint64) {
	c := m.c
	if m.lent.kind != evNone {
		c.keep()
		m.giveBack(&m.lent)
		m.lent = event{}
	}
	c.trim()
	again := c.asked&askAgain != 0
	c.asked &^= askAgain // once: kept, it would stop the reading at each outcome
	full := len(c.in) >= m.u.cfg.MaxInput
	switch {
	case len(c.in) == 0 || c.asked&(askJoin|askPause) != 0:
	case full && unsent == 0:
		m.failed = ErrInputFull // nothing can make that less
	case full || again || unsent > uint64(m.u.cfg.WriteHigh):
		m.blocked = true
	}
}

// giveBack gives the memory of input back.
func (m *mailbox) giveBack(e *event) {
	switch e.kind {
	case evData:
		m.leases = append(m.leases, e.lease)
	case evCopy:
		m.u.spare.put(e.buf)
	}
}

// end calls OnClose.
func (m *mailbox) end() {
	c := m.c
	m.ended = true
	defer m.u.srv.release() // also when OnClose panics
	c.handler.OnClose(&Ended{c}, c.io.err)
	m.forget()
}

func (m *mailbox) forget() {
	m.c.in, m.c.heap = nil, nil
	m.c.tx.drop()
}

// panicked is what happens when a callback has panicked with v, or, with nil, has called runtime.Goexit.
func (m *mailbox) panicked(v any) {
	if v == nil {
		v = errGoexit
	}
	if m.lent.kind != evNone {
		m.c.in = nil
		m.giveBack(&m.lent)
		m.lent = event{}
	}
	err := m.u.srv.panicked(v)
	if m.ended {
		m.forget() // it was OnClose
		return
	}
	m.failed = err
}
