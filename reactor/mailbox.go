package reactor

import (
	"sync"

	"github.com/sluiceio/sluice/api"
)

// eventsKept bounds the memory for events that a mailbox keeps when it is empty.
const eventsKept = 64

// mailbox is what passes between a connection's loop and the workers. Only the variants with workers have it.
//
// One of the three sides may touch a field: the loop, the worker that has the connection at present (one at most: busy sees to it), or whoever
// holds mu.
type mailbox struct {
	c *Conn
	u *pooled

	// As they were when the connection was opened: its fd may be closed, and be another's, while a worker asks.
	local, remote api.Addr

	next     *mailbox // in a mailList: of those that are not being worked on
	nextDone *mailbox // in doneList: of those that have an outcome

	// The worker's.
	batch   []event     // taken out of events
	at      int         // the first of batch that is not handled yet
	leases  []api.Lease // to be released
	handled int         // bytes of input
	blocked bool        // see outcome
	lent    event       // what the input lies in
	eof     bool        // OnEOF has been called
	failed  error       // see outcome
	ended   bool

	mu     sync.Mutex
	events []event
	busy   bool // the connection is queued for a worker, or has one
	shut   bool // evEnd is in events, or has been: nothing comes behind it
	told   bool // it is in doneList, or in the hands of the loop that has taken it from there
	out    outcome

	// The loop's.
	tx      txq         // output that has not begun to be sent
	spare   []api.Lease // memory for the next outcome.leases
	waiting int         // bytes of input that the workers have not handled yet
	over    bool        // the connection has ended, or never was: only OnClose is still to come
}

// event is something that a worker is to do for a connection.
type event struct {
	kind  eventKind
	buf   []byte
	lease api.Lease
	fn    func(*Conn)
}

type eventKind uint8

const (
	evNone  eventKind = iota
	evOpen            // OnOpen
	evData            // buf, in a buffer of the group, that lease gives back
	evCopy            // buf, in a buffer of pooled.grab
	evEOF             // OnEOF
	evAgain           // OnData, if there is input
	evRun             // fn
	evEnd             // OnClose. Nothing comes behind it
)

// outcome is what a worker's turns mean for the loop. What is a state rather than a change is as it was last.
type outcome struct {
	tx      txq         // new output
	leases  []api.Lease // to be released
	handled int         // bytes of input, whether consumed or not
	written uint64
	readBy  api.Instant
	writeBy api.Instant
	asked   asks
	why     error
	fwd     *forwarding
	failed  error // a panic, or ErrInputFull
	left    int   // bytes of input that are not consumed
	blocked bool  // a handler has left input because of output that was not sent yet, as it may have seen: OnData is to be called when that is sent
	ended   bool  // OnClose has been called
}

// put adds an event. idle says that the connection is to be queued for the workers, by the caller. ok is false behind evEnd.
func (m *mailbox) put(e event) (idle, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shut {
		return false, false
	}
	m.shut = e.kind == evEnd
	m.events = append(m.events, e)
	idle, m.busy = !m.busy, true
	return idle, true
}

// extend puts b behind input that the last event has a copy of, if it has, and has room.
func (m *mailbox) extend(b []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.events)
	if n == 0 {
		return false
	}
	e := &m.events[n-1]
	if e.kind != evCopy || cap(e.buf)-len(e.buf) < len(b) {
		return false
	}
	e.buf = append(e.buf, b...)
	return true
}

// fetch takes the events that have come. It is called by the worker, when it has handled all that it had.
func (m *mailbox) fetch() {
	m.at = 0
	m.batch = m.batch[:0]
	m.mu.Lock()
	m.batch, m.events = m.events, m.batch
	m.mu.Unlock()
}

// publish hands the outcome of a worker's turn over, and the connection, if there is nothing more. Else, more, it is to be queued again.
func (m *mailbox) publish() (more bool) {
	m.mu.Lock()
	tell := m.settle() && !m.told
	m.told = m.told || tell
	more = m.at < len(m.batch) || len(m.events) > 0
	if !more {
		m.batch, m.at, m.events = smaller(m.batch), 0, smaller(m.events)
		m.busy = false // all that was the worker's is the next one's from here on
	}
	m.mu.Unlock()
	if tell {
		m.u.tell(m)
	}
	return more
}

// settle puts the outcome of a worker's turn to what the loop has not taken yet. It says whether there is anything new in it.
func (m *mailbox) settle() bool {
	c, o := m.c, &m.out
	left := len(c.in)
	if c.tx.empty() && len(m.leases) == 0 && m.handled == 0 && !m.blocked && c.asked == o.asked && c.readBy == o.readBy && c.writeBy == o.writeBy &&
		c.fwd == o.fwd && left == o.left && m.failed == o.failed && m.ended == o.ended {
		return false
	}
	o.tx.move(&c.tx)
	o.leases = append(o.leases, m.leases...)
	o.handled += m.handled
	o.blocked = o.blocked || m.blocked
	m.leases, m.handled, m.blocked = m.leases[:0], 0, false
	o.written, o.readBy, o.writeBy = c.written, c.readBy, c.writeBy
	o.asked, o.why, o.fwd, o.left = c.asked, c.why, c.fwd, left
	o.failed, o.ended = m.failed, m.ended
	return true
}

// take takes the outcome. It is called by the loop. The leases are valid until the next call.
func (m *mailbox) take() outcome {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = false
	m.tx.move(&m.out.tx)
	o := m.out
	m.out.leases, m.spare = m.spare[:0], o.leases
	m.out.handled, m.out.blocked = 0, false
	return o
}

// smaller gives up memory that a burst has needed.
func smaller(list []event) []event {
	if cap(list) > eventsKept {
		return nil
	}
	return list[:0]
}
