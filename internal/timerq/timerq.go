package timerq

// entry is one deadline. The sequence number makes equal deadlines come out in the order they were put
// in; 2^64 of them do not run out.
type entry struct {
	when int64
	seq  uint64
	id   int32
}

func (e *entry) before(o *entry) bool {
	return e.when < o.when || e.when == o.when && e.seq < o.seq
}

// arity of the heap: a node's four children are 96 adjacent bytes, and the heap is half as deep as a binary
// one, which is what counts when most deadlines are removed before they expire.
const arity = 4

// Queue is a queue of deadlines. A deadline is any int64, nanoseconds of a monotonic clock for one; an id is a
// small number ≥ 0, an index of a slot. The zero value is empty. Not safe for concurrent use.
type Queue struct {
	heap []entry
	pos  []int32 // by id: its index in heap plus one, 0 for none
	seq  uint64
}

// Len is the number of deadlines.
func (q *Queue) Len() int { return len(q.heap) }

// Next is the earliest deadline.
func (q *Queue) Next() (when int64, ok bool) {
	if len(q.heap) == 0 {
		return 0, false
	}
	return q.heap[0].when, true
}

// Push adds a deadline for id, after all equal ones. If id has one, it is replaced.
func (q *Queue) Push(when int64, id int32) {
	for int(id) >= len(q.pos) {
		// append grows by a quarter at least, so this is rare; and one by one is exact.
		q.pos = append(q.pos, 0)
	}
	q.seq++
	e := entry{when: when, seq: q.seq, id: id}
	if at := int(q.pos[id]) - 1; at >= 0 {
		q.place(at, e)
		return
	}
	q.heap = append(q.heap, e)
	q.up(len(q.heap)-1, e)
}

// Remove takes the deadline of id out. It reports whether there was one.
func (q *Queue) Remove(id int32) bool {
	if id < 0 || int(id) >= len(q.pos) || q.pos[id] == 0 {
		return false
	}
	q.removeAt(int(q.pos[id]) - 1)
	return true
}

// PopExpired takes the earliest deadline out if it is at or before now, and gives its id.
func (q *Queue) PopExpired(now int64) (id int32, ok bool) {
	if len(q.heap) == 0 || q.heap[0].when > now {
		return 0, false
	}
	id = q.heap[0].id
	q.removeAt(0)
	return id, true
}

func (q *Queue) removeAt(at int) {
	q.pos[q.heap[at].id] = 0
	last := len(q.heap) - 1
	e := q.heap[last]
	q.heap = q.heap[:last]
	if at < last {
		q.place(at, e)
	}
}

// place puts e into the hole at index at and restores the order around it.
func (q *Queue) place(at int, e entry) {
	if at > 0 && e.before(&q.heap[(at-1)/arity]) {
		q.up(at, e)
	} else {
		q.down(at, e)
	}
}

// up moves the hole at index at towards the root until e fits.
func (q *Queue) up(at int, e entry) {
	for at > 0 {
		parent := (at - 1) / arity
		if !e.before(&q.heap[parent]) {
			break
		}
		q.set(at, q.heap[parent])
		at = parent
	}
	q.set(at, e)
}

// down moves the hole at index at towards the leaves until e fits.
func (q *Queue) down(at int, e entry) {
	for {
		first := at*arity + 1
		if first >= len(q.heap) {
			break
		}
		least := first
		for c := first + 1; c < min(first+arity, len(q.heap)); c++ {
			if q.heap[c].before(&q.heap[least]) {
				least = c
			}
		}
		if !q.heap[least].before(&e) {
			break
		}
		q.set(at, q.heap[least])
		at = least
	}
	q.set(at, e)
}

func (q *Queue) set(at int, e entry) {
	q.heap[at] = e
	q.pos[e.id] = int32(at + 1)
}
