//go:build linux

package uring

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/offheap"
)

// scripted stands in for a network card and its queue: it writes pieces into the memory of a group where the test says, and completes them through the ring of the
// engine, as large completions, by way of another ring. Only where a piece is it tells the driver itself, for no operation of the kernel's makes such a
// completion without a card. The refill ring is a real one, whose kernel side the test plays.
type scripted struct {
	iouring.RefillRing
	t       *testing.T
	d       *driver
	area    []byte
	region  []byte
	queue   uint32
	entries uint32
	head    uint32
	out     map[uint64]int // by page: the pieces that the program, or the refill ring, has
	at      []uint64       // of the completions to come
	ring    *iouring.Ring
	pipe    [2]int
	sink    [1]byte
	begun   int // receives
	freed   bool
}

const areaToken = 0 // of the only area that a queue can have

// script makes engine e take its cards from the test. The error is what registering one says.
func script(t *testing.T, d *driver, err error) *scripted {
	t.Helper()
	f := &scripted{t: t, d: d, queue: 3, out: map[uint64]int{}}
	d.attach = func(r *iouring.Ring, ifIndex, queue, entries uint32, area []byte) (card, error) {
		if err != nil {
			return nil, err
		}
		if r != d.ring || ifIndex == 0 || queue != f.queue {
			t.Errorf("queue %d of the interface %d is registered", queue, ifIndex)
		}
		o := &iouring.ZCRXOffsets{Tail: 4, Rqes: 64}
		f.area, f.entries, f.region = area, entries, make([]byte, 64+16*entries)
		ring, ok := iouring.NewRefillRing(f.region, o, entries, areaToken)
		if !ok {
			t.Fatal("there is no refill ring")
		}
		f.RefillRing = ring
		return f, nil
	}
	var perr error
	if f.ring, perr = iouring.Setup(8, nil); perr != nil {
		t.Fatal(perr)
	}
	var p [2]int
	if perr = unix.Pipe2(p[:], unix.O_CLOEXEC); perr != nil {
		t.Fatal(perr)
	}
	f.pipe = p
	t.Cleanup(func() {
		_ = f.ring.Close() // nothing is at stake any more
		_ = unix.Close(p[0])
		f.end()
	})
	return f
}

// Prepare makes q an operation that waits until the test lets it end.
func (f *scripted) Prepare(q *iouring.SQE, fd int32) {
	f.begun++
	p, n := iouring.Bytes(f.sink[:])
	q.PrepRead(int32(f.pipe[0]), p, n, iouring.CurrentPosition)
}

// end is the end of the stream.
func (f *scripted) end() {
	if f.pipe[1] >= 0 {
		_ = unix.Close(f.pipe[1])
		f.pipe[1] = -1
	}
}

func (f *scripted) Piece(c *iouring.CQE32, n int32) (uint64, bool) {
	if c == nil || len(f.at) == 0 {
		f.t.Fatalf("a piece that nobody has sent: %+v", c)
	}
	off := f.at[0]
	f.at = f.at[1:]
	return iouring.ZCRXPiece(&iouring.ZCRXCqe{Off: off}, n, uint64(len(f.area)))
}

func (f *scripted) Free() error {
	if f.freed || f.d.ring.Fd() >= 0 {
		f.t.Errorf("freed twice (%v), or before the ring is closed", f.freed)
	}
	f.freed = true
	return nil
}

// post completes the receive op as the kernel does.
func (f *scripted) post(op *api.Op, res int32, flags uint32) {
	f.t.Helper()
	q := f.ring.NextSQE()
	data := kindOp<<kindShift | uint64(op.ID.Generation())<<indexBits | uint64(op.ID.Slot())
	q.PrepMsgRing(int32(f.d.ring.Fd()), uint32(res), data, iouring.IORING_MSG_RING_FLAGS_PASS)
	q.FileIndex = flags
	for done := false; !done; {
		if _, errno := f.ring.Enter(f.ring.Flush(), 1, iouring.IORING_ENTER_GETEVENTS); errno != 0 && errno != unix.EINTR {
			f.t.Fatal(errno)
		}
		head, tail := f.ring.Peek()
		if done = head != tail; done && f.ring.CQEAt(head).Res != 0 {
			f.t.Skipf("the kernel passes no flags on: %v", unix.Errno(-f.ring.CQEAt(head).Res))
		}
		f.ring.Advance(tail - head)
	}
}

