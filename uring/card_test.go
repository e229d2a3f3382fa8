//go:build linux

package uring

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/api"
)

// cardEnv names an interface whose driver can do zero-copy receives and a receive queue that nobody else uses, as in eth0:7. The test takes
// the queue, and the card is reset for it, perhaps.
const cardEnv = "SLUICE_ZCRX"

// TestOnACard receives through a network card's memory, where there is one. The connection is over the loopback, so that the kernel copies what it
// brings into the memory of the card, and completes it as it does what the card has written.
func TestOnACard(t *testing.T) {
	iface, queue, ok := strings.Cut(os.Getenv(cardEnv), ":")
	if !ok {
		var why []string
		for _, z := range (Driver{}).ZCRX() {
			if z.Err == nil {
				why = append(why, z.Interface+" can")
				continue
			}
			why = append(why, z.Err.Error())
		}
		t.Skipf("%s names no interface and queue, such as eth0:7; %s", cardEnv, strings.Join(why, "; "))
	}
	n, err := strconv.Atoi(queue)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []api.RingCompletions{api.CompletionsWide, api.CompletionsMixed} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			// The ring of a card is some thousand pages at most, as a rule.
			exchange(t, c, 1<<14, &api.ZeroCopyOptions{Interface: iface, Queue: n, Require: true}, 0)
		})
	}
}

// TestWithoutACard is the same where no card writes: what is tested above works.
func TestWithoutACard(t *testing.T) {
	for _, c := range []api.RingCompletions{api.CompletionsDefault, api.CompletionsWide, api.CompletionsMixed} {
		exchange(t, c, 256, &api.ZeroCopyOptions{Interface: "lo"}, api.Copied)
	}
}

// exchange receives a megabyte into a group of pages pages, whose completions have also the flags extra.
func exchange(t *testing.T, c api.RingCompletions, pages int, z *api.ZeroCopyOptions, extra api.CompletionFlags) {
	t.Helper()
	e, _ := openWide(t, c)
	g, err := e.NewBufferGroup(api.BufferGroupOptions{Count: pages, ZeroCopy: z})
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i>>8 ^ i)
	}
	fd, sent := sender(t, data)
	submit(t, e, api.RecvZC(fd, 0, 1).With(api.EOF))
	var got []byte
	for {
		c := wait(t, e, 1)[0]
		if !c.More() {
			if c.Res != 0 || c.Flags != api.AtEOF {
				t.Fatalf("after %d bytes: %+v", len(got), c)
			}
			break
		}
		if c.Flags != api.More|api.Buffer|extra || len(c.Buf) != int(c.Res) {
			t.Fatalf("after %d bytes: %+v", len(got), c)
		}
		got = append(got, c.Buf...)
		if err := g.Release(c.Lease); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) || g.Available() != pages {
		t.Errorf("%d bytes, the right ones: %v; %d of %d pages available", len(got), bytes.Equal(got, data), g.Available(), pages)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// sender gives one end of a TCP connection, and sends data, and then its end, from the other.
func sender(t *testing.T, data []byte) (fd int, sent <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	f, err := in.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = out.Close(), f.Close() })
	done := make(chan error, 1)
	go func() {
		_, err := out.Write(data)
		if err == nil {
			err = out.(*net.TCPConn).CloseWrite()
		}
		done <- err
	}()
	return int(f.Fd()), done
}
