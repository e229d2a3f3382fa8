package sysx

import (
	"runtime"
	"syscall"
	"testing"
	"unsafe"
)

func TestFutexWaiter(t *testing.T) {
	if n, off := unsafe.Sizeof(FutexWaiter{}), unsafe.Offsetof(FutexWaiter{}.Flags); n != 24 || off != 16 {
		t.Errorf("a FutexWaiter has %d bytes and its flags at %d, the kernel's struct futex_waitv has 24 and 16", n, off)
	}
}

// onHeap is not on a stack, which moves, while the kernel goes by the address.
var onHeap [4]uint32

// TestFutexMove shows what futexq relies on: that a thread in futex_waitv is found by its last word, stays one when that is moved, and
// that of the words that have been woken the last is told.
func TestFutexMove(t *testing.T) {
	onHeap = [4]uint32{}
	words := &onHeap
	list := make([]FutexWaiter, 3)
	for i := range list {
		list[i].Set(&words[i], 0, false)
	}
	if moved, errno := FutexMove(&words[2], &words[3]); moved || errno != 0 {
		t.Error("somebody waits before anybody does")
	}
	if _, errno := FutexLook(list); errno == syscall.ENOSYS {
		t.Skip("no futex_waitv before Linux 5.16")
	} else if errno != syscall.ETIMEDOUT {
		t.Errorf("a look: %v", errno)
	}
	type result struct {
		n     int
		errno syscall.Errno
	}
	done := make(chan result)
	go func() {
		n, errno := FutexWaitv(list)
		done <- result{n, errno}
	}()
	for {
		if moved, _ := FutexMove(&words[2], &words[3]); moved {
			break
		}
		runtime.Gosched()
	}
	if moved, errno := FutexMove(&words[2], &words[3]); moved || errno != 0 {
		t.Error("a waiter was moved twice")
	}
	for _, i := range []int{0, 1, 2} {
		want := 1
		if i == 2 {
			want = 0
		}
		// The second may come too late, when the thread has been told of the first.
		if n, errno := FutexWake(&words[i], 1, false); errno != 0 || n > want || i == 0 && n != 1 {
			t.Errorf("wake of the word %d: %d, %v", i, n, errno)
		} else if i == 1 {
			if got := <-done; got.n != n || got.errno != 0 {
				t.Errorf("the wait gave %+v, the word 1 was woken %d times", got, n)
			}
		}
	}
	words[1] = 1
	if _, errno := FutexLook(list); errno != syscall.EAGAIN {
		t.Errorf("a look at a word of another value: %v", errno)
	}
}

func TestBlockSignals(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old := BlockSignals()
	inner := BlockSignals()
	RestoreSignals(old)
	after := BlockSignals()
	RestoreSignals(after)
	if inner == old {
		t.Error("no signal was blocked")
	}
	if after != old {
		t.Error("the mask is not what it was before")
	}
}
