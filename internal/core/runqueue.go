package core

import (
	"slices"

	"github.com/sluiceio/sluice/api"
)

// runQueue are the operations to be started, in order. All of it is taken each time, so that a list will do, which begins anew whenever it has
// become empty: it grows to what can be in flight at most.
type runQueue struct {
	list []api.OpID
	head int
}

// Len is how many there are.
func (q *runQueue) Len() int { return len(q.list) - q.head }

// Push puts id at the end.
func (q *runQueue) Push(id api.OpID) { q.list = append(q.list, id) }

// Pop takes the first one out; the queue must not be empty.
func (q *runQueue) Pop() api.OpID {
	id := q.list[q.head]
	q.skip(1)
	return id
}

// rest is all that is in it, until the next Push.
func (q *runQueue) rest() []api.OpID { return q.list[q.head:] }

// skip takes the first n out.
func (q *runQueue) skip(n int) {
	if q.head += n; q.head == len(q.list) {
		q.list, q.head = q.list[:0], 0
	}
}

// extend puts n at the end that are filled in then.
func (q *runQueue) extend(n int) []api.OpID {
	at := len(q.list)
	q.list = slices.Grow(q.list, n)[:at+n]
	return q.list[at:]
}

// shorten takes back the last n.
func (q *runQueue) shorten(n int) { q.list = q.list[:len(q.list)-n] }
