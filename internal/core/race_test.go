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
	for _, kind := range []string{"write-while-receiving", "read-while-receiving", "write-while-sending", "write-after-release"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRaceIsReported$", "-test.timeout=30s")
		cmd.Env = append(os.Environ(), key+"="+kind)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "DATA RACE") {
			t.Errorf("%s: no race was reported (%v):\n%s", kind, err, out)
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRaceIsReported$", "-test.timeout=30s")
	cmd.Env = append(os.Environ(), key+"=read-while-sending")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("reading what is being sent is allowed: %v\n%s", err, out)
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
	op := api.Recv(devNull(t), buf, 1)
	if strings.HasSuffix(kind, "sending") {
		op = api.Send(devNull(t), buf, 1)
	}
	done := make(chan bool)
	if kind == "write-after-release" {
		bg, err := e.NewBufferGroup(api.BufferGroupOptions{Count: 1, Size: 8})
		if err != nil {
			t.Fatal(err)
		}
		g := bg.(*Group)
		bid, _ := g.Take()
		b, l := g.lease(bid, 8)
		go func() { b[0] = 1; close(done) }()
		if err := g.Release(l); err != nil {
			t.Fatal(err)
		}
		<-done
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
