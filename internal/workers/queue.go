package workers

import "github.com/sluiceio/sluice/internal/core"

// queue holds the jobs that no worker has yet, in order. It is a doubly linked list in one slice, so that a job can be
// taken out of the middle, leaves nothing behind, and allocates nothing once the slice has grown.
// Slot.Job is the place of its node.
type queue struct {
	nodes []node // the first is the head, which has no job
	free  uint32 // the first of the unused nodes, linked by next; 0 for none
	n     int
}

type node struct {
	s          *core.Slot
	next, prev uint32
}

func (q *queue) init() { q.nodes = make([]node, 1, 16) }

// push puts s at the end.
func (q *queue) push(s *core.Slot) {
	i := q.free
	if i == 0 {
		i = uint32(len(q.nodes))
		q.nodes = append(q.nodes, node{})
	} else {
		q.free = q.nodes[i].next
	}
	last := q.nodes[0].prev
	q.nodes[i] = node{s: s, prev: last}
	q.nodes[last].next, q.nodes[0].prev = i, i
	s.Job = i
	q.n++
}

// pop takes the first one out; the queue must not be empty.
func (q *queue) pop() *core.Slot {
	s := q.nodes[q.nodes[0].next].s
	q.remove(s)
	return s
}

// remove takes s out, and says whether it was there.
func (q *queue) remove(s *core.Slot) bool {
	i := s.Job
	if i == 0 {
		return false
	}
	n := &q.nodes[i]
	q.nodes[n.prev].next, q.nodes[n.next].prev = n.next, n.prev
	*n = node{next: q.free}
	q.free = i
	s.Job = 0
	q.n--
	return true
}
