//go:build linux

package uring

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

// BenchmarkFile is what one operation that completes at once costs in a batch of 64, on a file that is named by its fd, by a slot of the
// engine's table, and by one that the ring has in its own table, too. What the operation itself does is little: it looks at a byte that is there.
func BenchmarkFile(b *testing.B) {
	for _, c := range []struct {
		name  string
		fixed bool
		mask  api.KernelFeature
	}{
		{"by=fd", false, 0},
		{"by=slot", true, api.KernFixedFiles},
		{"by=place", true, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := open(b, &api.Options{Disable: c.mask})
			const batch = 64
			x, y := pair(b)
			if _, err := unix.Write(y, []byte("x")); err != nil {
				b.Fatal(err)
			}
			if err := e.RegisterFiles([]int{x}); err != nil {
				b.Fatal(err)
			}
			var ops [batch]api.Op
			var dst [batch]api.Completion
			buf := make([]byte, 1)
			for i := range ops {
				ops[i] = api.Recv(x, buf, 0).With(api.Unordered)
				ops[i].Arg = unix.MSG_PEEK
				if c.fixed {
					ops[i].FD = 0
					ops[i].Flags |= api.FixedFile
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if n, err := e.Submit(ops[:]); n != batch || err != nil {
					b.Fatal(n, err)
				}
				for got := 0; got < batch; {
					n, err := e.Complete(dst[:], api.Wait{Min: batch - got})
					if err != nil {
						b.Fatal(err)
					}
					got += n
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/file-op")
		})
	}
}

// BenchmarkConnection is a connection that is accepted and closed, by fd and by slot. One receive is made on it.
func BenchmarkConnection(b *testing.B) {
	for _, c := range []struct {
		name string
		into bool
		mask api.KernelFeature
	}{
		{"into=fd", false, 0},
		{"into=slot", true, api.KernFixedFiles},
		{"into=place", true, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := open(b, &api.Options{Disable: c.mask})
			l, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = unix.Close(l) }()
			sa := &unix.SockaddrUnix{Name: b.TempDir() + "/s"}
			if err := unix.Bind(l, sa); err != nil {
				b.Fatal(err)
			}
			if err := unix.Listen(l, 64); err != nil {
				b.Fatal(err)
			}
			if err := e.RegisterFiles([]int{-1, -1, -1, -1}); err != nil {
				b.Fatal(err)
			}
			accept, buf := api.AcceptMultishot(l, 1), make([]byte, 1)
			if c.into {
				accept = accept.Into(api.AnySlot)
			}
			submit(b, e, accept)
			ops := make([]api.Op, 1)
			var dst [1]api.Completion
			do := func() int {
				if n, err := e.Complete(dst[:], api.Wait{Min: 1}); n != 1 || err != nil || dst[0].Res < 0 {
					b.Fatal(n, err, dst[0].Err())
				}
				return int(dst[0].Res)
			}
			b.ReportAllocs()
			for b.Loop() {
				peer, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					b.Fatal(err)
				}
				if err := unix.Connect(peer, sa); err != nil {
					b.Fatal(err)
				}
				file := do()
				_ = unix.Close(peer) // what is received is the end
				recv, closing := api.Recv(file, buf, 2), api.Close(file, 3)
				if c.into {
					recv, closing = recv.With(api.FixedFile), api.CloseSlot(file, 3)
				}
				ops[0] = recv
				submit(b, e, ops...)
				do()
				ops[0] = closing
				submit(b, e, ops...)
				do()
			}
		})
	}
}
