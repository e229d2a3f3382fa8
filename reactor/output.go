package reactor

import (
	"os"

	"github.com/sluiceio/sluice/api"
)

const (
	chunkMin  = 4 << 10  // the capacity of a new buffer for output
	chunkMax  = 64 << 10 // a larger one is begun anew rather than grown, and one that is larger still is not kept
	chunksMax = 4 << 20  // bytes that a loop keeps for later
)

// txq is output in the order in which it was written: items, and behind them out.
type txq struct {
	items []item
	out   []byte
}

// item is a buffer, a part of a file, or a pipe and what is in it.
type item struct {
	buf    []byte
	file   *os.File
	off, n int64
	lease  api.Lease
	lane   *lane
	owner  owner
}

// owner says where the memory of an item goes when it has been sent.
type owner uint8

const (
	ownChunks owner = iota // to loop.chunks
	ownGroup               // to the buffer group, by its lease
	ownFiles               // to loop.fileBufs
)

func (q *txq) empty() bool { return len(q.out) == 0 && len(q.items) == 0 }

// room makes room for n bytes at the end of out.
func (q *txq) room(c *Conn, n int) {
	if cap(q.out)-len(q.out) >= n && cap(q.out) > 0 {
		return
	}
	if len(q.out)+n > chunkMax {
		q.seal()
	}
	if cap(q.out) == 0 {
		q.out = c.drv.grab()
	}
	if need := len(q.out) + n; cap(q.out) < need {
		larger := make([]byte, len(q.out), max(need, min(2*cap(q.out), chunkMax)))
		copy(larger, q.out)
		q.out = larger
	}
}

// seal makes an item of out.
func (q *txq) seal() {
	if len(q.out) > 0 {
		q.items = append(q.items, item{buf: q.out})
		q.out = nil
	}
}

func (q *txq) file(f *os.File, off, n int64) {
	q.seal()
	q.items = append(q.items, item{file: f, off: off, n: n})
}

// lease puts a received buffer behind all else.
func (q *txq) lease(buf []byte, lease api.Lease) {
	q.seal()
	q.items = append(q.items, item{buf: buf, lease: lease, owner: ownGroup})
}

// first is the first item, which stays where it is; nil if there is none, or it is out.
func (q *txq) first() *item {
	if len(q.items) == 0 {
		return nil
	}
	return &q.items[0]
}

// take gives the first item.
func (q *txq) take() (it item, ok bool) {
	if len(q.items) > 0 {
		it = q.items[0]
		q.items[0] = item{}
		if q.items = q.items[1:]; len(q.items) == 0 {
			q.items = nil
		}
		return it, true
	}
	if len(q.out) > 0 {
		it.buf, q.out = q.out, nil
		return it, true
	}
	return it, false
}

// move puts all of from behind what is in q.
func (q *txq) move(from *txq) {
	if from.empty() {
		return
	}
	if !q.empty() {
		q.seal()
	}
	q.items = append(q.items, from.items...)
	clear(from.items)
	q.out = from.out
	from.items, from.out = from.items[:0], nil
}

// drop forgets all that has not been sent.
func (q *txq) drop() {
	for _, it := range q.items {
		if it.file != nil {
			_ = it.file.Close() // it was only read
		}
	}
	q.items, q.out = nil, nil
}

// chunks are buffers for output that a loop keeps for the next connection that writes.
type chunks struct {
	free  [][]byte
	bytes int
}

func (k *chunks) get() []byte {
	n := len(k.free)
	if n == 0 {
		return make([]byte, 0, chunkMin)
	}
	b := k.free[n-1]
	k.free[n-1] = nil
	k.free = k.free[:n-1]
	k.bytes -= cap(b)
	return b
}

func (k *chunks) put(b []byte) {
	if n := cap(b); n >= chunkMin && n <= chunkMax && k.bytes+n <= chunksMax {
		k.free = append(k.free, b[:0])
		k.bytes += n
	}
}
