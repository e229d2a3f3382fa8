//go:build race

package core

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/api"
)

// TestRaceIsReported runs itself in a second process that breaks the rule of ownership: a goroutine
// touches a buffer while an operation has it. The race detector must say so, though neither the kernel nor
// this package has touched the buffer with an instruction that it sees.
func TestRaceIsReported(t *testing.T) {
	const key = "SLUICE_TEST_RACE"
	if kind := os.Getenv(key); kind != "" {
		misbehave(t, kind)
		return
	}
	for _, kind := range []string{"write-while-receiving", "read-while-receiving", "write-while-sending", "write-after-release", "write-after-release-of-piece",
		"write-while-receiving-fixed", "read-while-receiving-fixed", "write-while-sending-fixed", "write-while-sending-vectors", "write-before-notification"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRaceIsReported$", "-test.timeout=30s")
		cmd.Env = append(os.Environ(), key+"="+kind)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "DATA RACE") {
			t.Errorf("%s: no race was reported (%v):\n%s", kind, err, out)
		}
	}
	for _, kind := range []string{"read-while-sending", "read-while-sending-fixed", "write-to-the-next-piece", "read-before-notification"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRaceIsReported$", "-test.timeout=30s")
		cmd.Env = append(os.Environ(), key+"="+kind)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s is allowed: %v\n%s", kind, err, out)
		}
	}
}

func misbehave(t *testing.T, kind string) {
	e, m := open(t, nil)
	buf := make([]byte, 8)
	var sink byte
	touch := func() { buf[3] = 1 }
	if strings.HasPrefix(kind, "read") {
		touch = func() { sink = buf[3] }
	}
	fd := devNull(t)
	op := api.Recv(fd, buf, 1)
	switch _, how, _ := strings.Cut(kind, "-while-"); how {
	case "sending":
		op = api.Send(fd, buf, 1)
	case "receiving-fixed":
		op = api.ReadFixed(fd, 0, buf, 0, 1)
	case "sending-fixed":
		op = api.WriteFixed(fd, 0, buf, 0, 1)
	case "sending-vectors":
		op = api.WritevFixed(fd, 0, &api.Msg{Bufs: [][]byte{buf[:2], buf[2:]}}, 0, 1)
	}
	if err := e.RegisterBuffers([][]byte{buf}); err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	if strings.HasPrefix(kind, "write-after") || kind == "write-to-the-next-piece" {
		bg, err := e.NewBufferGroup(api.BufferGroupOptions{Count: 1, Size: 8, Incremental: strings.HasSuffix(kind, "piece")})
		if err != nil {
			t.Fatal(err)
		}
		g := bg.(*Group)
		bid, _ := g.Take()
		b, l, more := g.lease(bid, 4)
		if more {
			next, _, _ := g.lease(bid, 4)
			if kind == "write-to-the-next-piece" {
				b = next
			}
		}
		go func() { b[0] = 1; close(done) }()
		if err := g.Release(l); err != nil {
			t.Fatal(err)
		}
		<-done
		return
	}
	if strings.HasSuffix(kind, "notification") {
		misbehaveBetween(t, e, m, api.SendZC(devNull(t), buf, 1), touch)
		return
	}
	submit(t, e, op)
	reap(t, e)
	// The two are in no order: that is the fault, and the detector sees it whichever comes first.
	go func() { touch(); close(done) }()
	m.end(0, 8)
	<-done
	_ = sink
}

// misbehaveBetween calls touch in another goroutine that has learnt of the result of op, and not of its notification.
func misbehaveBetween(t *testing.T, e *Engine, m *manual, op api.Op, touch func()) {
	submit(t, e, op)
	reap(t, e)
	s := m.begun[0]
	s.Notifs = 1
	m.end(0, 8)
	if got := reap(t, e); len(got) != 1 || !got[0].More() {
		t.Fatalf("got %+v, want the result", got)
	}
	done := make(chan bool)
	go func() { touch(); close(done) }()
	e.Notified(s, false)
	<-done
	if got := reap(t, e); len(got) != 1 || got[0].Flags != api.Notif {
		t.Fatalf("got %+v, want the notification", got)
	}
}