// receive writes s at off, as the card does, and completes the piece.
func (f *scripted) receive(op *api.Op, off uint64, s string) {
	f.t.Helper()
	copy(f.area[off:], s)
	f.out[off/uint64(os.Getpagesize())]++
	f.at = append(f.at, off)
	f.post(op, int32(len(s)), iouring.IORING_CQE_F_MORE)
}

// taken is what the kernel does when the card needs pages: it takes the pieces that are in the refill ring, n at most, and says how many there were. Each must be one that is out.
func (f *scripted) taken(n int) (took int) {
	f.t.Helper()
	tail := binary.NativeEndian.Uint32(f.region[4:])
	if tail-f.head > f.entries {
		f.t.Fatalf("the refill ring of %d entries has %d", f.entries, tail-f.head)
	}
	for ; f.head != tail && took < n; f.head++ {
		e := f.region[64+16*(f.head&(f.entries-1)):]
		off, pad := binary.NativeEndian.Uint64(e), binary.NativeEndian.Uint32(e[12:])
		p := off / uint64(os.Getpagesize())
		if pad != 0 || off >= uint64(len(f.area)) || f.out[p] == 0 {
			f.t.Fatalf("a piece at %d is given back, of which %d are out, with %d behind it", off, f.out[p], pad)
		}
		f.out[p]--
		took++
	}
	binary.NativeEndian.PutUint32(f.region, f.head)
	return took
}

// unread is how many pieces are out that the kernel has not been given back.
func (f *scripted) unread() (n int) {
	for _, k := range f.out {
		n += k
	}
	return n
}

// look makes a turn that waits for nothing.
func look(t *testing.T, e api.Engine) {
	t.Helper()
	var dst [1]api.Completion
	if n, err := e.Complete(dst[:], api.Wait{}); n != 0 || err != nil {
		t.Fatalf("Complete: %d, %v, %+v", n, err, dst[0])
	}
}

