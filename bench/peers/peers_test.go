package peers

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const patience = 10 * time.Second

// TestPeers builds every server and has each send back a small message and one larger than its buffers.
func TestPeers(t *testing.T) {
	dir := t.TempDir()
	build := exec.Command("go", "build", "-buildvcs=false", "-o", dir+string(filepath.Separator), "./...")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, name := range []string{"gnet", "nbio", "evio", "netpoll", "net"} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, serve(t, filepath.Join(dir, name)))
			for _, size := range []int{1, 64, 100_000} {
				roundTrip(t, c, size)
			}
		})
	}
}

// serve runs a server and returns its address.
func serve(t *testing.T, name string) string {
	t.Helper()
	addr := freeAddr(t)
	cmd := exec.Command(name, "--addr", addr)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // an error means that it has ended, as Wait tells
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server: %v", err)
		}
	})
	return addr
}

// freeAddr is an address that nobody listens on, if nobody takes it in between.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// dial connects as soon as the server listens.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			t.Cleanup(func() { c.Close() })
			return c
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(err)
		}
	}
}

func roundTrip(t *testing.T, c net.Conn, size int) {
	t.Helper()
	out, in := make([]byte, size), make([]byte, size)
	for i := range out {
		out[i] = byte(i * 7)
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(out)
		sent <- err
	}()
	if _, err := io.ReadFull(c, in); err != nil {
		t.Fatalf("%d bytes: %v", size, err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(in, out) {
		t.Errorf("%d bytes came back changed", size)
	}
}
