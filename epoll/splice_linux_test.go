package epoll

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

// A splice that waits for room in a socket is not tried for what comes there.
func TestSpliceBesideInput(t *testing.T) {
	alone, _ := spliceBesideInput(t, false)
	beside, took := spliceBesideInput(t, true)
	// The peer of a Unix socket is looked after every 10 ms at the most, by an attempt.
	if most := alone + 20 + 10*uint64(took/(10*time.Millisecond)); beside > most {
		t.Errorf("%d system calls beside a splice that waits, and %d without it, want no more than %d", beside, alone, most)
	}
}

// spliceBesideInput is how many system calls 50 receives cost, beside such a splice or without one.
func spliceBesideInput(t *testing.T, splice bool) (calls uint64, took time.Duration) {
	e, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var pair, pipe [2]int
	if pair, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); err == nil {
		err = unix.Pipe(pipe[:])
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range [...]int{pair[0], pair[1], pipe[0], pipe[1]} {
		defer unix.Close(fd)
	}
	if _, err := unix.Write(pipe[1], []byte("x")); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil || err == unix.EINTR; {
		_, err = unix.SendmsgN(pair[0], make([]byte, 1<<16), nil, nil, unix.MSG_DONTWAIT)
	}
	if err != unix.EAGAIN {
		t.Fatal(err)
	}
	do := func(op api.Op, n int) {
		if _, err := e.Submit([]api.Op{op}); err != nil {
			t.Fatal(err)
		}
		done := make([]api.Completion, 2)
		got, err := e.Complete(done, api.Wait{Min: n})
		if err != nil || got != n || n > 0 && done[0].Res != 1 {
			t.Fatalf("%d completions, want %d; %v; the first of them: %+v", got, n, err, done[0])
		}
	}
	if splice {
		do(api.Splice(pipe[0], api.CurrentPosition, pair[0], api.CurrentPosition, 1, 0, 1), 0)
	}
	before, start := e.Stats().Enters, time.Now()
	for range 50 {
		do(api.Recv(pair[0], make([]byte, 1), 2), 0)
		if _, err := unix.Write(pair[1], []byte("x")); err != nil {
			t.Fatal(err)
		}
		if n, err := e.Complete(make([]api.Completion, 1), api.Wait{Min: 1}); n != 1 || err != nil {
			t.Fatalf("%d completions, %v", n, err)
		}
	}
	return e.Stats().Enters - before, time.Since(start)
}
