package reactor

import "sync/atomic"

// note is something that another goroutine wants a loop to do.
type note struct {
	next *note
	c    *Conn
	fn   func(*Conn) // to be called in c's turn
	lost func()      // called instead of fn when c has ended before; for goroutines of connections alone
	do   func(*loop) // to be called in the loop, also when that has quit (loop.quit), so that nothing is left behind
}

// inbox is a queue of notes of any goroutines for one: a stack that is taken as a whole, so that neither locks.
type inbox struct{ head atomic.Pointer[note] }

// shut stands at the head of an inbox that takes nothing more.
var shut = new(note)

// put adds n. first says whether the inbox was empty: then, and only then, its owner is to be woken. ok is false when it was closed.
func (b *inbox) put(n *note) (first, ok bool) {
	for {
		head := b.head.Load()
		if head == shut {
			return false, false
		}
		n.next = head
		if b.head.CompareAndSwap(head, n) {
			return head == nil, true
		}
	}
}

// empty says whether there is nothing in it.
func (b *inbox) empty() bool { return b.head.Load() == nil }

// take takes all, the oldest first.
func (b *inbox) take() *note {
	if b.head.Load() == nil { // which costs less than a swap
		return nil
	}
	return inOrder(b.head.Swap(nil))
}

// close takes what is left. Nothing more comes in.
func (b *inbox) close() *note { return inOrder(b.head.Swap(shut)) }

// inOrder turns a list around.
func inOrder(n *note) *note {
	var oldest *note
	for n != nil {
		next := n.next
		n.next = oldest
		oldest, n = n, next
	}
	return oldest
}
