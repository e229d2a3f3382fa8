package kv

import (
	"bufio"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/sluiceio/sluice/internal/halfopen"
	"github.com/sluiceio/sluice/reactor"
)

// TestHalfOpen has 20,000 connections come at once that send half a command, or nothing: they end when the time of Config.IdleTimeout is over, the memory
// is bounded, and clients that ask are answered all the while, new ones, too. (The tests of reactor/http1 have the server run out of files, and MaxConns.)
func TestHalfOpen(t *testing.T) {
	const (
		many  = 20_000
		half  = "*2\r\n$3\r\nGET\r\n$1"
		files = 500 // that the test needs beside the connections of the server
	)
	for _, name := range []string{"uring", "epoll"} {
		t.Run(name, func(t *testing.T) {
			halfopen.NeedBackend(t, name)
			room := min(many, halfopen.FilesMax(t)-files)
			for idle := 2 * time.Second; ; idle *= 2 {
				run := start(t, Options{}, reactor.Config{Backend: name, IdleTimeout: idle, MaxConns: room})
				trial := halfopen.Trial{
					Server: run.r.Addrs()[0], Count: many, Cost: 8 << 10, Send: []string{half, ""},
					Ask: string(wire("ECHO", "hello")), Answer: hello, Newcomers: true, Open: func() int { return run.r.Stats().Open },
				}
				out := trial.Run(t)
				t.Logf("IdleTimeout %v: %v", idle, out)
				if err := run.down(); err != nil {
					t.Fatal(err)
				}
				out.Check(t, trial)
				if t.Failed() || out.Open > room-room/20 {
					return
				}
				if idle >= 8*time.Second {
					t.Fatalf("no more than %d connections were there at a time, want nearly %d", out.Open, room)
				}
			}
		})
	}
}

// hello reads the reply to an ECHO of hello.
func hello(r *bufio.Reader) error {
	const want = "$5\r\nhello\r\n"
	var got [len(want)]byte
	if _, err := io.ReadFull(r, got[:]); err != nil {
		return err
	}
	if string(got[:]) != want {
		return fmt.Errorf("replied %q, want %q", got, want)
	}
	return nil
}
