// Package fifo is a first-in first-out queue that, once grown, allocates nothing.
package fifo

// Queue is a queue in a ring. The zero value is empty and ready.
type Queue[T any] struct {
	buf        []T // its length is a power of two, or 0
	head, size int
}

// Len is how many there are.
func (q *Queue[T]) Len() int { return q.size }

// Push puts v at the end.
func (q *Queue[T]) Push(v T) {
	if q.size == len(q.buf) {
		q.grow()
	}
	q.buf[(q.head+q.size)&(len(q.buf)-1)] = v
	q.size++
}

// Pop takes the first one out; the queue must not be empty.
func (q *Queue[T]) Pop() T {
	var zero T
	p := &q.buf[q.head]
	v := *p
	*p = zero
	q.head = (q.head + 1) & (len(q.buf) - 1)
	q.size--
	return v
}

// At is the i-th from the front, to be looked at or replaced.
func (q *Queue[T]) At(i int) *T { return &q.buf[(q.head+i)&(len(q.buf)-1)] }

func (q *Queue[T]) grow() {
	b := make([]T, max(64, 2*len(q.buf)))
	for i := range q.size {
		b[i] = *q.At(i)
	}
	q.buf, q.head = b, 0
}
