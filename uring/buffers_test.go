//go:build linux

package uring

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
)

// pages is memory outside of the Go heap.
func pages(t *testing.T, n int) []byte {
	t.Helper()
	b, err := unix.Mmap(-1, 0, n*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(b); err != nil {
			t.Error(err)
		}
	})
	return b
}

// tempFile is an fd of a file with that content.
func tempFile(t *testing.T, content string) int {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
	return int(f.Fd())
}

// blind runs f while mem cannot be accessed through its addresses: what the kernel has mapped by itself works still.
func blind(t *testing.T, mem []byte, f func()) {
	t.Helper()
	if err := unix.Mprotect(mem, unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	f()
	if err := unix.Mprotect(mem, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
}

// needs skips a test on a kernel that is older than the features; a newer one must have been found to have them.
func needs(t *testing.T, e api.Engine, f api.KernelFeature, major, minor int) {
	t.Helper()
	if driverOf(e).kern.Has(f) {
		return
	}
	var u unix.Utsname
	var has [2]int
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	if _, err := fmt.Sscanf(release, "%d.%d", &has[0], &has[1]); err != nil {
		t.Fatalf("Linux %q: %v", release, err)
	}
	if slices.Compare(has[:], []int{major, minor}) >= 0 {
		t.Fatalf("Linux %s has %v, and only %v was found", release, f, driverOf(e).kern)
	}
	t.Skipf("Linux %s has %v only", release, driverOf(e).kern)
}

// TestKernelHasTheBuffers shows that the kernel's own operations are used: they alone work on memory that cannot be accessed.
func TestKernelHasTheBuffers(t *testing.T) {
	e, clone := open(t, nil), open(t, nil)
	needs(t, e, api.KernFixedBuffers|api.KernCloneBuffers, 6, 12)
	mem := pages(t, 2)
	fd := tempFile(t, "kernel")
	if err := e.RegisterBuffers([][]byte{nil, mem}); err != nil {
		t.Fatal(err)
	}
	if err := clone.CloneBuffers(e); err != nil {
		t.Fatal(err)
	}
	m := &api.Msg{Bufs: [][]byte{mem[5000:5001], mem[8:9]}}
	blind(t, mem, func() {
		submit(t, e, api.ReadFixed(fd, 1, mem[:100], 0, 1))
		want(t, wait(t, e, 1)[0], 1, 6)
		submit(t, clone, api.ReadFixed(fd, 1, mem[100:200], 0, 2))
		want(t, wait(t, clone, 1)[0], 2, 6)
		if !driverOf(e).emulated.Has(api.OpReadvFixed) {
			submit(t, e, api.ReadvFixed(fd, 1, m, 0, 3))
			want(t, wait(t, e, 1)[0], 3, 2)
		}
		submit(t, e, api.Read(fd, mem[:100], 0, 4))
		want(t, wait(t, e, 1)[0], 4, -int(unix.EFAULT))
	})
	if got := string(mem[:6]) + string(mem[100:106]); got != "kernelkernel" {
		t.Errorf("it has read %q", got)
	}
}

// TestKernelLacksTheBuffers: what the kernel turns out not to have in its table is done without it.
func TestKernelLacksTheBuffers(t *testing.T) {
	e := open(t, nil)
	d := driverOf(e)
	needs(t, e, api.KernFixedBuffers, 5, 13)
	mem := pages(t, 1)
	fd := tempFile(t, "plain")
	if err := e.RegisterBuffers([][]byte{mem}); err != nil {
		t.Fatal(err)
	}
	if n, err := d.ring.BuffersUpdate(0, make([]unix.Iovec, 1), nil); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	submit(t, e, api.ReadFixed(fd, 0, mem[:100], 0, 1), api.WriteFixed(fd, 0, mem[200:210], 10, 2),
		api.ReadvFixed(fd, 0, &api.Msg{Bufs: [][]byte{mem[300:301], mem[400:402]}}, 0, 3))
	for _, c := range wait(t, e, 3) {
		want(t, c, c.Tag, map[uint64]int{1: 5, 2: 10, 3: 3}[c.Tag])
	}
	if got := string(mem[:5]) + string(mem[300:301]) + string(mem[400:402]); got != "plainpla" {
		t.Errorf("it has read %q", got)
	}
}

// TestKernelRefusesTheBuffers: a buffer that the kernel does not take into its table works, and so do those behind it.
func TestKernelRefusesTheBuffers(t *testing.T) {
	e := open(t, nil)
	d := driverOf(e)
	needs(t, e, api.KernFixedBuffers, 5, 13)
	mem := pages(t, 4)
	page := os.Getpagesize()
	if err := unix.Mprotect(mem[page:2*page], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	if err := e.RegisterBuffers([][]byte{mem[:page], mem[page : 2*page], mem[2*page : 3*page]}); err != nil {
		t.Fatal(err)
	}
	if d.held[0] == nil || d.held[1] != nil {
		t.Errorf("the kernel is said to have %v", d.held)
	}
	if err := unix.Mprotect(mem[page:2*page], unix.PROT_READ|unix.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	fd := tempFile(t, "works")
	for i := range 3 {
		submit(t, e, api.ReadFixed(fd, i, mem[i*page:i*page+5], 0, 1))
		want(t, wait(t, e, 1)[0], 1, 5)
		if got := string(mem[i*page : i*page+5]); got != "works" {
			t.Errorf("buffer %d has %q", i, got)
		}
	}
}

// TestTableWhileInFlight: no kernel has to wait until what is in flight has ended.
func TestTableWhileInFlight(t *testing.T) {
	e := open(t, nil)
	d := driverOf(e)
	needs(t, e, api.KernFixedBuffers, 5, 13)
	mem := pages(t, 4)
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = unix.Close(p[0]), unix.Close(p[1]) })
	register := func(n, kernel int) {
		t.Helper()
		bufs := make([][]byte, n)
		bufs[0] = mem
		if err := e.RegisterBuffers(bufs); err != nil {
			t.Fatal(err)
		}
		if len(d.held) != kernel {
			t.Errorf("a table of %d slots, the kernel's has %d, want %d", n, len(d.held), kernel)
		}
	}
	register(4, 4)
	submit(t, e, api.ReadFixed(p[0], 0, mem[:4], 0, 1))
	if n, err := e.Complete(make([]api.Completion, 1), api.Wait{}); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	for _, c := range []struct{ n, kernel int }{{2, 4}, {5, 4}, {3, 4}} {
		if err := e.UnregisterBuffers(); err != nil {
			t.Fatal(err)
		}
		register(c.n, c.kernel)
		submit(t, e, api.WriteFixed(tempFile(t, ""), 0, mem[8:12], 0, 2))
		want(t, wait(t, e, 1)[0], 2, 4)
	}
	if _, err := unix.Write(p[1], []byte("done")); err != nil {
		t.Fatal(err)
	}
	want(t, wait(t, e, 1)[0], 1, 4)
	if err := e.UnregisterBuffers(); err != nil {
		t.Fatal(err)
	}
	if len(d.held) != 0 {
		t.Errorf("the kernel has a table of %d", len(d.held))
	}
	if err := d.ring.RegisterBuffersTags(make([]unix.Iovec, 1), nil); err != nil {
		t.Errorf("the kernel's table is not gone: %v", err)
	}
}

// TestRestrictedBuffers: a ring that is limited to operations on registered buffers has all that they need.
func TestRestrictedBuffers(t *testing.T) {
	for _, off := range []api.KernelFeature{0, api.KernFixedBuffers} {
		e := open(t, &api.Options{Restrict: api.Ops(api.OpReadFixed, api.OpReadvFixed), Disable: off})
		mem := pages(t, 1)
		fd := tempFile(t, "allowed")
		if err := e.RegisterBuffers([][]byte{nil, mem}); err != nil {
			t.Fatal(err)
		}
		if d := driverOf(e); d.kern.Has(api.KernFixedBuffers) && (len(d.held) != 2 || d.held[1] == nil) {
			t.Errorf("the kernel has %v", d.held)
		}
		submit(t, e, api.ReadFixed(fd, 1, mem[:100], 0, 1), api.ReadvFixed(fd, 1, &api.Msg{Bufs: [][]byte{mem[100:102], mem[102:102]}}, 0, 2))
		for _, c := range wait(t, e, 2) {
			want(t, c, c.Tag, map[uint64]int{1: 7, 2: 2}[c.Tag])
		}
		if _, err := e.Submit([]api.Op{api.Read(fd, mem, 0, 3)}); !errors.Is(err, api.ErrUnsupported) {
			t.Errorf("a plain read: %v", err)
		}
	}
}

// TestBufferThatIsNotOut: a buffer that the kernel has taken for what has not ended is none for others, which are told so when there is data, and do not ask
// again and again until then.
func TestBufferThatIsNotOut(t *testing.T) {
	e := open(t, nil)
	d := driverOf(e)
	if !d.kern.Has(api.KernBufferRings | api.KernMultishotRecv) {
		t.Skip("the kernel hands out no buffers")
	}
	g, err := e.NewBufferGroup(api.BufferGroupOptions{ID: 3, Count: 1, Size: 16})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.ring.PbufStatus(3); err != nil {
		t.Skip("the kernel does not tell how many buffers it has left:", err)
	}
	take := func() { // what a read that is under way has done
		zero, err := os.Open("/dev/zero")
		if err != nil {
			t.Fatal(err)
		}
		defer zero.Close()
		d.flush()
		q := d.sqe()
		q.PrepRead(int32(zero.Fd()), nil, 4, 0) // no more than comes later: the invariants build looks at the rest
		q.SetBufferGroup(3)
		q.UserData = kindIgnore << kindShift
		submit(t, e, api.Nop(9))
		want(t, wait(t, e, 1)[0], 9, 0)
	}
	a, b := pair(t)
	for _, op := range []api.Op{api.RecvBuffer(a, 3, 1), api.RecvMultishot(a, 3, 1), api.ReadBuffer(a, 3, api.CurrentPosition, 1)} {
		for _, later := range []bool{false, true} {
			take()
			put := func() {
				if _, err := unix.Write(b, []byte("data")); err != nil {
					t.Fatal(err)
				}
			}
			if !later {
				put()
			}
			submit(t, e, op)
			if later {
				before := e.Stats().Enters
				for range 5 {
					if n, err := e.Complete(make([]api.Completion, 1), api.Wait{Min: 1, Deadline: api.After(2 * time.Millisecond)}); n != 0 || err != nil {
						t.Fatalf("%v: %d completions, %v, while there is no data", op.Code, n, err)
					}
				}
				if n := e.Stats().Enters - before; n > 100 {
					t.Errorf("%v: %d system calls while there is no data", op.Code, n)
				}
				put()
			}
			want(t, wait(t, e, 1)[0], 1, -int(unix.ENOBUFS))
			d.Recycle(g.(*core.Group), 0)
			submit(t, e, op)
			c := wait(t, e, 1)[0]
			if c.Res != 4 || string(c.Buf) != "data" {
				t.Fatalf("%v: %d bytes (%v), %q, once the buffer is back", op.Code, c.Res, c.Err(), c.Buf)
			}
			if c.More() {
				submit(t, e, api.Cancel(c.ID, 2))
				wait(t, e, 2)
			}
			if err := g.Release(c.Lease); err != nil {
				t.Fatal(err)
			}
		}
	}
}
