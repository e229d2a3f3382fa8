package conformance_test

import (
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/conformance"
	"golang.org/x/sys/unix"
)

// casesOf are the cases with the given ids.
func casesOf(ids ...string) []conformance.Case {
	var out []conformance.Case
	for _, c := range conformance.Cases() {
		for _, id := range ids {
			if c.ID == id {
				out = append(out, c)
			}
		}
	}
	return out
}

// TestLeaks: what an engine leaves behind, of any kind, is found by a case that is about something else.
func TestLeaks(t *testing.T) {
	b := backends[1]
	b.need(t, nil)
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	mapping := func(fd, size, flags int) func(*testing.T) {
		return func(t *testing.T) {
			// An inaccessible page does not become one with others.
			b, err := unix.Mmap(fd, 0, size, unix.PROT_NONE, flags)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = unix.Munmap(b) })
		}
	}
	memfd, err := unix.MemfdCreate("leak", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(memfd) })
	if err := unix.Ftruncate(memfd, 8192); err != nil {
		t.Fatal(err)
	}
	// The second page is mapped before the case, and the first in front of it during the case, which makes one mapping of both.
	at, err := unix.MmapPtr(-1, 0, nil, 8192, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.MunmapPtr(at, 8192) })
	page := func(t *testing.T, n int) {
		if _, err := unix.MmapPtr(memfd, int64(n)*4096, unsafe.Add(at, n*4096), 4096, unix.PROT_NONE, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
			t.Error(err)
		}
	}
	page(t, 1)
	neighbour := func(t *testing.T) { page(t, 0) }
	one := conformance.Case{ID: "BUF-1", Name: "of somebody's own", Fn: func(t *conformance.T) {
		a, b := t.Pair(false)
		g := t.Group(api.BufferGroupOptions{Count: 2, Size: 16})
		t.Submit(api.RecvBuffer(a, g.ID(), 1))
		t.Put(b, "data")
		c := t.Await(1)
		t.Release(g, c.Lease)
	}}
	for _, l := range []struct {
		name  string
		open  func(*testing.T) // when an engine is opened
		m     mutant           // around each engine
		cases []conformance.Case
		want  string
	}{
		{name: "file", open: func(t *testing.T) {
			fd, err := unix.Open("/dev/null", unix.O_CLOEXEC, 0)
			if err != nil {
				t.Error(err)
			}
			t.Cleanup(func() { unix.Close(fd) })
		}, cases: casesOf("CMP-13"), want: "/dev/null"},
		{name: "goroutine", open: func(*testing.T) { go func() { <-stop }() }, cases: casesOf("CMP-13"), want: "conformance_test.TestLeaks.func"},
		{name: "anonymous memory", open: mapping(-1, 4096, unix.MAP_ANON|unix.MAP_PRIVATE), cases: casesOf("CMP-13"), want: "each time it is run 4 KiB more"},
		{name: "mapped file", open: mapping(memfd, 4096, unix.MAP_SHARED), cases: casesOf("CMP-13"), want: "mappings of /memfd:leak"},
		{name: "neighbour of a mapped file", open: neighbour, cases: casesOf("CMP-13")[:1], want: "8 KiB in mappings of /memfd:leak"},
		// Without a reservation there need not be any.
		{name: "huge page", open: mapping(-1, 2<<20, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_HUGETLB|unix.MAP_NORESERVE|21<<unix.MAP_HUGE_SHIFT),
			cases: casesOf("CMP-13")[:1], want: "2048 KiB in mappings of /anon_hugepage"},
		{name: "slot", m: mutant{stats: func(s api.Stats) api.Stats {
			if s.Completions > 0 {
				s.InFlight++
			}
			return s
		}}, cases: casesOf("CMP-13"), want: "InFlight is 1"},
		{name: "slot after close", m: mutant{closing: func(m *mutant) error {
			m.stats = func(s api.Stats) api.Stats { s.InFlight++; return s }
			return m.Engine.Close()
		}}, cases: casesOf("CMP-13"), want: "is closed, and has 1 operations in flight"},
		{name: "worker after close", m: mutant{closing: func(m *mutant) error {
			m.stats = func(s api.Stats) api.Stats { s.PoolDepth++; return s }
			return m.Engine.Close()
		}}, cases: casesOf("CMP-13"), want: "1 with its workers"},
		{name: "lease", m: mutant{group: func(g api.BufferGroup) api.BufferGroup { return &keeps{BufferGroup: g} }},
			cases: []conformance.Case{one}, want: "at the end of the case, which holds the leases of"},
	} {
		t.Run(l.name, func(t *testing.T) {
			if raceEnabled && l.name == "anonymous memory" {
				t.Skip("the race detector maps memory too, and the check is off")
			}
			r := &recorder{t: t}
			for _, c := range l.cases {
				c.Run(r, func(o *api.Options) (api.Engine, error) {
					e, err := b.open(o)
					if err != nil {
						return nil, err
					}
					if l.open != nil {
						l.open(t)
					}
					m := l.m
					m.Engine = e
					return &m, nil
				}, nil)
			}
			if all := strings.Join(r.failed, "\n"); !strings.Contains(all, l.want) {
				t.Errorf("found %q, want %q", all, l.want)
			}
		})
	}
}

// keeps is a group that has one buffer less after the first release.
type keeps struct {
	api.BufferGroup
	kept bool
}

func (k *keeps) Release(l api.Lease) error {
	if !k.kept {
		k.kept = true
		return nil
	}
	return k.BufferGroup.Release(l)
}

// TestNoLeaks: memory and threads that the runtime keeps are no leak of the case in which it happens to want them.
func TestNoLeaks(t *testing.T) {
	b := backends[1]
	b.need(t, nil)
	var kept [][]byte
	r := &recorder{t: t}
	for i := range 4 {
		done := false
		for _, c := range casesOf("CMP-13", "CMP-7") {
			c.Run(r, func(o *api.Options) (api.Engine, error) {
				if !done && i%2 == 0 {
					kept = append(kept, make([]byte, 80<<20)) // more than an arena of the heap
				}
				if !done && i%2 == 1 {
					threads(8)
				}
				done = true
				return b.open(o)
			}, nil)
		}
	}
	if r.Failed() {
		t.Errorf("found %q", r.first())
	}
	runtime.KeepAlive(kept)
}

// TestRareGrowth: memory that is mapped in several runs of a case, and then in none, is no leak. Threads are like that.
func TestRareGrowth(t *testing.T) {
	b := backends[1]
	b.need(t, nil)
	r := &recorder{t: t}
	for _, c := range casesOf("CMP-13") {
		n := 0
		c.Run(r, func(o *api.Options) (api.Engine, error) {
			if n++; n <= 5 {
				mem, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
				if err != nil {
					return nil, err
				}
				t.Cleanup(func() { _ = unix.Munmap(mem) })
			}
			return b.open(o)
		}, nil)
	}
	if r.Failed() {
		t.Errorf("found %q", r.first())
	}
}

// threads has the runtime start n threads, which it keeps.
func threads(n int) {
	in, out := make(chan struct{}), make(chan struct{})
	for range n {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			in <- struct{}{}
			<-out
		}()
	}
	for range n {
		<-in
	}
	close(out)
}
