package readiness

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// onlyWaits is a Poller that watches the engine's own fd, with poll(2).
type onlyWaits struct{ fd int32 }

func (p *onlyWaits) Arm(fd int32, _ Interest) error { p.fd = fd; return nil } // the first is the engine's
func (p *onlyWaits) Forget(int32)                   {}
func (p *onlyWaits) PollFD() int                    { return -1 }
func (p *onlyWaits) Close() error                   { return nil }
func (p *onlyWaits) Traits() Traits                 { return Traits{} }

func (p *onlyWaits) Wait(evs []Event, d time.Duration) (int, error) {
	fds := []sysx.PollFd{{Fd: p.fd, Events: unix.POLLIN}}
	if n, errno := sysx.Poll(fds, d); n <= 0 || errno != 0 {
		return 0, nil
	}
	evs[0] = Event{FD: p.fd, Ready: Readable}
	return 1, nil
}

// TestDirect reads around the page cache, with the kernel's asynchronous IO, and where there is none, or it has no more room, with
// workers. The case FIL-18 of the conformance suite looks at the results; this is about who does it.
func TestDirect(t *testing.T) {
	const block, n = 4096, 20
	data := make([]byte, n*block)
	for i := range data {
		data[i] = byte(i / 7)
	}
	name := filepath.Join(t.TempDir(), "f")
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_DIRECT|unix.O_CLOEXEC, 0o600)
	if err == unix.EINVAL {
		t.Skip("the file system of the temporary folder has no O_DIRECT")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	mem, err := unix.Mmap(-1, 0, n*block, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	copy(mem, data)
	if _, err := unix.Pwrite(fd, mem, 0); err != nil {
		t.Fatal(err)
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		harm    func(*driver)
		workers func(uint64) bool // whether so many operations of n may have gone to them
	}{
		{"asynchronous", func(*driver) {}, func(k uint64) bool { return k == 0 || fs.Type != unix.EXT4_SUPER_MAGIC }},
		{"not there", func(d *driver) { d.try.Async = false }, func(k uint64) bool { return k == n }},
		{"full", func(d *driver) { d.direct.out = sysx.AIOMax - 5 }, func(k uint64) bool { return k >= n-5 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			watchdog(t)
			e, err := New("test", nil, &onlyWaits{})
			if err != nil {
				t.Fatal(err)
			}
			d := e.(*core.Engine).Driver().(*driver)
			c.harm(d)
			clear(mem)
			for i := range n {
				if _, err := e.Submit([]api.Op{api.Read(fd, mem[i*block:][:block], int64(i*block), uint64(i))}); err != nil {
					t.Fatal(err)
				}
			}
			if d.direct.out > 0 { // as if those had been submitted before
				if d.direct.aio, _ = sysx.NewAIO(d.e.WakeFD()); d.direct.aio == nil {
					t.Skip("the system has no more contexts")
				}
			}
			done := make([]api.Completion, n)
			for got := 0; got < n; {
				k, err := e.Complete(done, api.Wait{Min: n - got})
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range done[:k] {
					if c.Res != block {
						t.Errorf("read %d gave %d", c.Tag, c.Res)
					}
				}
				got += k
			}
			if !bytes.Equal(mem, data) {
				t.Error("wrong data")
			}
			if k := e.Stats().Blocking; !c.workers(k) {
				t.Errorf("%d of %d reads went to workers", k, n)
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDirectRefused: what the kernel does not take, a worker does, and finds out what is wrong.
func TestDirectRefused(t *testing.T) {
	watchdog(t)
	e, err := New("test", nil, &onlyWaits{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	fd, err := unix.Open(filepath.Join(t.TempDir(), "f"), unix.O_RDWR|unix.O_CREAT|unix.O_DIRECT|unix.O_CLOEXEC, 0o600)
	if err == unix.EINVAL {
		t.Skip("the file system of the temporary folder has no O_DIRECT")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	want, err := unix.Pread(fd, make([]byte, 100), 1)
	if err != nil {
		want = -int(err.(unix.Errno))
	}
	if _, err := e.Submit([]api.Op{api.Read(fd, make([]byte, 100), 1, 1)}); err != nil {
		t.Fatal(err)
	}
	done := make([]api.Completion, 1)
	if _, err := e.Complete(done, api.Wait{Min: 1}); err != nil || int(done[0].Res) != want {
		t.Errorf("got %d, %v, want %d", done[0].Res, err, want)
	}
}
