//go:build unix && race

package arena_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
)

// TestTouchIsReported runs itself in a second process, in which a goroutine touches a buffer of an arena while an operation has it. The race
// detector must say so, on every backend.
func TestTouchIsReported(t *testing.T) {
	const key = "SLUICE_TEST_TOUCH"
	if kind := os.Getenv(key); kind != "" {
		touch(t, kind)
		return
	}
	for _, c := range []struct {
		kind   string
		report bool
	}{
		{"read while reading", true},
		{"write while reading", true},
		{"write while writing", true},
		{"read while writing", false},
	} {
		eachBackend(t, func(t *testing.T, e api.Engine) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestTouchIsReported$", "-test.timeout=30s")
			cmd.Env = append(os.Environ(), key+"="+c.kind+" on "+e.Name())
			out, err := cmd.CombinedOutput()
			if got := err != nil && strings.Contains(string(out), "DATA RACE"); got != c.report || !c.report && err != nil {
				t.Errorf("%s: reported: %v, want %v (%v):\n%s", c.kind, got, c.report, err, out)
			}
		})
	}
}

// touch does to a buffer what kind says, while the kernel does something else to it.
func touch(t *testing.T, kind string) {
	kind, name, _ := strings.Cut(kind, " on ")
	e, err := backend.Open(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	a := open(t, 1<<16)
	b := alloc(t, a, 100, 0)
	if err := e.RegisterBuffers([][]byte{a.Bytes()}); err != nil {
		t.Fatal(err)
	}
	s, p := pair(t)
	op := api.ReadFixed(s, 0, b, 0, 1)
	if strings.HasSuffix(kind, "writing") {
		op = api.WriteFixed(s, 0, b, 0, 1)
	} else if _, err := unix.Write(p, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if n, err := e.Submit([]api.Op{op}); n != 1 || err != nil {
		t.Fatalf("Submit: %d, %v", n, err)
	}
	done := make(chan byte)
	// The two are in no order: that is the fault, and the detector sees it whichever comes first.
	go func() {
		var got byte
		if strings.HasPrefix(kind, "write") {
			b[50] = 0
		} else {
			got = b[50]
		}
		done <- got
	}()
	end(t, e, 1, 100)
	<-done
	if err := e.UnregisterBuffers(); err != nil {
		t.Fatal(err)
	}
}
