package conformance

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// watch waits until the case is over. One that takes too long has its state printed and is woken, so
// that it can end by itself; one that does not is left behind, and watch returns false.
func (t *T) watch(done <-chan struct{}) bool {
	timer := time.NewTimer(t.timeout + t.timeout/4)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	}
	t.expired.Store(true)
	t.Errorf("the case has not ended after %v\n%s\ngoroutines:\n%s", t.timeout, t.state(), stacks())
	if e := t.shared.Load(); e != nil {
		_ = (*e).Wake() // it is closed, or returns from its wait; both are what is wanted
	}
	timer.Reset(t.timeout/4 + 100*time.Millisecond)
	select {
	case <-done:
		return true
	case <-timer.C:
		t.mute()
		return false
	}
}

// state is what the watchdog says of the engine.
func (t *T) state() string {
	p := t.shared.Load()
	if p == nil {
		return "the engine has not been opened yet"
	}
	e := *p
	return fmt.Sprintf("engine %s, stats %+v", e.Name(), e.Stats())
}

func stacks() []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, true)]
}

// goroutinesNow are the goroutines of the process, without those of the runtime: "goroutine 7" and its stack.
func goroutinesNow() map[string]string {
	buf := make([]byte, 1<<14)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	all := map[string]string{}
	for stack := range strings.SplitSeq(string(buf[:n]), "\n\n") {
		name, _, _ := strings.Cut(stack, " [")
		all[name] = stack
	}
	return all
}

// settleProcess starts what the runtime starts once and keeps: its poller, and the goroutine that delivers
// signals. Neither is a leak of the case that happens to be the first to need it.
var settleProcess = sync.OnceFunc(func() {
	if r, w, err := os.Pipe(); err == nil {
		_ = r.SetReadDeadline(time.Now().Add(time.Hour)) // on a platform that cannot, there is no poller to start
		r.Close()
		w.Close()
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	signal.Stop(c)
})

// snapshot is what a case must leave as it found it.
type snapshot struct {
	fds        map[int]string
	goroutines map[string]string // their stacks, by what the runtime calls them: a count would take one that is on its way out for one that has come
	mapped     mapped
}

func takeSnapshot() snapshot {
	settleProcess()
	return snapshot{fds: openFDs(), goroutines: goroutinesNow(), mapped: mappedNow()}
}

// has says whether fd was open at the snapshot, and is the same file still.
func (s *snapshot) has(fd int) bool {
	was, ok := s.fds[fd]
	if !ok {
		return false
	}
	is, err := os.Readlink(fdDir + "/" + strconv.Itoa(fd))
	return err == nil && is == was
}

// leaks says what there is more than at the snapshot. Goroutines and closed files need a moment to
// go away.
func (s *snapshot) leaks() string {
	var out []string
	within(2*time.Second, func() bool {
		out = out[:0]
		for fd, what := range openFDs() {
			if was, ok := s.fds[fd]; !ok {
				out = append(out, fmt.Sprintf("fd %d: %s", fd, what))
			} else if was != what {
				out = append(out, fmt.Sprintf("fd %d: %s, was %s", fd, what, was))
			}
		}
		for name, stack := range goroutinesNow() {
			if _, ok := s.goroutines[name]; !ok {
				out = append(out, stack)
			}
		}
		if len(out) == 0 { // what takes the most time, last
			out = mappedNow().more(s.mapped)
		}
		if len(out) != 0 {
			<-time.After(time.Millisecond) // for the others: they are on their way
		}
		return len(out) == 0
	})
	if len(out) == 0 {
		return ""
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// within calls f until it says true, or d has passed; then it returns false.
func within(d time.Duration, f func() bool) bool {
	end := time.Now().Add(d)
	for !f() {
		if time.Now().After(end) {
			return false
		}
		runtime.Gosched()
	}
	return true
}

// fdDir lists the open files of the process, on Linux.
const fdDir = "/proc/self/fd"

// openFDs are the open files of the process with what they are, nil where the platform does not tell.
func openFDs() map[int]string {
	list, err := os.ReadDir(fdDir)
	if err != nil {
		return nil
	}
	fds := make(map[int]string, len(list))
	for _, d := range list {
		// The file that the list was read from is closed by now, and has no link any more.
		what, err := os.Readlink(fdDir + "/" + d.Name())
		if n, bad := strconv.Atoi(d.Name()); err == nil && bad == nil {
			fds[n] = what
		}
	}
	return fds
}
