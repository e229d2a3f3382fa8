package core

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
)

// manual is a driver whose operations end when the test says so.
type manual struct {
	e       *Engine
	begun   []*Slot
	refuse  bool // Cancel answers Unstoppable
	pend    bool // Cancel answers Pending, and leaves who has asked in asked
	asked   *Slot
	cancels int
}

func (m *manual) Attach(e *Engine) error        { m.e = e; return nil }
func (m *manual) Bind() error                   { return nil }
func (m *manual) Start(s *Slot)                 { m.begun = append(m.begun, s) }
func (m *manual) Rearm(*Slot)                   {}
func (m *manual) Limit() time.Duration          { return -1 }
func (m *manual) BeforePark() bool              { return false }
func (m *manual) PollFD() int                   { return -1 }
func (m *manual) AddGroup(*Group) (bool, error) { return false, nil }
func (m *manual) RemoveGroup(*Group)            {}
func (m *manual) Recycle(*Group, uint16)        {}
func (m *manual) Counters() Counters            { return Counters{} }
func (m *manual) Close() error                  { return nil }

// Turn ends everything when it may wait, for then the engine is being closed.
func (m *manual) Turn(_ int, d time.Duration) error {
	for d != 0 && len(m.begun) > 0 {
		m.end(0, 0)
	}
	return nil
}

func (m *manual) Cancel(s, by *Slot) CancelResult {
	m.cancels++
	if m.refuse {
		return Unstoppable
	}
	if m.pend {
		m.asked = by
		return Pending
	}
	m.drop(s)
	m.e.End(s, -int32(api.ECanceled))
	return Ended
}

func (m *manual) drop(s *Slot) {
	for i, b := range m.begun {
		if b == s {
			m.begun = append(m.begun[:i], m.begun[i+1:]...)
			return
		}
	}
}

// end ends the i-th operation that has begun.
func (m *manual) end(i int, res int32) {
	s := m.begun[i]
	m.drop(s)
	m.e.End(s, res)
}

func open(t *testing.T, o *api.Options) (*Engine, *manual) {
	t.Helper()
	opt, err := o.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	m := &manual{}
	e, err := New("manual", opt, api.Features{}, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.refuse = false
		if err := e.Close(); err != nil && !errors.Is(err, api.ErrClosed) {
			t.Error(err)
		}
	})
	return e, m
}

func devNull(t *testing.T) int {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return int(f.Fd())
}

func submit(t *testing.T, e *Engine, ops ...api.Op) []api.Op {
	t.Helper()
	if n, err := e.Submit(ops); n != len(ops) || err != nil {
		t.Fatalf("Submit took %d of %d: %v", n, len(ops), err)
	}
	return ops
}

// reap makes one turn and gives what has completed, as tag → result.
func reap(t *testing.T, e *Engine) (got []api.Completion) {
	t.Helper()
	dst := make([]api.Completion, 16)
	n, err := e.Complete(dst, api.Wait{})
	if err != nil {
		t.Fatal(err)
	}
	return dst[:n]
}

func tags(m *manual) (tags []uint64) {
	for _, s := range m.begun {
		tags = append(tags, s.Op.Tag)
	}
	return tags
}

