package reactor

import (
	"io"
	"os"
	"syscall"

	"github.com/sluiceio/sluice/api"
)

const (
	// fileChunk is how much of a file is read at a time. One chunk is read while the one before is sent, in the same turn of the engine.
	fileChunk = 256 << 10

	fileChunkLess = 128 << 10 // the same when fileBufsMax chunks are out: peers that take nothing hold two each
	fileBufsMax   = 16        // chunks that a loop keeps for later

	fileLane = 512 << 10 // bytes from which on a file goes by a pipe
)

// outfile is a part of a file that is being sent.
type outfile struct {
	file   *os.File
	off, n int64   // what is to be read still
	chunk  []byte  // what was read and is not being sent, or is being read into; nil: there is none
	lane   *lane   // by which it goes instead
	copies bool    // it cannot go by a pipe
	head   *gather // what is to be sent before the first chunk, and with it; nil: nothing
}

// beginFile sends a part of a file behind what is in head, which may be nil.
func (l *loop) beginFile(c *Conn, it item, head *gather) {
	c.io.file = &outfile{file: it.file, off: it.off, n: it.n, head: head}
	l.readFile(c)
}

// sendFile sends the chunk that was read, if there is one, and reads the next.
func (l *loop) sendFile(c *Conn) {
	f := c.io.file
	if f.chunk != nil && !c.io.is(stReading|stSending) {
		it := item{buf: f.chunk, owner: ownFiles}
		f.chunk = nil
		if f.head != nil {
			g := f.head
			f.head = nil
			g.add(it)
			l.sendGather(c, g)
		} else {
			l.sendOne(c, it)
		}
	}
	if f.lane != nil {
		l.sendLane(c)
		return
	}
	if f.n > 0 {
		l.readFile(c)
	} else if f.chunk == nil {
		c.io.file = nil
	}
}

// sendLane sends what is in the pipe, and fills it when it is empty.
func (l *loop) sendLane(c *Conn) {
	f := c.io.file
	ln := f.lane
	switch {
	case c.io.is(stReading|stSending) || ln.out:
	case ln.n == 0:
		l.fillFile(c)
	default:
		ln.out = true
		if f.n == 0 { // what is in it is the end
			ln.lost = true
			c.io.file = nil
		}
		l.drain(c, item{lane: ln})
	}
}

func (l *loop) fillFile(c *Conn) {
	f := c.io.file
	c.io.set(stReading)
	n := int(min(f.n, int64(f.lane.size)))
	l.pushOn(c, api.Splice(int(f.file.Fd()), f.off, f.lane.w, api.CurrentPosition, n, 0, tagOf(kindFile, c.io.slot)))
}

func (l *loop) readFile(c *Conn) {
	f := c.io.file
	if f.chunk != nil {
		return
	}
	if f.head == nil && f.n >= fileLane && !f.copies {
		if f.lane = l.getLane(laneMax); f.lane != nil {
			l.fillFile(c)
			return
		}
		f.copies = true // all of it, so that it is not asked again for each chunk
	}
	f.chunk = l.fileBuf(f.n)
	c.io.set(stReading)
	l.pushOn(c, api.Read(int(f.file.Fd()), f.chunk, f.off, tagOf(kindFile, c.io.slot)))
}

// fileRead handles the completion of reading a part of a file. One that cannot be read is a reset, since the peer has got a part of what it was to get.
func (l *loop) fileRead(c *Conn, done *api.Completion) {
	c.io.clear(stReading)
	f := c.io.file
	switch {
	case c.io.is(stDead):
		if f.lane != nil {
			f.lane.n = max(int(done.Res), 0)
		}
	case f.lane != nil && cannotSplice(syscall.Errno(-done.Res)):
		l.putLane(f.lane)
		f.lane, f.copies = nil, true
		l.send(c)
	case done.Res < 0:
		l.reset(c, done.Err())
	case done.Res == 0:
		l.reset(c, io.ErrUnexpectedEOF)
	default:
		if f.lane != nil {
			f.lane.n = int(done.Res)
		} else {
			f.chunk = f.chunk[:done.Res]
		}
		f.off += int64(done.Res)
		if f.n -= int64(done.Res); f.n == 0 {
			f.close()
		}
		l.send(c)
	}
}

func (f *outfile) close() {
	if f.file != nil {
		_ = f.file.Close() // it was only read
		f.file = nil
	}
}

// dropFile gives up the file that is being sent.
func (l *loop) dropFile(c *Conn) {
	f := c.io.file
	if f == nil {
		return
	}
	c.io.file = nil
	f.close()
	if f.lane != nil {
		l.putLane(f.lane)
	}
	if f.head != nil {
		l.dropGather(f.head)
	}
	if f.chunk != nil {
		l.putFileBuf(f.chunk)
	}
}

// fileBuf is a buffer for the next n bytes of a file, or for as many as are read at a time.
func (l *loop) fileBuf(n int64) []byte {
	if l.fileBufsOut++; l.fileBufsOut > fileBufsMax {
		n = min(n, fileChunkLess)
		return make([]byte, n)
	}
	n = min(n, fileChunk)
	if k := len(l.fileBufs); k > 0 {
		b := l.fileBufs[k-1]
		l.fileBufs = l.fileBufs[:k-1]
		return b[:n]
	}
	return make([]byte, n, fileChunk)
}

func (l *loop) putFileBuf(b []byte) {
	l.fileBufsOut--
	if cap(b) == fileChunk && len(l.fileBufs) < fileBufsMax {
		l.fileBufs = append(l.fileBufs, b)
	}
}
