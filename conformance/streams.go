package conformance

import (
	"runtime"
	"syscall"

	"github.com/sluiceio/sluice/api"
)

// Need is what a case needs besides the engine.
type Need uint8

const (
	// NeedNothing is for cases that use no files.
	NeedNothing Need = iota
	// NeedStreams is for cases whose only files are connected streams: those of Config.Streams, or else sockets of the operating system.
	NeedStreams
	// NeedFiles is for cases about files of the operating system, of whatever kind. They are left out where there are Config.Streams.
	NeedFiles
)

// Streams are connected streams of bytes that are the engine's own and not the operating system's. The suite makes them, and plays the peer
// that reads and writes without the engine. An fd is a number that the engine's operations take in Op.FD. No
// method waits. Any goroutine may call them, while the engine is at work too, and after it has been closed: that leaves streams open.
//
// What Write has taken is there for the engine, and for Read at the other end, when it returns; so is what CloseWrite and Close do.
type Streams interface {
	// Pair makes two ends that are connected with each other.
	Pair() (a, b int, err error)
	// Read reads what has come to an end. It returns 0 and nil at the end of the stream and for an empty p, and syscall.EAGAIN when there is
	// nothing yet; syscall.EBADF for what is no open end, whatever p is.
	Read(fd int, p []byte) (int, error)
	// Write writes as much of p as there is room for. It returns syscall.EAGAIN when that is nothing, and syscall.EPIPE when the peer is
	// gone. A stream has room for 4 KiB at least, and for less than 256 KiB.
	Write(fd int, p []byte) (int, error)
	// CloseWrite ends the stream for the peer, behind what has been written.
	CloseWrite(fd int) error
	// Close closes an end, as the engine's OpClose does. It returns syscall.EBADF for what is no open end.
	Close(fd int) error
}

func (c *Config) streams() Streams {
	if c == nil {
		return nil
	}
	return c.Streams
}

// noFiles is the reason for which a case is left out that needs files of the operating system.
const noFiles = "the engine has streams of its own (Config.Streams), and this case is about files of the operating system"

// needing are the cases, with need for those that do not tell.
func needing(need Need, cases []Case) []Case {
	for i := range cases {
		if cases[i].Needs == NeedNothing {
			cases[i].Needs = need
		}
	}
	return cases
}

// ownPair is a pair of Config.Streams.
func (t *T) ownPair() (a, b int) {
	a, b, err := t.streams.Pair()
	if err != nil {
		t.Fatalf("Streams.Pair: %v", err)
	}
	t.fds[a], t.fds[b] = true, true
	return a, b
}

// ownPut writes all of b to an end of Config.Streams.
func (t *T) ownPut(fd int, b []byte) {
	for len(b) > 0 {
		n, err := t.streams.Write(fd, b)
		if err != nil && err != syscall.EAGAIN {
			t.Fatalf("Streams.Write: %v", err)
		}
		t.otherwise(n > 0, "room", fd)
		b = b[max(n, 0):]
	}
}

// ownGet fills b from an end of Config.Streams, unless that ends before, and returns how much it has got.
func (t *T) ownGet(fd int, b []byte) (got int) {
	for got < len(b) {
		n, err := t.streams.Read(fd, b[got:])
		switch {
		case err == syscall.EAGAIN:
			t.otherwise(false, "data", fd)
		case err != nil:
			t.Fatalf("Streams.Read: %v", err)
		case n == 0:
			return got
		}
		got += max(n, 0)
	}
	return got
}

// otherwise lets others go on if there was nothing, and ends a case that has taken too long.
func (t *T) otherwise(some bool, what string, fd int) {
	if some {
		return
	}
	runtime.Gosched()
	if api.Now() >= t.deadline() || t.expired.Load() {
		t.Fatalf("there has been no %s on the stream %d within %v", what, fd, t.timeout)
	}
}

// ownFill writes to an end of Config.Streams until it takes no more, and returns how much.
func (t *T) ownFill(fd int) (total int) {
	for {
		n, err := t.streams.Write(fd, make([]byte, 1<<16))
		switch {
		case err == syscall.EAGAIN:
			return total
		case err != nil || n <= 0:
			t.Fatalf("Streams.Write: %d, %v", n, err)
		case total >= 1<<18:
			t.Fatalf("stream %d takes %d bytes that nobody reads, and more", fd, total)
		}
		total += n
	}
}

// ownClose closes an end of Config.Streams, which must be open.
func (t *T) ownClose(fd int) {
	if err := t.streams.Close(fd); err != nil {
		t.Errorf("Streams.Close of %d, which the case has not closed: %v", fd, err)
	}
}