func same(a []uint64, b ...uint64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestOneInEachDirectionAtATime(t *testing.T) {
	e, m := open(t, nil)
	fd, buf := devNull(t), make([]byte, 8)
	submit(t, e, api.Recv(fd, buf, 1), api.Recv(fd, buf, 2), api.Send(fd, buf, 3), api.Send(fd, buf, 4),
		api.Recv(fd, buf, 5).With(api.Unordered), api.Read(fd, buf, 0, 6))
	reap(t, e)
	if got := tags(m); !same(got, 1, 3, 5, 6) {
		t.Fatalf("begun %v, want 1, 3, 5, 6", got)
	}
	m.end(0, 8)
	reap(t, e)
	if got := tags(m); !same(got, 3, 5, 6, 2) {
		t.Fatalf("begun %v, want 2 as the last", got)
	}
}

func TestCancelOfWhatHasNotBegun(t *testing.T) {
	e, m := open(t, nil)
	fd, buf := devNull(t), make([]byte, 8)
	ops := submit(t, e, api.Recv(fd, buf, 1), api.Recv(fd, buf, 2), api.Recv(fd, buf, 3))
	submit(t, e, api.Cancel(ops[1].ID, 9))
	got := reap(t, e)
	if len(got) != 2 || got[0].Tag != 2 || got[0].Err() != api.ErrCanceled || got[1].Tag != 9 || got[1].Res != 0 {
		t.Fatalf("got %+v", got)
	}
	if m.cancels != 0 {
		t.Error("the driver was asked to cancel what it does not have")
	}
	m.end(0, 1)
	reap(t, e)
	if got := tags(m); !same(got, 3) {
		t.Fatalf("begun %v, want 3", got)
	}
}

func TestCloseWaitsForTheLast(t *testing.T) {
	e, m := open(t, nil)
	fd, buf := devNull(t), make([]byte, 8)
	m.refuse = true
	submit(t, e, api.Read(fd, buf, 0, 1), api.Close(fd, 2), api.Recv(fd, buf, 3))
	got := reap(t, e)
	if len(got) != 1 || got[0].Tag != 3 || got[0].Err() != syscall.EBADF {
		t.Fatalf("behind a close: %+v, want EBADF", got)
	}
	if got := tags(m); !same(got, 1) {
		t.Fatalf("begun %v: the close must wait", got)
	}
	m.end(0, 5)
	got = reap(t, e)
	if len(got) != 1 || got[0].Res != 5 {
		t.Fatalf("got %+v, want the bytes that were read", got)
	}
	if got := tags(m); !same(got, 2) {
		t.Fatalf("begun %v, want the close", got)
	}
}

func TestBytesBeforeReasons(t *testing.T) {
	e, m := open(t, nil)
	fd, buf := devNull(t), make([]byte, 8)
	ops := submit(t, e, api.Recv(fd, buf, 1).With(api.WaitAll))
	reap(t, e)
	m.begun[0].Done = 3
	submit(t, e, api.Cancel(ops[0].ID, 2))
	got := reap(t, e)
	if len(got) != 2 || got[0].Res != 3 {
		t.Fatalf("got %+v, want the 3 bytes", got)
	}
}

func TestKernelNumbersDoNotGetOut(t *testing.T) {
	e, m := open(t, nil)
	fd, buf := devNull(t), make([]byte, 8)
	m.pend = true
	for _, res := range []int32{-int32(syscall.EINTR), -512, -516, -int32(api.ECanceled)} {
		ops := submit(t, e, api.Recv(fd, buf, 1))
		reap(t, e)
		submit(t, e, api.Cancel(ops[0].ID, 2))
		reap(t, e)
		m.end(0, res)
		e.CancelDone(m.asked, 0)
		if got := reap(t, e); len(got) != 2 || got[0].Err() != api.ErrCanceled || got[1].Res != 0 {
			t.Errorf("result %d of a cancelled operation became %+v", res, got)
		}
	}
}

func TestOneCancelIsEnough(t *testing.T) {
	e, m := open(t, nil)
	fd, buf := devNull(t), make([]byte, 8)
	m.pend = true
	id := submit(t, e, api.Recv(fd, buf, 1))[0].ID
	submit(t, e, api.Cancel(id, 2), api.Cancel(id, 3), api.CancelFD(fd, 4))
	got := reap(t, e)
	if len(got) != 2 || got[0].Tag != 3 || got[0].Err() != syscall.ENOENT || got[1].Tag != 4 || got[1].Res != 0 {
		t.Fatalf("while the first cancel is under way the others gave %+v, want ENOENT and none", got)
	}
	m.end(0, -int32(api.ECanceled))
	e.CancelDone(m.asked, 0)
	if got := reap(t, e); len(got) != 2 || m.cancels != 1 {
		t.Fatalf("got %+v after %d cancels", got, m.cancels)
	}
}

func TestDeadlineInTheQueue(t *testing.T) {
	e, _ := open(t, nil)
	fd, buf := devNull(t), make([]byte, 8)
	submit(t, e, api.Recv(fd, buf, 1), api.Recv(fd, buf, 2).Until(1))
	got := reap(t, e)
	if len(got) != 1 || got[0].Tag != 2 || got[0].Err() != os.ErrDeadlineExceeded {
		t.Fatalf("got %+v, want 2 to be late", got)
	}
}

func TestQueueFullLosesNothing(t *testing.T) {
	e, m := open(t, &api.Options{MaxInFlight: 3})
	fd, buf := devNull(t), make([]byte, 8)
	ops := []api.Op{api.Read(fd, buf, 0, 1), api.Read(fd, buf, 0, 2), api.Read(fd, buf, 0, 3), api.Read(fd, buf, 0, 4)}
	n, err := e.Submit(ops)
	if n != 3 || !errors.Is(err, api.ErrQueueFull) {
		t.Fatalf("took %d: %v", n, err)
	}
	reap(t, e)
	m.end(0, 1)
	reap(t, e)
	submit(t, e, ops[3])
	reap(t, e)
	if got := tags(m); !same(got, 2, 3, 4) {
		t.Fatalf("begun %v", got)
	}
}

func TestStaleIDs(t *testing.T) {
	e, m := open(t, nil)
	fd, buf := devNull(t), make([]byte, 8)
	old := submit(t, e, api.Read(fd, buf, 0, 1))[0].ID
	reap(t, e)
	m.end(0, 1)
	reap(t, e)
	again := submit(t, e, api.Read(fd, buf, 0, 2))[0].ID
	if again.Slot() != old.Slot() || again == old {
		t.Fatalf("ids %x and %x: the test expects a slot to be used again, under another generation", old, again)
	}
	for _, id := range []api.OpID{old, 0, api.MakeOpID(1<<30, 1), ^api.OpID(0)} {
		submit(t, e, api.Cancel(id, 3))
		if got := reap(t, e); len(got) != 1 || got[0].Err() != syscall.ENOENT {
			t.Errorf("cancel of %x: %+v, want ENOENT", id, got)
		}
	}
}

// TestPieces checks that the release of a piece spoils that piece and no other, in the invariants build, and in every build leaves the others
// to the program.
func TestPieces(t *testing.T) {
	e, _ := open(t, nil)
	bg, err := e.NewBufferGroup(api.BufferGroupOptions{Count: 1, Size: 8, Incremental: true})
	if err != nil {
		t.Fatal(err)
	}
	g := bg.(*Group)
	var bufs [3][]byte
	var leases [3]api.Lease
	for i, s := range []string{"ab", "cde", "fgh"} {
		bid, ok := g.Take()
		if copy(g.Rest(bid), s); !ok {
			t.Fatalf("nothing to take for piece %d", i)
		}
		bufs[i], leases[i], _ = g.lease(bid, int32(len(s)))
	}
	if _, ok := g.Take(); ok || g.Available() != 0 {
		t.Fatalf("there is a buffer to take when the only one is full, %d available", g.Available())
	}
	if err := g.Release(leases[1]); err != nil {
		t.Fatal(err)
	}
	want := "cde"
	if invariants.Enabled {
		want = "\xDB\xDB\xDB"
	}
	if got := string(bufs[1]); got != want {
		t.Errorf("the piece that is back holds %q, want %q", got, want)
	}
	if string(bufs[0]) != "ab" || string(bufs[2]) != "fgh" {
		t.Errorf("the pieces that are out hold %q and %q", bufs[0], bufs[2])
	}
	// Generations begin anew before they overflow.
	g.gens[0] = genMax
	if err := g.Release(g.leaseOf(0, genMax+1)); err != nil {
		t.Fatal(err)
	}
	if err := g.Release(g.leaseOf(0, genMax+3)); err != nil {
		t.Fatal(err)
	}
	if bid, ok := g.Take(); !ok || bid != 0 || g.gens[0] != 0 || len(g.Rest(0)) != 8 {
		t.Errorf("took %d, %v, generation %#x, room for %d bytes", bid, ok, g.gens[0], len(g.Rest(0)))
	}
}

func TestLeases(t *testing.T) {
	e, _ := open(t, nil)
	bg, err := e.NewBufferGroup(api.BufferGroupOptions{ID: 3, Count: 2, Size: 16})
	if err != nil {
		t.Fatal(err)
	}
	g := bg.(*Group)
	bid, _ := g.Take()
	b, l, _ := g.lease(bid, 5)
	if len(b) != 5 || cap(b) != 5 || l.Group() != 3 || g.Available() != 1 {
		t.Fatalf("len %d, cap %d, group %d, available %d", len(b), cap(b), l.Group(), g.Available())
	}
	if err := g.Release(l); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []api.Lease{l, 0, l ^ 1<<16, l | 0xffff} {
		if err := g.Release(bad); err != api.ErrLease {
			t.Errorf("release of %x: %v, want ErrLease", bad, err)
		}
	}
	if g.Available() != 2 {
		t.Errorf("available %d, want 2", g.Available())
	}
}

func TestSecondGoroutine(t *testing.T) {
	e, _ := open(t, nil)
	submit(t, e, api.Nop(1))
	done := make(chan error)
	go func() {
		_, err := e.Submit([]api.Op{api.Nop(2)})
		done <- err
	}()
	if err := <-done; errors.Is(err, api.ErrNotOwner) != invariants.Enabled {
		t.Errorf("invariants %v, and Submit from a second goroutine: %v", invariants.Enabled, err)
	}
}

// TestSecondGoroutineInOnLow waits in a second goroutine while the owner is in OnLow: that one is not the owner, which matters more than where the owner is.
func TestSecondGoroutineInOnLow(t *testing.T) {
	if !invariants.Enabled {
		t.Skip("needs the tag invariants: the owner is not looked at otherwise")
	}
	e, _ := open(t, nil)
	submit(t, e, api.Nop(1))
	done := make(chan error)
	g, err := e.NewBufferGroup(api.BufferGroupOptions{Count: 1, LowWater: 1, OnLow: func(g api.BufferGroup) {
		go func() {
			_, err := e.Complete(nil, api.Wait{})
			done <- errors.Join(err, g.Close())
		}()
		if err := <-done; !errors.Is(err, api.ErrNotOwner) || errors.Is(err, api.ErrReentrant) {
			t.Errorf("from a second goroutine: %v", err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	g.(*Group).lease(0, 1)
	e.callLow()
}

func TestHotPathAllocatesNothing(t *testing.T) {
	e, m := open(t, nil)
	fd, buf := devNull(t), make([]byte, 8)
	ops, dst := make([]api.Op, 1), make([]api.Completion, 4)
	step := func() {
		ops[0] = api.Recv(fd, buf, 1)
		e.Submit(ops)
		e.Complete(dst, api.Wait{})
		m.end(0, 8)
		e.Complete(dst, api.Wait{})
	}
	step()
	runtime.GC()
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("%v allocations per operation", n)
	}
}
