package conformance

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// unprivileged takes CAP_IPC_LOCK from the thread, which the goroutine of the case keeps to itself and takes along when it ends.
func (t *T) unprivileged() {
	runtime.LockOSThread()
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	t.must("capget", unix.Capget(&hdr, &data[0]))
	data[0].Effective &^= 1 << unix.CAP_IPC_LOCK
	t.must("capset", unix.Capset(&hdr, &data[0]))
}

// lockable makes RLIMIT_MEMLOCK n bytes until the end of the case. Engines must be open by then: a ring is locked memory, too.
func (t *T) lockable(n int) {
	var was unix.Rlimit
	t.must("getrlimit", unix.Getrlimit(unix.RLIMIT_MEMLOCK, &was))
	now := was
	if now.Cur = uint64(n); now.Cur > was.Max {
		t.Skipf("RLIMIT_MEMLOCK cannot be more than %d", was.Max)
	}
	t.must("setrlimit", unix.Setrlimit(unix.RLIMIT_MEMLOCK, &now))
	t.Cleanup(func() { t.must("setrlimit", unix.Setrlimit(unix.RLIMIT_MEMLOCK, &was)) })
}

// wantMemlock fails the case unless err says that so many pages are too many.
func (t *T) wantMemlock(what string, err error, need, limit int) {
	t.tb.Helper()
	var m *api.MemlockError
	page := uint64(os.Getpagesize())
	if !errors.As(err, &m) || m.Need != uint64(need)*page || m.Limit != uint64(limit)*page || !errors.Is(err, syscall.ENOMEM) {
		t.Errorf("%s: %v, want a MemlockError for %d pages with a limit of %d", what, err, need, limit)
	}
}

