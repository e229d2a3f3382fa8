//go:build unix

package conformance_test

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

// randomTable is an engine whose table of registered buffers changes at random while reads from a pipe are in flight, and
// what the table should hold.
type randomTable struct {
	t     *testing.T
	r     *rand.Rand
	e     api.Engine
	other api.Engine
	bufs  [][]byte // nil: there is no table
	pipe  [2]int
	waits map[uint64][]byte // reads in flight, by tag: where they read to
	order []uint64
	tag   uint64
	sent  byte
	next  byte // what the next read gets first
}

const randomSlots = 6

func (x *randomTable) buffer() []byte {
	if x.r.IntN(4) == 0 {
		return nil
	}
	return make([]byte, 16+x.r.IntN(9000))
}

func (x *randomTable) wantErr(what string, err error, want syscall.Errno) {
	x.t.Helper()
	var m *api.MemlockError
	if errors.As(err, &m) {
		x.t.Skip(err)
	}
	if want == 0 && err != nil || want != 0 && !errors.Is(err, want) {
		x.t.Fatalf("%s: %v, want %v", what, err, want)
	}
}

// change does something to the table.
func (x *randomTable) change() {
	switch x.r.IntN(6) {
	case 0:
		want := syscall.Errno(0)
		if x.bufs == nil {
			want = syscall.ENXIO
		}
		x.wantErr("UnregisterBuffers", x.e.UnregisterBuffers(), want)
		x.bufs = nil
	case 1:
		bufs := make([][]byte, 1+x.r.IntN(randomSlots))
		for i := range bufs {
			bufs[i] = x.buffer()
		}
		if x.bufs != nil {
			x.wantErr("RegisterBuffers", x.e.RegisterBuffers(bufs), syscall.EBUSY)
			return
		}
		x.wantErr("RegisterBuffers", x.e.RegisterBuffers(bufs), 0)
		x.bufs = bufs
	case 2: // by way of another engine, which has it for a moment only
		if x.bufs == nil {
			return
		}
		x.wantErr("CloneBuffers", x.other.CloneBuffers(x.e), 0)
		x.wantErr("UnregisterBuffers", x.e.UnregisterBuffers(), 0)
		x.wantErr("CloneBuffers", x.e.CloneBuffers(x.other), 0)
		x.wantErr("UnregisterBuffers", x.other.UnregisterBuffers(), 0)
	default:
		at := x.r.IntN(randomSlots)
		bufs := make([][]byte, 1+x.r.IntN(2))
		for i := range bufs {
			bufs[i] = x.buffer()
		}
		n, err := x.e.UpdateBuffers(at, bufs)
		switch {
		case x.bufs == nil:
			x.wantErr("UpdateBuffers", err, syscall.ENXIO)
		case at+len(bufs) > len(x.bufs):
			x.wantErr("UpdateBuffers", err, syscall.EINVAL)
		case n != len(bufs) || err != nil:
			x.wantErr("UpdateBuffers", err, 0)
			x.t.Fatalf("UpdateBuffers: %d, %v", n, err)
		default:
			copy(x.bufs[at:], bufs)
		}
	}
}

// read begins a read into a part of some slot, or of what is in none.
func (x *randomTable) read() {
	slot := x.r.IntN(randomSlots)
	part := make([]byte, 8)
	inside := false
	if slot < len(x.bufs) && x.bufs[slot] != nil && x.r.IntN(5) > 0 {
		b := x.bufs[slot]
		at := x.r.IntN(len(b))
		part, inside = b[at:min(at+1+x.r.IntN(16), len(b))], true
	}
	x.tag++
	op := api.ReadFixed(x.pipe[0], slot, part, api.CurrentPosition, x.tag)
	if x.r.IntN(2) == 0 {
		at := x.r.IntN(len(part))
		op = api.ReadvFixed(x.pipe[0], slot, &api.Msg{Bufs: [][]byte{part[:at], part[at:]}}, api.CurrentPosition, x.tag)
	}
	if n, err := x.e.Submit([]api.Op{op}); n != 1 || err != nil {
		x.t.Fatalf("Submit: %d, %v", n, err)
	}
	if inside {
		x.waits[x.tag] = part
		x.order = append(x.order, x.tag)
	}
	x.reap(0)
}

// reap takes what has completed, at least n.
func (x *randomTable) reap(n int) {
	var dst [8]api.Completion
	for {
		got, err := x.e.Complete(dst[:], api.Wait{Min: n, Deadline: api.After(crossWait)})
		if err != nil || got < n {
			x.t.Fatalf("Complete: %d, %v; want %d", got, err, n)
		}
		for _, c := range dst[:got] {
			part, ok := x.waits[c.Tag]
			switch {
			case !ok && c.Res != -int32(syscall.EFAULT):
				x.t.Fatalf("a read outside: %d", c.Res)
			case !ok:
				continue
			case c.Res <= 0 || int(c.Res) > len(part) || c.Tag != x.order[0]:
				x.t.Fatalf("read %d of %d bytes: %d; it is the turn of %d", c.Tag, len(part), c.Res, x.order[0])
			}
			for i, b := range part[:c.Res] {
				if b != x.next {
					x.t.Fatalf("byte %d of %d is %d, want %d", i, c.Res, b, x.next)
				}
				x.next++
			}
			delete(x.waits, c.Tag)
			x.order = x.order[1:]
		}
		if n = max(n-got, 0); n == 0 && got < len(dst) {
			return
		}
	}
}

// write lets the first of the reads end.
func (x *randomTable) write() {
	if len(x.order) == 0 {
		return
	}
	data := make([]byte, 1+x.r.IntN(len(x.waits[x.order[0]])))
	for i := range data {
		data[i] = x.sent
		x.sent++
	}
	if _, err := unix.Write(x.pipe[1], data); err != nil {
		x.t.Fatal(err)
	}
	x.reap(1)
}

// TestRandomTables: however the table changes, each read goes to where it was to go when it began, in order, or is EFAULT.
func TestRandomTables(t *testing.T) {
	const steps = 3000
	for _, b := range backends {
		for _, c := range columns(b) {
			t.Run(b.name+"/"+c.Name, func(t *testing.T) {
				b.need(t, &c.Options)
				seed := rand.Uint64()
				x := &randomTable{t: t, r: rand.New(rand.NewPCG(seed, 0)), waits: map[uint64][]byte{}}
				t.Logf("seed %d", seed)
				for _, e := range []*api.Engine{&x.e, &x.other} {
					o := c.Options
					var err error
					if *e, err = b.open(&o); err != nil {
						t.Fatal(err)
					}
					defer (*e).Close()
				}
				if err := unix.Pipe(x.pipe[:]); err != nil {
					t.Fatal(err)
				}
				defer unix.Close(x.pipe[1])
				defer unix.Close(x.pipe[0])
				for range steps {
					switch x.r.IntN(3) {
					case 0:
						x.change()
					case 1:
						x.read()
					default:
						x.write()
					}
				}
				for len(x.order) > 0 {
					x.write()
				}
			})
		}
	}
}
