package conformance_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
)

// brokenChild is set in the process that TestBrokenOutput starts, to the name of a backend.
const brokenChild = "SLUICE_BROKEN_CHILD"

// TestBrokenOutput is about DEV-3: Go's runtime ends a program that writes to a broken pipe on fd 1 or 2 through package os, and the
// kernel one that gets SIGPIPE. Writes through an engine do neither.
func TestBrokenOutput(t *testing.T) {
	if name := os.Getenv(brokenChild); name != "" {
		os.Exit(writeBroken(name))
	}
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			b.need(t, nil)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			r.Close()
			c := exec.Command(os.Args[0], "-test.run=^TestBrokenOutput$")
			c.Env = append(os.Environ(), brokenChild+"="+b.name)
			c.Stdout, c.Stderr = w, w
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			late := time.AfterFunc(conformanceTimeout, func() { _ = c.Process.Kill() }) // Wait tells
			defer late.Stop()
			if err := c.Wait(); err != nil {
				t.Errorf("the child: %v", err)
			}
		})
	}
}

// conformanceTimeout bounds what a child may take.
const conformanceTimeout = 30 * time.Second

// writeBroken writes to the broken pipes on fds 1 and 2, each of which must be EPIPE. There is no other way to tell than the exit status.
func writeBroken(name string) int {
	for _, b := range backends {
		if b.name != name {
			continue
		}
		for _, o := range []api.Options{{}, {Disable: api.KernNoSignal}} {
			if err := writeBrokenWith(b, &o); err != nil {
				return 3
			}
		}
		return 0
	}
	return 4
}

func writeBrokenWith(b backend, o *api.Options) error {
	e, err := b.open(o)
	if err != nil {
		return err
	}
	dst := make([]api.Completion, 1)
	for fd := 1; fd <= 2; fd++ {
		for _, op := range []api.Op{api.Write(fd, []byte("x"), api.CurrentPosition, 1), api.Writev(fd, &api.Msg{Bufs: [][]byte{[]byte("x")}}, api.CurrentPosition, 1)} {
			if _, err := e.Submit([]api.Op{op}); err != nil {
				return err
			}
			if n, err := e.Complete(dst, api.Wait{Min: 1}); n != 1 || !errors.Is(dst[0].Err(), syscall.EPIPE) {
				return fmt.Errorf("%d completions, %v, %v", n, dst[0].Err(), err)
			}
		}
	}
	return e.Close()
}