// anyTCP is a TCP socket that nothing is done with.
func anyTCP(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// wiredTo opens an engine, and a group of pages pages that a scripted card writes into, with such a refill ring, and begins a receive.
func wiredTo(t *testing.T, pages, refill int) (api.Engine, api.BufferGroup, *scripted, *api.Op) {
	t.Helper()
	e, d := openWide(t, api.CompletionsWide)
	f := script(t, d, nil)
	if d.unwired() != nil {
		t.Skip(d.unwired())
	}
	g, err := e.NewBufferGroup(api.BufferGroupOptions{ID: 2, Count: pages,
		ZeroCopy: &api.ZeroCopyOptions{Interface: "lo", Queue: 3, Refill: refill, Require: true}})
	if err != nil {
		t.Fatal(err)
	}
	op := submit(t, e, api.RecvZC(anyTCP(t), 2, 1))
	look(t, e)
	return e, g, f, &op[0]
}

func wantPiece(t *testing.T, c *api.Completion, s string) {
	t.Helper()
	if c.Flags != api.More|api.Buffer || string(c.Buf) != s || int(c.Res) != len(s) || c.Code != api.OpRecvZC || c.Tag != 1 || c.Lease.Group() != 2 {
		t.Fatalf("got %+v with %q, want %q with More and Buffer", *c, c.Buf, s)
	}
}

func release(t *testing.T, g api.BufferGroup, c *api.Completion) {
	t.Helper()
	if err := g.Release(c.Lease); err != nil {
		t.Fatal(err)
	}
	if err := g.Release(c.Lease); err != api.ErrLease {
		t.Fatalf("second release: %v", err)
	}
}

func TestWired(t *testing.T) {
	e, g, f, op := wiredTo(t, 4, 0)
	page := uint64(os.Getpagesize())
	if f.entries != 4 || len(f.area) != 4*int(page) || g.Available() != 4 || f.begun != 1 {
		t.Fatalf("%d entries, %d bytes, %d pages available, %d receives", f.entries, len(f.area), g.Available(), f.begun)
	}
	// Three pieces in one page, in no order, and a page as a whole.
	whole := strings.Repeat("w", int(page))
	f.receive(op, page+100, "one")
	f.receive(op, page+0, "two")
	f.receive(op, 3*page, whole)
	f.receive(op, 2*page-1, "3")
	cs := wait(t, e, 4)
	for i, s := range []string{"one", "two", whole, "3"} {
		wantPiece(t, &cs[i], s)
	}
	if &cs[0].Buf[0] != &f.area[page+100] || cap(cs[0].Buf) != 3 {
		t.Error("the data is not where the card has put it, or more of it can be had")
	}
	if g.Available() != 2 {
		t.Errorf("%d pages available, want 2", g.Available())
	}
	release(t, g, &cs[1])
	release(t, g, &cs[3])
	look(t, e)
	if n := f.taken(99); n != 2 || g.Available() != 2 {
		t.Errorf("%d pieces came back, %d pages available", n, g.Available())
	}
	wantPiece(t, &cs[0], "one")
	release(t, g, &cs[0])
	if g.Available() != 3 {
		t.Errorf("%d pages available, want 3", g.Available())
	}
	// The page is used anew, and no lease of the past fits it.
	look(t, e)
	f.taken(99)
	f.receive(op, page, "new")
	n := wait(t, e, 1)[0]
	wantPiece(t, &n, "new")
	for i := range cs[:2] {
		if err := g.Release(cs[i].Lease); err != api.ErrLease {
			t.Errorf("release of a lease of the past: %v", err)
		}
	}
	release(t, g, &n)
	release(t, g, &cs[2])
	look(t, e)
	f.taken(99)
	if f.unread() != 0 || g.Available() != 4 {
		t.Errorf("%d pieces are out, %d pages available", f.unread(), g.Available())
	}
	f.end()
	want(t, wait(t, e, 1)[0], 1, 0)
}

// TestWiredRefill: the card has back what was released once, however small the refill ring, and the kernel hears of it once in a turn.
func TestWiredRefill(t *testing.T) {
	e, g, f, op := wiredTo(t, 8, 2)
	rnd := rand.New(rand.NewPCG(1, 2))
	page := os.Getpagesize()
	var held []api.Completion
	var texts []string
	var fill [8]int // where the card goes on in each page. It begins anew when nothing is out of one
	for i := range 600 {
		p := rnd.IntN(8)
		if f.out[uint64(p)] == 0 {
			fill[p] = 0
		}
		if s := strings.Repeat(string(rune('a'+i%26)), 1+rnd.IntN(page/16)); fill[p]+len(s) <= page {
			f.receive(op, uint64(p*page+fill[p]), s)
			fill[p] += len(s)
			c := wait(t, e, 1)[0]
			wantPiece(t, &c, s)
			held, texts = append(held, c), append(texts, s)
		}
		for len(held) > 0 && rnd.IntN(3) == 0 {
			k := rnd.IntN(len(held))
			wantPiece(t, &held[k], texts[k])
			release(t, g, &held[k])
			held, texts = append(held[:k], held[k+1:]...), append(texts[:k], texts[k+1:]...)
		}
		if rnd.IntN(2) == 0 {
			tail := binary.NativeEndian.Uint32(f.region[4:])
			look(t, e)
			if binary.NativeEndian.Uint32(f.region[4:]) == tail && f.head == tail && f.unread() > len(held) {
				t.Fatalf("%d pieces wait to be given back, and the refill ring is empty", f.unread()-len(held))
			}
			f.taken(1 + rnd.IntN(2))
		}
	}
	for i := range held {
		release(t, g, &held[i])
	}
	for range 100 {
		look(t, e)
		f.taken(99)
	}
	if f.unread() != 0 || g.Available() != 8 {
		t.Errorf("%d pieces are out, %d pages available", f.unread(), g.Available())
	}
}

// TestWiredEnds: what ends a receive for the program, and what does not.
func TestWiredEnds(t *testing.T) {
	e, g, f, op := wiredTo(t, 4, 4)
	f.post(op, -int32(unix.ENOSPC), 0) // there was no room in the completion queue
	look(t, e)
	look(t, e)
	if f.begun != 2 || e.Stats().InFlight != 1 {
		t.Fatalf("%d receives were begun, %d are in flight", f.begun, e.Stats().InFlight)
	}
	f.receive(op, 0, "goes on")
	c := wait(t, e, 1)[0]
	wantPiece(t, &c, "goes on")
	f.post(op, -int32(unix.ENOMEM), 0) // there was no page to copy to
	want(t, wait(t, e, 1)[0], 1, -int(unix.ENOMEM))
	release(t, g, &c)

	op2 := submit(t, e, api.RecvZC(anyTCP(t), 2, 5), api.RecvBuffer(anyTCP(t), 2, 6))
	want(t, wait(t, e, 1)[0], 6, -int(unix.EINVAL))
	submit(t, e, api.Cancel(op2[0].ID, 7))
	for _, c := range wait(t, e, 2) {
		if c.Tag == 5 {
			want(t, c, 5, -int(unix.ECANCELED))
		}
	}
	fd, err := unix.Dup(anyTCP(t))
	if err != nil {
		t.Fatal(err)
	}
	submit(t, e, api.RecvZC(fd, 2, 8), api.RecvZC(anyTCP(t), 2, 9).Until(api.After(1e6)), api.Close(fd, 10))
	got := map[uint64]int32{}
	for _, c := range wait(t, e, 3) {
		got[c.Tag] = c.Res
	}
	if got[8] != -int32(unix.ECANCELED) || got[9] != -int32(unix.ETIME) || got[10] != 0 {
		t.Errorf("a receive whose fd is closed, one whose time is up, and the close: %v", got)
	}
}

// TestWiredTwice: each group has its own card, queue and pages, and a queue has one user.
func TestWiredTwice(t *testing.T) {
	e, g, f, op := wiredTo(t, 2, 0)
	other := script(t, f.d, nil)
	other.queue = 4
	o := api.BufferGroupOptions{ID: 7, Count: 2, ZeroCopy: &api.ZeroCopyOptions{Interface: "lo", Queue: 4, Require: true}}
	h, err := e.NewBufferGroup(o)
	if err != nil {
		t.Fatal(err)
	}
	op7 := submit(t, e, api.RecvZC(anyTCP(t), 7, 7))
	look(t, e)
	f.receive(op, 5, "to the first")
	other.receive(&op7[0], 5, "to the second")
	cs := wait(t, e, 2)
	if cs[0].Tag != 1 {
		cs[0], cs[1] = cs[1], cs[0]
	}
	wantPiece(t, &cs[0], "to the first")
	if string(cs[1].Buf) != "to the second" || cs[1].Tag != 7 || cs[1].Lease.Group() != 7 {
		t.Fatalf("got %+v with %q", cs[1], cs[1].Buf)
	}
	if err := g.Release(cs[1].Lease); err != api.ErrLease {
		t.Errorf("release to the other group: %v", err)
	}
	release(t, h, &cs[1])
	look(t, e)
	if f.taken(9) != 0 || other.taken(9) != 1 {
		t.Error("the piece is not back where it came from")
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, wait(t, e, 1)[0], 7, -int(unix.ECANCELED))
	release(t, g, &cs[0])
	look(t, e)
	if f.taken(9) != 1 || g.Available() != 2 {
		t.Error("the first group has suffered from the end of the other")
	}
}

// TestWiredCloses: leases outlive the group and the engine, and the memory of the refill ring outlives the ring.
func TestWiredCloses(t *testing.T) {
	for _, c := range []struct{ closeGroup, reap bool }{{true, true}, {true, false}, {false, false}} {
		e, g, f, op := wiredTo(t, 4, 0)
		f.receive(op, 10, "kept")
		f.receive(op, 20, "back")
		cs := wait(t, e, 2)
		f.receive(op, 30, "for nobody, unless it is reaped")
		if c.closeGroup {
			if err := g.Close(); err != nil {
				t.Fatal(err)
			}
			if c.reap {
				last := wait(t, e, 2)
				wantPiece(t, &last[0], "for nobody, unless it is reaped")
				want(t, last[1], 1, -int(unix.ECANCELED))
				release(t, g, &last[0])
				submit(t, e, api.RecvZC(anyTCP(t), 2, 9))
				want(t, wait(t, e, 1)[0], 9, -int(unix.EINVAL))
			}
			if f.freed {
				t.Fatal("the memory of the refill ring is free while the kernel has it")
			}
			if _, err := e.NewBufferGroup(api.BufferGroupOptions{ID: 2, Count: 2}); err != nil {
				t.Errorf("another group with the number: %v", err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if !f.freed || string(cs[0].Buf) != "kept" || string(cs[1].Buf) != "back" {
			t.Errorf("%+v: freed %v, %q, %q", c, f.freed, cs[0].Buf, cs[1].Buf)
		}
		release(t, g, &cs[1])
		if string(cs[0].Buf) != "kept" || !mapped(f.area) {
			t.Errorf("%+v: %q, mapped %v", c, cs[0].Buf, mapped(f.area))
		}
		release(t, g, &cs[0])
		if mapped(f.area) {
			t.Errorf("%+v: the memory is mapped still, when all leases are back", c)
		}
		if err := g.Release(cs[1].Lease); err != api.ErrLease {
			t.Errorf("%+v: a release behind Close that has been: %v", c, err)
		}
	}
}

// mapped says whether b is memory that is mapped, and not looked at otherwise.
func mapped(b []byte) bool {
	m := offheap.Hold(b[:1])
	if m == nil {
		return false
	}
	m.Release()
	return true
}

// TestWiredCorrupt: a kernel that puts data elsewhere has left a hole in a stream. The engine says so, and touches nothing.
func TestWiredCorrupt(t *testing.T) {
	page := uint64(os.Getpagesize())
	for _, off := range []uint64{4 * page, 4*page - 1, page - 1, 1 << 40, 1 << iouring.IORING_ZCRX_AREA_SHIFT} {
		watchdog(t)
		e, g, f, op := wiredTo(t, 4, 0)
		f.at = append(f.at, off)
		f.post(op, 2, iouring.IORING_CQE_F_MORE)
		var err error
		for n := 0; err == nil; {
			var dst [4]api.Completion
			if n, err = e.Complete(dst[:], api.Wait{Min: 1, Deadline: api.After(1e10)}); n != 0 {
				t.Fatalf("two bytes at %#x: %+v", off, dst[0])
			}
		}
		if !errors.Is(err, errPiece) || g.Available() != 4 {
			t.Errorf("two bytes at %#x: %v, %d pages available", off, err, g.Available())
		}
	}
}

// TestWiredRefused: what the kernel says to a registration, with and without Require.
func TestWiredRefused(t *testing.T) {
	for errno, hint := range map[unix.Errno]string{
		unix.EOPNOTSUPP: "header split", unix.EPERM: "CAP_NET_ADMIN", unix.EINVAL: "tcp-data-split", unix.EEXIST: "until it is closed",
		unix.ENOMEM: "RLIMIT_MEMLOCK", unix.ENODEV: "",
	} {
		e, d := openWide(t, api.CompletionsWide)
		script(t, d, os.NewSyscallError("io_uring_register(ZCRX_IFQ)", errno))
		z := &api.ZeroCopyOptions{Interface: "lo", Queue: 3, Require: true}
		var u *api.UnavailableError
		if _, err := e.NewBufferGroup(api.BufferGroupOptions{ZeroCopy: z}); !errors.As(err, &u) || !strings.Contains(u.Hint, hint) || !errors.Is(err, errno) {
			t.Errorf("%v: %v", errno, err)
		}
		z.Require = false
		if g, err := e.NewBufferGroup(api.BufferGroupOptions{ZeroCopy: z}); err != nil || len(d.wired) != 0 || g.Available() != 256 {
			t.Errorf("%v, without Require: %v", errno, err)
		}
	}
	e, d := openWide(t, api.CompletionsWide)
	script(t, d, os.NewSyscallError("io_uring_register(ZCRX_IFQ)", unix.ERANGE))
	for _, require := range []bool{true, false} {
		z := &api.ZeroCopyOptions{Interface: "lo", Queue: 3, Require: require}
		if _, err := e.NewBufferGroup(api.BufferGroupOptions{ZeroCopy: z}); !errors.Is(err, api.ErrInvalidOption) {
			t.Errorf("a queue that there is not: %v", err)
		}
	}
}

// TestUnwired: which engines cannot have a card, and what they say would help.
func TestUnwired(t *testing.T) {
	for _, c := range []struct {
		what, hint string
		o          api.Options
	}{
		{"by default", "Completions", api.Options{}},
		{"park", "Block", api.Options{Strategy: api.Park(), Ring: api.RingOptions{Completions: api.CompletionsWide}}},
		{"coop", "Taskrun", api.Options{Ring: api.RingOptions{Completions: api.CompletionsWide, Taskrun: api.TaskrunCoop}}},
		{"disabled", "6.15", api.Options{DisableOps: api.Ops(api.OpRecvZC), Ring: api.RingOptions{Completions: api.CompletionsWide}}},
	} {
		e := open(t, &c.o)
		script(t, driverOf(e), nil)
		z := &api.ZeroCopyOptions{Interface: "lo", Queue: 3, Require: true}
		var u *api.UnavailableError
		if _, err := e.NewBufferGroup(api.BufferGroupOptions{ZeroCopy: z}); !errors.As(err, &u) || c.what != "disabled" && iouring.HasRecvZC() && !strings.Contains(u.Hint, c.hint) {
			t.Errorf("%s: %v", c.what, err)
		}
		if f := e.Features(); f.Feature(api.FeatZeroCopyRecv) != api.Emulated || f.Op(api.OpRecvZC) != api.Emulated {
			t.Errorf("%s: the feature is %v, the operation %v", c.what, f.Feature(api.FeatZeroCopyRecv), f.Op(api.OpRecvZC))
		}
	}
	e, d := openWide(t, api.CompletionsWide)
	if d.unwired() != nil {
		t.Skip(d.unwired())
	}
	if f := e.Features(); f.Feature(api.FeatZeroCopyRecv) != api.Native || f.Op(api.OpRecvZC) != api.Native {
		t.Errorf("with all of it: the feature is %v, the operation %v", f.Feature(api.FeatZeroCopyRecv), f.Op(api.OpRecvZC))
	}
}

// TestWiredRestricted: an engine that may do little else can still ask for a card.
func TestWiredRestricted(t *testing.T) {
	if !iouring.HasRecvZC() {
		t.Skip("the kernel has no zero-copy receives")
	}
	for _, restrict := range []api.OpSet{0, api.Ops(api.OpRecvZC)} {
		e := open(t, &api.Options{Restrict: restrict, Ring: api.RingOptions{Completions: api.CompletionsWide}})
		if err := driverOf(e).unwired(); err != nil {
			t.Skip(err)
		}
		for range 2 { // before the ring is enabled, and afterwards
			_, err := e.NewBufferGroup(api.BufferGroupOptions{ZeroCopy: &api.ZeroCopyOptions{Interface: "lo", Require: true}})
			if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EPERM) {
				t.Errorf("restricted to %v: %v", restrict, err)
			}
			submit(t, e, api.RecvZC(anyTCP(t), 0, 1))
			want(t, wait(t, e, 1)[0], 1, -int(unix.EINVAL))
		}
	}
	e := open(t, &api.Options{Restrict: api.Ops(api.OpRecv), Ring: api.RingOptions{Completions: api.CompletionsWide}})
	var u *api.UnavailableError
	_, err := e.NewBufferGroup(api.BufferGroupOptions{ZeroCopy: &api.ZeroCopyOptions{Interface: "lo", Require: true}})
	if !errors.As(err, &u) || !strings.Contains(u.Hint, "Options.Restrict") {
		t.Errorf("restricted to other operations: %v", err)
	}
}
