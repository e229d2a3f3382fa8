//go:build linux

package uring

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
)

func fixedOp(op api.Op) api.Op { return op.With(api.FixedFile) }

// openPlaces opens an engine whose kernel lets go of registered files at once, and gives its places.
func openPlaces(t *testing.T, o *api.Options) (api.Engine, *fixed) {
	t.Helper()
	e := open(t, o)
	d := e.(*core.Engine).Driver().(*driver)
	if !d.kern.Has(api.KernFixedFiles) {
		t.Skip("the kernel keeps registered files too long, or has none")
	}
	return e, &d.fixed
}

func (t *fixed) used() int { return len(t.fds) - len(t.free) }

func register(t *testing.T, e api.Engine, fds ...int) {
	t.Helper()
	if err := e.RegisterFiles(fds); err != nil {
		t.Fatal(err)
	}
}

func TestPlaceFromTheFirstOperationToTheClose(t *testing.T) {
	e, p := openPlaces(t, nil)
	a, b := pair(t)
	c, d := pair(t)
	register(t, e, a, c, -1)
	if p.used() != 0 {
		t.Errorf("%d places are in use before any operation", p.used())
	}
	buf := make([]byte, 8)
	for range 3 {
		submit(t, e, fixedOp(api.Recv(0, buf, 1)))
		if _, err := unix.Write(b, []byte("x")); err != nil {
			t.Fatal(err)
		}
		want(t, wait(t, e, 1)[0], 1, 1)
	}
	if p.used() != 1 {
		t.Errorf("%d places are in use, want that of the one file", p.used())
	}
	submit(t, e, fixedOp(api.Recv(1, buf, 2)))
	if _, err := e.Complete(nil, api.Wait{}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.UpdateFiles(1, []int{a}); err != nil {
		t.Fatal(err)
	}
	submit(t, e, api.CloseSlot(0, 3), fixedOp(api.Send(1, []byte("y"), 4)))
	for _, c := range wait(t, e, 2) {
		if c.Res != int32(c.Tag-3) {
			t.Errorf("tag %d: %v", c.Tag, c.Err())
		}
	}
	if p.used() != 2 {
		t.Errorf("%d places are in use, want those of the receive in flight and of the new file", p.used())
	}
	if _, err := unix.Write(d, []byte("old")); err != nil {
		t.Fatal(err)
	}
	want(t, wait(t, e, 1)[0], 2, 3)
	if err := e.UnregisterFiles(); err != nil {
		t.Fatal(err)
	}
	submit(t, e, api.Nop(5))
	wait(t, e, 1)
	if p.used() != 0 {
		t.Errorf("%d places are in use by files that are closed", p.used())
	}
}

// TestPlaceOfFileNotOpenForThat: EBADF for the mode of a file is no reason to name it by its fd from then on.
func TestPlaceOfFileNotOpenForThat(t *testing.T) {
	e, p := openPlaces(t, nil)
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	register(t, e, fds[0], fds[1])
	for range 2 {
		submit(t, e, fixedOp(api.Write(0, []byte("x"), api.CurrentPosition, 1)), fixedOp(api.Read(1, make([]byte, 1), api.CurrentPosition, 2)))
		for _, c := range wait(t, e, 2) {
			if c.Res != -int32(unix.EBADF) {
				t.Errorf("tag %d: %v, want EBADF", c.Tag, c.Err())
			}
		}
	}
	if p.used() != 2 {
		t.Fatalf("%d places are in use, want 2", p.used())
	}
	for at, f := range p.of {
		if f != nil && f.Place != int32(at)+1 {
			t.Errorf("the place %d is not used any more: %d", at+1, f.Place)
		}
	}
	submit(t, e, fixedOp(api.Write(1, []byte("x"), api.CurrentPosition, 3)), fixedOp(api.Read(0, make([]byte, 1), api.CurrentPosition, 4)))
	for _, c := range wait(t, e, 2) {
		want(t, c, c.Tag, 1)
	}
}

// TestPlaceOfATableThatWasLarger: a place that could not be filled is told of late, and the table may have become smaller by then.
func TestPlaceOfATableThatWasLarger(t *testing.T) {
	e, p := openPlaces(t, nil)
	a, _ := pair(t)
	register(t, e, a)
	submit(t, e, fixedOp(api.Send(0, []byte("x"), 1)))
	want(t, wait(t, e, 1)[0], 1, 1)
	d := e.(*core.Engine).Driver().(*driver)
	d.notFixed(int32(len(p.of)))
	if p.of[0].Place != 1 {
		t.Errorf("the place of another file is %d, want 1", p.of[0].Place)
	}
}

func TestPlacesGrowWithTheTable(t *testing.T) {
	e, p := openPlaces(t, nil)
	a, b := pair(t)
	for _, n := range []int{1, 40, 3, 150} {
		was := len(p.fds)
		fds := make([]int, n)
		for i := range fds {
			fds[i] = a
		}
		register(t, e, fds...)
		for slot := range fds {
			submit(t, e, fixedOp(api.Send(slot, []byte{byte(slot)}, uint64(slot))))
		}
		for _, c := range wait(t, e, n) {
			want(t, c, c.Tag, 1)
		}
		if m, err := unix.Read(b, make([]byte, n+1)); m != n || err != nil {
			t.Fatalf("%d of %d bytes came, %v", m, n, err)
		}
		if p.used() != n || len(p.fds) != max(was, n) {
			t.Errorf("%d of %d places are in use, for %d files", p.used(), len(p.fds), n)
		}
		if err := e.UnregisterFiles(); err != nil {
			t.Fatal(err)
		}
		submit(t, e, api.Nop(1))
		wait(t, e, 1)
	}
}

func TestMoreFilesThanPlaces(t *testing.T) {
	e, p := openPlaces(t, nil)
	a, b := pair(t)
	register(t, e, a)
	submit(t, e, fixedOp(api.Recv(0, make([]byte, 4), 1)))
	if _, err := e.Complete(nil, api.Wait{}); err != nil {
		t.Fatal(err)
	}
	if err := e.UnregisterFiles(); err != nil {
		t.Fatal(err)
	}
	register(t, e, b, b, a) // while the one place is in use
	submit(t, e, fixedOp(api.Send(2, []byte("a"), 2)), fixedOp(api.Send(1, []byte("bb"), 3)))
	sum := int32(0)
	for _, c := range wait(t, e, 3) {
		sum += c.Res
	}
	if sum != 5 {
		t.Errorf("the results add up to %d, want 5: what was sent, and what the receive has got of it", sum)
	}
	if len(p.fds) != 1 {
		t.Errorf("there are %d places, while one was in use all the time", len(p.fds))
	}
}

// TestFewerPlacesThanSlots: the kernel takes no table larger than RLIMIT_NOFILE. Those files that find a place have one, and nothing is
// tried over and over.
func TestFewerPlacesThanSlots(t *testing.T) {
	e, p := openPlaces(t, nil)
	a, b := pair(t)
	const slots = 1200
	fds := make([]int, slots)
	for i := range fds {
		fds[i] = -1
	}
	copy(fds, []int{a, a})
	register(t, e, fds...)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	low := was
	low.Cur = 400
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	send := func(slot int) {
		t.Helper()
		submit(t, e, fixedOp(api.Send(slot, []byte("x"), 1)))
		want(t, wait(t, e, 1)[0], 1, 1)
	}
	send(0)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if len(p.fds) != slots/4 || p.used() != 1 {
		t.Fatalf("%d of %d places are in use, want 1 of %d", p.used(), len(p.fds), slots/4)
	}
	first := &p.fds[0]
	submit(t, e, api.CloseSlot(0, 2))
	wait(t, e, 1)
	send(1)
	if &p.fds[0] != first {
		t.Error("the table was made anew, and nothing has changed")
	}
	if m, err := unix.Read(b, make([]byte, 4)); m != 2 || err != nil {
		t.Errorf("%d of 2 bytes came, %v", m, err)
	}
}

// TestFileThatTheRingRefuses: a ring's own fd cannot be registered with a ring. Operations on its slot are those on an fd.
func TestFileThatTheRingRefuses(t *testing.T) {
	e, p := openPlaces(t, nil)
	a, _ := pair(t)
	r := open(t, &api.Options{Strategy: api.Park()})
	register(t, e, r.(*core.Engine).Driver().(*driver).ring.Fd(), a)
	for range 3 {
		ops := submit(t, e, fixedOp(api.Poll(0, api.PollIn, 1)), fixedOp(api.Send(1, []byte("x"), 2)))
		want(t, wait(t, e, 1)[0], 2, 1)
		submit(t, e, api.Cancel(ops[0].ID, 3))
		for _, c := range wait(t, e, 2) {
			if c.Tag == 1 && c.Err() != api.ErrCanceled || c.Tag == 3 && c.Res != 0 {
				t.Errorf("tag %d: %d, %v", c.Tag, c.Res, c.Err())
			}
		}
	}
	if p.used() != 2 {
		t.Errorf("%d places are in use: one that is refused is kept until the close, for entries may name it", p.used())
	}
	submit(t, e, api.CloseSlot(0, 4))
	want(t, wait(t, e, 1)[0], 4, 0)
	if p.used() != 1 {
		t.Errorf("%d places are in use after the close", p.used())
	}
}

// TestPlacesInASmallQueue: the entry that fills a place comes before those that use it, whenever the queue is flushed.
func TestPlacesInASmallQueue(t *testing.T) {
	for _, mask := range []api.KernelFeature{0, api.KernSubmitAll, api.KernDeferTaskrun | api.KernCoopTaskrun} {
		e, p := openPlaces(t, &api.Options{Entries: 1, CQEntries: 2, Disable: mask})
		a, b := pair(t)
		const n = 200
		fds := make([]int, n)
		for i := range fds {
			fds[i] = a
		}
		register(t, e, fds...)
		buf := make([]byte, n)
		for range 5 {
			for slot := range n {
				submit(t, e, fixedOp(api.Send(slot, []byte{byte(slot)}, uint64(slot))))
			}
			for _, c := range wait(t, e, n) {
				want(t, c, c.Tag, 1)
			}
			if m, err := unix.Read(b, buf); m != n || err != nil {
				t.Fatalf("%d of %d bytes came, %v", m, n, err)
			}
			if p.used() != n {
				t.Errorf("%d places are in use by %d files", p.used(), n)
			}
			if _, err := e.UpdateFiles(0, fds); err != nil {
				t.Fatal(err)
			}
			submit(t, e, api.Nop(1)) // the old ones are closed, or the new ones would find no place, at first
			wait(t, e, 1)
		}
	}
}

// TestCancelledBeforeItsPlace: an operation that is cancelled before the ring has seen it leaves no file behind in the place that was meant for it.
func TestCancelledBeforeItsPlace(t *testing.T) {
	e, p := openPlaces(t, nil)
	a, b := pair(t)
	register(t, e, a)
	_ = unix.Close(a)
	submit(t, e, fixedOp(api.Recv(0, make([]byte, 4), 1)), api.CloseSlot(0, 2))
	for _, c := range wait(t, e, 2) {
		if c.Tag == 1 && c.Err() != api.ErrCanceled || c.Tag == 2 && c.Res != 0 {
			t.Errorf("tag %d: %d, %v", c.Tag, c.Res, c.Err())
		}
	}
	if p.used() != 0 {
		t.Errorf("%d places are in use", p.used())
	}
	if n, err := unix.Read(b, make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("the peer has read %d bytes, %v, want the end", n, err)
	}
}

func TestWithoutPlaces(t *testing.T) {
	e := open(t, &api.Options{Disable: api.KernFixedFiles})
	a, _ := pair(t)
	register(t, e, a)
	submit(t, e, fixedOp(api.Send(0, []byte("x"), 1)))
	want(t, wait(t, e, 1)[0], 1, 1)
	if n := len(e.(*core.Engine).Driver().(*driver).fixed.fds); n != 0 {
		t.Errorf("there are %d places although the feature is off", n)
	}
}
