package conformance_test

import (
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

// helperEnv makes the test binary the other process of TestFutexBetweenProcesses.
const helperEnv = "SLUICE_FUTEX_HELPER"

// page maps the first page of a file that other processes map too.
func page(fd int) (*[1024]uint32, error) {
	b, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	// SAFETY: the mapping has 4096 bytes, begins at a page, and stays until the process ends.
	return (*[1024]uint32)(unsafe.Pointer(unsafe.SliceData(b))), nil
}

// one performs op and returns its result.
func one(e api.Engine, op api.Op) (int32, error) {
	var dst [1]api.Completion
	if _, err := e.Submit([]api.Op{op}); err != nil {
		return 0, err
	}
	n, err := e.Complete(dst[:], api.Wait{Min: 1, Deadline: api.After(crossWait)})
	if n == 0 && err == nil {
		err = fmt.Errorf("%v has not completed", op.Code)
	}
	return dst[0].Res, err
}

func sharedFutex(op api.Op) api.Op {
	op.Flags |= api.Shared
	return op
}

// TestFutexHelper is the other process: it waits for word 0 and then wakes word 1.
func TestFutexHelper(t *testing.T) {
	name := os.Getenv(helperEnv)
	if name == "" {
		t.Skip("for TestFutexBetweenProcesses")
	}
	words, err := page(3)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range backends {
		if b.name != name {
			continue
		}
		e, err := b.open(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if _, err := e.Submit([]api.Op{sharedFutex(api.FutexWait(&words[0], 0, 1))}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Complete(nil, api.Wait{}); err != nil {
			t.Fatal(err)
		}
		atomic.StoreUint32(&words[2], 1) // it waits
		var dst [1]api.Completion
		if n, err := e.Complete(dst[:], api.Wait{Min: 1, Deadline: api.After(crossWait)}); n != 1 || err != nil || dst[0].Res != 0 {
			t.Fatalf("the wait: %d, %v, %+v", n, err, dst[0])
		}
		if n, err := one(e, sharedFutex(api.FutexWake(&words[1], 9, 1))); n != 1 || err != nil {
			t.Fatalf("the wake: %d, %v", n, err)
		}
	}
}

// TestFutexBetweenProcesses has each backend wake, and be woken by, another process, through memory that they share.
func TestFutexBetweenProcesses(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			b.need(t, nil)
			fd, err := unix.MemfdCreate("futexes", unix.MFD_CLOEXEC)
			if err != nil {
				t.Fatal(err)
			}
			f := os.NewFile(uintptr(fd), "futexes")
			defer f.Close()
			if err := f.Truncate(4096); err != nil {
				t.Fatal(err)
			}
			words, err := page(fd)
			if err != nil {
				t.Fatal(err)
			}
			e, err := b.open(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if _, err := e.Submit([]api.Op{sharedFutex(api.FutexWait(&words[1], 0, 2))}); err != nil {
				t.Fatal(err)
			}
			if _, err := e.Complete(nil, api.Wait{}); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0], "-test.run=^TestFutexHelper$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), helperEnv+"="+b.name)
			cmd.ExtraFiles = []*os.File{f}
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			end := time.Now().Add(crossWait)
			for atomic.LoadUint32(&words[2]) == 0 && time.Now().Before(end) {
				if n, err := one(e, api.Timeout(time.Millisecond, 3)); err != nil {
					t.Errorf("a timeout: %d, %v", n, err)
					break
				}
			}
			if n, err := one(e, sharedFutex(api.FutexWake(&words[0], 9, 1))); n != 1 || err != nil {
				t.Errorf("the wake: %d, %v", n, err)
			}
			var dst [1]api.Completion
			n, err := e.Complete(dst[:], api.Wait{Min: 1, Deadline: api.After(crossWait)})
			if n != 1 || err != nil || dst[0].Tag != 2 || dst[0].Res != 0 {
				t.Errorf("the wait: %d, %v, %+v", n, err, dst[0])
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("the other process: %v", err)
			}
		})
	}
}
