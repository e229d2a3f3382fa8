package halfopen

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"
)

const (
	eachMax   = 10_000 // connections of a process: fewer than there are ports for an address
	ownFiles  = 100    // that a process needs for itself
	lastByte  = 250    // of the highest address that a process connects from
	firstByte = 2
)

// Holders are the processes that hold the connections of a test.
type Holders struct {
	done    chan struct{}
	results chan result
	count   int
	ended   map[string]int
	anew    int
	err     error
}

// Hold makes count connections to a server on 127.0.0.1, the i-th of which sends send[i%len(send)], half of a request or nothing at all, and then nothing. The
// processes end when the test does.
func Hold(t testing.TB, server net.Addr, count int, send ...string) *Holders {
	t.Helper()
	each := min(eachMax, FilesMax(t)-ownFiles)
	n := (count + each - 1) / each
	if each <= 0 || n > lastByte-firstByte {
		t.Fatalf("the limit of open files is too low for any number of processes: %d", each+ownFiles)
	}
	h := &Holders{done: make(chan struct{}), results: make(chan result, n), count: n}
	var begin []io.Writer
	for i := range n {
		task := task{
			Port: server.(*net.TCPAddr).Port, Source: [4]byte{127, 0, 0, firstByte + byte(i)},
			Count: count*(i+1)/n - count*i/n, Send: send,
		}
		begin = append(begin, h.start(t, task))
	}
	for _, w := range begin {
		if _, err := io.WriteString(w, "begin\n"); err != nil {
			t.Fatal(err)
		}
	}
	go h.collect()
	return h
}

// FilesMax is how many files this process may open, and those that it starts: the limit is raised as far as it can be.
func FilesMax(t testing.TB) int {
	t.Helper()
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	return int(min(lim.Max, 1<<30)) // a program of Go's begins with raising its own to the hard one
}

// start starts a process, which waits for a line.
func (h *Holders) start(t testing.TB, what task) io.Writer {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(slices.Clone(os.Environ()), envTask+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var r result
		line, err := bufio.NewReader(out).ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &r)
		}
		if wait := cmd.Wait(); err == nil {
			err = wait
		}
		if err != nil {
			r.Err = err.Error()
		}
		h.results <- r
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	})
	return in
}

func (h *Holders) collect() {
	defer close(h.done)
	h.ended = map[string]int{}
	for range h.count {
		r := <-h.results
		if r.Err != "" && h.err == nil {
			h.err = fmt.Errorf("halfopen: a process that holds connections: %s", r.Err)
		}
		h.anew += r.Anew
		for what, n := range r.Ended {
			h.ended[what] += n
		}
	}
}

// Done is closed when all connections have ended, or cannot be held.
func (h *Holders) Done() <-chan struct{} { return h.done }

// Ended waits until all connections have ended, and says how: how many for each End. anew is how many were made anew, because the kernel had forgotten
// them before the server had them.
func (h *Holders) Ended(limit time.Duration) (ended map[string]int, anew int, err error) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-h.done:
		return h.ended, h.anew, h.err
	case <-t.C:
		return nil, 0, fmt.Errorf("halfopen: not all connections have ended within %v", limit)
	}
}
