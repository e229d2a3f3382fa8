package sysx

import (
	"os"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

func TestSiginfo(t *testing.T) {
	if n := unsafe.Sizeof(Siginfo{}); n != 128 {
		t.Errorf("a Siginfo has %d bytes, the kernel's siginfo_t has 128", n)
	}
	if n := childAt + unsafe.Sizeof(childInfo{}); n > 128 || childAt%4 != 0 {
		t.Errorf("the information on a child is at %d to %d of a siginfo_t", childAt, n)
	}
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "exit 7"}, &syscall.ProcAttr{})
	if err != nil {
		t.Skip(err)
	}
	s := Siginfo{Signo: -1}
	if errno := Waitid(api.WaitPID, int32(pid), &s, WExited); errno != 0 {
		t.Fatal(errno)
	}
	want := api.ChildInfo{PID: int32(pid), UID: uint32(os.Getuid()), Signo: int32(unix.SIGCHLD), Status: 7, Code: 1}
	if got := s.Child(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if errno := Waitid(api.WaitPID, int32(pid), &s, WExited); errno != syscall.ECHILD {
		t.Errorf("the second waitid: %v", errno)
	}
}
