//go:build linux

package uring

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

const blockSize = 4096

// blocks are n bytes that O_DIRECT can use.
func blocks(t *testing.T, n int) []byte {
	t.Helper()
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(b) })
	return b
}

// openDirect opens a file around the page cache, and skips where its file system does not do that.
func openDirect(t *testing.T, name string) int {
	t.Helper()
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EINVAL) {
		t.Skip("no O_DIRECT here")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// polledEnds is how many operations the polling ring has completed or refused.
func polledEnds(e api.Engine) uint32 {
	head, _ := driverOf(e).iopoll.ring.Peek()
	return head
}

// TestPolledFallsBack: what goes to the polling ring, what does not, and that one refusal is enough.
func TestPolledFallsBack(t *testing.T) {
	for _, s := range []api.Strategy{api.Block(), api.Park(), api.Spin(10, api.Block())} {
		for _, mode := range []api.IOPoll{api.IOPollBusy, api.IOPollHybrid} {
			e := openMode(t, &api.Options{Strategy: s, Ring: api.RingOptions{IOPoll: mode}})
			name := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(name, bytes.Repeat([]byte{7}, 2*blockSize), 0o600); err != nil {
				t.Fatal(err)
			}
			cached, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			mem := blocks(t, blockSize)
			submit(t, e, api.Read(cached, mem, 0, 1), api.Nop(2))
			wait(t, e, 2)
			if n := polledEnds(e); n != 0 {
				t.Errorf("%d operations on a file without O_DIRECT were polled for", n)
			}
			fd := openDirect(t, name)
			for i := range uint64(8) {
				submit(t, e, api.Read(fd, mem, blockSize, i))
				want(t, wait(t, e, 1)[0], i, blockSize)
				if mem[0] != 7 {
					t.Error("the wrong bytes were read")
				}
				clear(mem)
			}
			if n := polledEnds(e); n != 1 && n != 8 {
				t.Errorf("%d of 8 reads went to the polling ring, want all, or the first, which was refused", n)
			}
			before := polledEnds(e)
			other := openDirect(t, name)
			dont := api.Read(other, mem, 0, 1)
			dont.Flags = api.DontWait
			submit(t, e, api.Read(other, mem, api.CurrentPosition, 2), dont)
			wait(t, e, 2)
			if n := polledEnds(e) - before; n != 0 {
				t.Errorf("%d reads at the current position, or that must not wait, were polled for", n)
			}
			_ = unix.Close(cached)
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestPolledWithSQPoll: the two do not get in each other's way.
func TestPolledWithSQPoll(t *testing.T) {
	ring := sqpoll(time.Millisecond)
	ring.IOPoll = api.IOPollBusy
	e := openMode(t, &api.Options{Ring: ring})
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, make([]byte, blockSize), 0o600); err != nil {
		t.Fatal(err)
	}
	fd := openDirect(t, name)
	mem := blocks(t, blockSize)
	for i := range uint64(20) {
		submit(t, e, api.Nop(1), api.Write(fd, mem, 0, 2), api.Nop(3))
		wait(t, e, 3)
		if n := polledEnds(e); n == 0 {
			t.Fatalf("round %d: nothing was polled for", i)
		}
	}
}

// TestPolledIsNotCanceled: what the polling ring has ends by itself.
func TestPolledIsNotCanceled(t *testing.T) {
	e := openMode(t, &api.Options{Ring: api.RingOptions{IOPoll: api.IOPollBusy}})
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, make([]byte, blockSize), 0o600); err != nil {
		t.Fatal(err)
	}
	fd := openDirect(t, name)
	w := submit(t, e, api.Write(fd, blocks(t, blockSize), 0, 1))[0]
	submit(t, e, api.Cancel(w.ID, 2))
	for _, c := range wait(t, e, 2) {
		switch c.Tag {
		case 1:
			want(t, c, 1, blockSize)
		default:
			want(t, c, 2, -int(unix.EALREADY))
		}
	}
}

// TestPolledRoom: more operations than the polling ring has room for are done all the same.
func TestPolledRoom(t *testing.T) {
	e := openMode(t, &api.Options{Entries: 4, CQEntries: 8, Ring: api.RingOptions{IOPoll: api.IOPollBusy}})
	name := filepath.Join(t.TempDir(), "f")
	const n = 100
	if err := os.WriteFile(name, make([]byte, n*blockSize), 0o600); err != nil {
		t.Fatal(err)
	}
	fd := openDirect(t, name)
	mem := blocks(t, n*blockSize)
	var ops []api.Op
	for i := range n {
		mem[i*blockSize] = byte(i)
		ops = append(ops, api.Write(fd, mem[i*blockSize:][:blockSize], int64(i*blockSize), uint64(i)))
	}
	submit(t, e, ops...)
	for _, c := range wait(t, e, n) {
		want(t, c, c.Tag, blockSize)
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, mem) {
		t.Errorf("the file is not what was written: %v", err)
	}
}

// TestPolledDevice reads and writes a device that can be polled.
func TestPolledDevice(t *testing.T) {
	const dev = "/dev/nullb0" // of the module null_blk: nothing on it is of value
	b, err := os.ReadFile("/sys/block/nullb0/queue/io_poll")
	if err != nil || strings.TrimSpace(string(b)) != "1" {
		t.Skip("no null_blk device with poll queues (modprobe null_blk poll_queues=1)")
	}
	for _, mode := range []api.IOPoll{api.IOPollBusy, api.IOPollHybrid} {
		e := openMode(t, &api.Options{Ring: api.RingOptions{IOPoll: mode}})
		fd := openDirect(t, dev)
		mem := blocks(t, blockSize)
		const n = 100
		for i := range uint64(n) {
			submit(t, e, api.Write(fd, mem, int64(i)*blockSize, 1), api.Read(fd, mem, int64(i)*blockSize, 2))
			for _, c := range wait(t, e, 2) {
				want(t, c, c.Tag, blockSize)
			}
		}
		if got := polledEnds(e); got != 2*n {
			t.Errorf("%d of %d operations were polled for", got, 2*n)
		}
	}
}
