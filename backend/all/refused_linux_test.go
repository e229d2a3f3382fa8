package all_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	_ "github.com/sluiceio/sluice/backend/all"
)

// refuse makes the kernel answer errno to io_uring_setup for the rest of this process, as the seccomp
// profile of a container does.
func refuse(t *testing.T, errno syscall.Errno) {
	t.Helper()
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_IO_URING_SETUP, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	// SAFETY: prog and filter live until the call returns; TSYNC puts the filter on every thread.
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog))); e != 0 {
		t.Fatal(e)
	}
}

// outcome is what a process that may not use io_uring has found.
type outcome struct {
	Chosen, Why, Strict string
	Typed, SameErrno    bool
}

const refuseKey = "SLUICE_TEST_REFUSE"

// TestRefused opens engines in processes to which io_uring is refused.
func TestRefused(t *testing.T) {
	errnos := map[string]syscall.Errno{"EPERM": unix.EPERM, "ENOSYS": unix.ENOSYS}
	if name := os.Getenv(refuseKey); name != "" {
		refused(t, errnos[name])
		return
	}
	for name := range errnos {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestRefused$", "-test.timeout=30s")
			cmd.Env = append(os.Environ(), refuseKey+"="+name, "SLUICE_BACKEND=")
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var o outcome
			line, _, _ := strings.Cut(string(out), "\n")
			if err := json.Unmarshal([]byte(line), &o); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			if o.Chosen != "epoll" || !strings.Contains(o.Why, "uring") {
				t.Errorf("auto chose %q (%s), want epoll, and why not uring", o.Chosen, o.Why)
			}
			if !o.Typed || !o.SameErrno || !strings.Contains(o.Strict, "seccomp") || strings.Contains(o.Strict, "\n") {
				t.Errorf("the name uring gave %+v, want one line with the errno and a remedy", o)
			}
		})
	}
}

func refused(t *testing.T, errno syscall.Errno) {
	refuse(t, errno)
	e, report, err := backend.OpenWithReport("auto", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	o := outcome{Chosen: e.Name(), Why: report.String()}
	_, err = backend.Open("uring", nil)
	if err == nil {
		t.Fatal("uring opened")
	}
	o.Strict, o.Typed, o.SameErrno = err.Error(), errors.Is(err, api.ErrUnavailable), errors.Is(err, errno)
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout.Write(append(b, '\n'))
}