var memlockCases = []Case{
	{
		ID: "FIX-11", Name: "too much",
		Explanation: "More than RLIMIT_MEMLOCK of whole pages is a MemlockError, and registers nothing.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain,
		Fn: func(t *T) {
			page := os.Getpagesize()
			mem := t.pages(64 * page)
			t.unprivileged()
			e := t.Open(nil)
			t.lockable(16 * page)
			t.wantMemlock("17 pages", e.RegisterBuffers([][]byte{mem[:17*page]}), 17, 16)
			t.wantMemlock("17 pages in two", e.RegisterBuffers([][]byte{mem[:10*page], nil, mem[20*page : 27*page]}), 17, 16)
			t.wantMemlock("17 pages with one byte", e.RegisterBuffers([][]byte{mem[:15*page], mem[16*page-1 : 16*page+1]}), 17, 16)
			t.wantErrno("no table", e.UnregisterBuffers(), syscall.ENXIO)
			t.registerBuffers(e, mem[:10*page], mem[20*page:26*page])
			n, err := e.UpdateBuffers(0, [][]byte{mem[40*page : 41*page]})
			t.wantMemlock("one more", err, 1, 16)
			if n != 0 {
				t.Errorf("UpdateBuffers has done %d", n)
			}
			if n, err := e.UpdateBuffers(1, [][]byte{nil}); n != 1 || err != nil {
				t.Fatalf("UpdateBuffers: %d, %v", n, err)
			}
			if n, err := e.UpdateBuffers(1, [][]byte{mem[:6*page]}); n != 1 || err != nil {
				t.Errorf("the room of the one that went: %d, %v", n, err)
			}
			t.wantMemlock("on another engine", t.Engine.RegisterBuffers([][]byte{mem[:1]}), 1, 16)
			t.must("unregister", e.UnregisterBuffers())
			t.registerBuffers(t.Engine, mem[:16*page])
			t.Want(api.ReadFixed(t.File("fits"), 0, mem[:8], 0, 1), 4)
			t.WantBytes(mem[:4], "fits")
		},
	},
	{
		ID: "FIX-11", Name: "held by what is in flight, and by clones",
		Explanation: "Memory counts as locked once for all clones of a table, until the last of them, and what is in flight, lets go.",
		Requires:    fixedBuffers | api.FeatCloneBuffers,
		Ops:         fixedPlain,
		Fn: func(t *T) {
			page := os.Getpagesize()
			mem := t.pages(16 * page)
			t.unprivileged()
			e, other := t.Engine, t.Open(nil)
			t.lockable(16 * page)
			t.registerBuffers(e, mem)
			t.must("clone", other.CloneBuffers(e))
			a, b := t.Pair(false)
			t.Submit(api.ReadFixed(a, 0, mem[:4], 0, 1))
			t.StillPending(1)
			t.unregisterBuffers()
			t.wantMemlock("a clone has it", e.RegisterBuffers([][]byte{mem[:1]}), 1, 16)
			t.must("close the other", other.Close())
			t.wantMemlock("an operation has it", e.RegisterBuffers([][]byte{mem[:1]}), 1, 16)
			t.Put(b, "last")
			t.AwaitRes(1, 4)
			t.registerBuffers(e, mem)
			t.WantBytes(mem[:4], "last")
		},
	},
	{
		ID: "ZCP-14", Name: "no memory can be locked",
		Explanation: "When RLIMIT_MEMLOCK leaves nothing for zero-copy sends, the data is copied.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         bothZC,
		Fn: func(t *T) {
			t.unprivileged()
			e := t.Open(nil)
			t.lockable(1 << 20) // some are for rings that are resized
			for _, make := range []func() (int, int){t.zeroTCP, func() (int, int) { return t.TCP(false) }} {
				a, b := make()
				data := pattern(2 << 20)
				for _, op := range []api.Op{api.SendZC(a, t.patternSent(len(data)), 1), api.SendMsgZC(a, parts(data), 1)} {
					got := t.getLater(b, len(data))
					if n, err := e.Submit([]api.Op{op.With(api.WaitAll | api.ReportUsage)}); n != 1 || err != nil {
						t.Fatalf("Submit: %d, %v", n, err)
					}
					want := []api.Completion{{Res: int32(len(data)), Flags: api.More}, {Flags: api.Notif | api.Copied}}
					for _, want := range want {
						dst := [1]api.Completion{}
						n, err := e.Complete(dst[:], api.Wait{Min: 1, Deadline: t.deadline()})
						if n != 1 || err != nil || dst[0].Res != want.Res || dst[0].Flags != want.Flags {
							t.Fatalf("Complete: %d %s, %v; want %s", n, show(&dst[0]), err, show(&want))
						}
					}
					t.WantBytes(<-got, data)
				}
			}
		},
	},
	{
		ID: "FIX-12", Name: "memory that is no heap",
		Explanation: "Any memory can be registered: of the Go heap, and mapped, in pages that nobody has touched or that others share.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain,
		Fn: func(t *T) {
			page := os.Getpagesize()
			private := t.pages(4 * page)
			shared, err := unix.Mmap(-1, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_SHARED)
			t.must("mmap", err)
			t.Cleanup(func() { _ = unix.Munmap(shared) }) // nothing can be done about it
			t.registerBuffers(t.Engine, private, shared, make([]byte, 100), private[page:2*page])
			fd := t.File("0123456789")
			t.Want(api.ReadFixed(fd, 0, private[page-3:page+3], 0, 1), 6)
			t.Want(api.ReadFixed(fd, 1, shared[:2], 6, 2), 2)
			t.Want(api.WriteFixed(fd, 3, private[page:page+2], 10, 3), 2)
			t.Want(api.ReadFixed(fd, 1, shared[2:6], 8, 4), 4)
			t.WantBytes(shared[:6], "678934")
			t.WantBytes(private[page-3:page+3], "012345")
		},
	},
	{
		ID: "FIX-12", Name: "memory that cannot be accessed",
		Explanation: "Memory that is not there, or forbidden, can be registered, and each operation on it says EFAULT, until it is there.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain,
		Fn: func(t *T) {
			page := os.Getpagesize()
			mem := t.pages(page)
			t.must("mprotect", unix.Mprotect(mem, unix.PROT_NONE))
			t.registerBuffers(t.Engine, mem)
			fd := t.File("0123456789")
			t.WantErr(api.ReadFixed(fd, 0, mem[:4], 0, 1), syscall.EFAULT)
			t.WantErr(api.WriteFixed(fd, 0, mem[:4], 0, 2), syscall.EFAULT)
			t.must("mprotect", unix.Mprotect(mem, unix.PROT_READ|unix.PROT_WRITE))
			t.Want(api.ReadFixed(fd, 0, mem[:4], 0, 3), 4)
		},
	},
	{
		ID: "FIX-12", Name: "what cannot be accessed takes one message",
		Explanation: "A read into registered memory that cannot be accessed is tried once: it says EFAULT, and takes no more than the one message or number that was there.",
		Requires:    fixedBuffers,
		Ops:         fixedPlain | fixedVector,
		Fn: func(t *T) {
			page := os.Getpagesize()
			mem := t.pages(2 * page)
			t.must("mprotect", unix.Mprotect(mem[:page], unix.PROT_NONE))
			t.registerBuffers(t.Engine, mem[:page], mem[page:])
			a, b := t.Dgrams()
			t.Put(b, "one")
			t.WantErr(api.ReadFixed(a, 0, mem[:4], api.CurrentPosition, 1), syscall.EFAULT)
			t.Put(b, "two")
			t.Put(b, "three")
			t.WantErr(api.ReadvFixed(a, 0, &api.Msg{Bufs: [][]byte{mem[:4]}}, api.CurrentPosition, 2), syscall.EFAULT)
			t.Want(api.ReadFixed(a, 1, mem[page:page+8], api.CurrentPosition, 3), 5)
			t.WantBytes(mem[page:page+5], "three")
		},
	},
}
