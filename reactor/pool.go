package reactor

import "sync"

// pool is the workers of a server, and the queue of the connections that have something for them. A worker takes one connection at a
// time: what a handler does may take long, and what a worker held back meanwhile would wait for it while others are idle.
type pool struct {
	mu     sync.Mutex
	work   sync.Cond // there is something in the queue, or the end
	queue  mailList
	idle   int  // workers that wait
	waking bool // one has been woken and is not there yet: it wakes the next if it is needed, so that no more wake than find something
	closed bool
	done   sync.WaitGroup
}

// mailList is a queue of mailboxes, linked by mailbox.next. A mailbox is in one at most: where it is follows from mailbox.busy.
type mailList struct{ head, tail *mailbox }

func (q *mailList) push(m *mailbox) {
	m.next = nil
	if q.head == nil {
		q.head = m
	} else {
		q.tail.next = m
	}
	q.tail = m
}

func (q *mailList) append(from mailList) {
	if q.head == nil {
		*q = from
		return
	}
	q.tail.next = from.head
	q.tail = from.tail
}

func (q *mailList) pop() *mailbox {
	m := q.head
	if m != nil {
		q.head, m.next = m.next, nil
	}
	return m
}

func newPool(workers int) *pool {
	p := new(pool)
	p.work.L = &p.mu
	for range workers {
		p.done.Go(p.serve)
	}
	return p
}

// add queues connections that have something for the workers.
func (p *pool) add(list mailList) {
	p.mu.Lock()
	p.queue.append(list)
	wake := p.wake()
	p.mu.Unlock()
	if wake {
		p.work.Signal()
	}
}

// wake says whether a worker is to be woken. p.mu is held.
func (p *pool) wake() bool {
	if p.queue.head == nil || p.idle == 0 || p.waking {
		return false
	}
	p.waking = true
	return true
}

// next waits for a connection. It is nil at the end.
func (p *pool) next() *mailbox {
	p.mu.Lock()
	for p.queue.head == nil && !p.closed {
		p.idle++
		p.work.Wait()
		p.idle--
		p.waking = false
	}
	m := p.queue.pop()
	wake := p.wake()
	p.mu.Unlock()
	if wake {
		p.work.Signal()
	}
	return m
}

// serve is a worker.
func (p *pool) serve() {
	var m *mailbox
	over := false
	defer func() {
		if over {
			return
		}
		// A handler has called runtime.Goexit, of which nothing can hold it back. Its connection has ended as if by a
		// panic, and another worker takes the place of this one.
		p.finish(m)
		p.done.Go(p.serve)
	}()
	for m = p.next(); m != nil; m = p.next() {
		m.turn()
		p.finish(m)
	}
	over = true
}

// finish ends a worker's turn of a connection.
func (p *pool) finish(m *mailbox) {
	if m.publish() {
		p.add(mailList{m, m})
	}
}

// close ends the workers when the queue is empty, and waits for them. Nothing may be added any more.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.work.Broadcast()
	p.done.Wait()
}
