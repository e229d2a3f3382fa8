package attempt

import (
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
	"github.com/sluiceio/sluice/internal/sysx"
)

// SetFutexes fills in what the kernel reads of a futex wait.
func SetFutexes(s *core.Slot) {
	x := s.NeedExtra()
	list := s.Op.Args.Futexes
	if cap(x.Futexes) < len(list) {
		x.Futexes = make([]sysx.FutexWaiter, len(list))
	}
	x.Futexes = x.Futexes[:len(list)]
	for i := range list {
		x.Futexes[i].Set(list[i].Addr, list[i].Val, SharedFutex(&s.Op, i))
	}
}

// SharedFutex says whether the word i of an operation is one that other processes use too.
func SharedFutex(op *api.Op, i int) bool {
	return op.Args.Futexes[i].Shared || op.Flags&api.Shared != 0
}

// futexWait finds out whether a futex wait is over before it begins, or wrong. To wait takes a thread.
func (t *Tries) futexWait(s *core.Slot) (int32, Verdict) {
	SetFutexes(s)
	t.Calls++
	n, errno := sysx.FutexLook(s.Extra.Futexes)
	switch errno {
	case 0:
		return int32(n), Done // a wake came in just that moment
	case syscall.ETIMEDOUT:
		return 0, Thread
	}
	return -int32(errno), Done
}

func (t *Tries) futexWake(s *core.Slot) (int32, Verdict) {
	t.Calls++
	if s.Op.Off == 0 {
		return 0, Done // to futex(2), 0 is 1
	}
	n, errno := sysx.FutexWake(s.Op.Args.Futexes[0].Addr, int32(s.Op.Off), SharedFutex(&s.Op, 0))
	if errno != 0 {
		return -int32(errno), Done
	}
	return int32(n), Done
}
