package api

// Message makes the engine to complete once more: with tag toTag, result res and the code OpMsgRing, as Engine.Post
// does. Its own Res is 0; EBADF when to is nil or closed; EOVERFLOW when too many completions wait there.
func Message(to Engine, res int32, toTag, tag uint64) Op {
	return Op{Code: OpMsgRing, FD: -1, Arg: uint32(res), Args: &Args{To: to, ToTag: toTag}, Tag: tag}
}

// MessageFile puts the registered file in slot into the slot toSlot (or AnySlot) of the engine to, which completes once more as with Message,
// with the slot as result. Its own Res is the slot, too; EBADF when slot is empty or to is nil or closed; EINVAL when
// to is the engine itself; else as Engine.InstallFile. When to has no room for the completion, it is EOVERFLOW, and the file is there.
func MessageFile(to Engine, slot, toSlot int, toTag, tag uint64) Op {
	return Op{Code: OpMsgRing, FD: fd32(slot), Flags: FixedFile, Off: int64(toSlot), Args: &Args{To: to, ToTag: toTag}, Tag: tag}
}

// The kinds of Waitid, as waitid(2) numbers them on Linux.
const (
	WaitAnyChild = 0 // P_ALL
	WaitPID      = 1 // P_PID
	WaitGroup    = 2 // P_PGID
	WaitPIDFD    = 3 // P_PIDFD
)

// Waitid waits for a child process as waitid(2) does: kind is one of WaitPID and so on, options are WEXITED and the like. Res is
// 0; info, unless it is nil, tells which child and how. With WNOHANG and nothing to tell, Res is 0 and info zero. ECHILD says that there is no
// such child. Who else waits for children of the process (os/exec does, for its own) must not wait for the same. Linux only; elsewhere it is ENOSYS.
func Waitid(kind uint32, id int, info *ChildInfo, options uint32, tag uint64) Op {
	return Op{Code: OpWaitid, FD: fd32(id), Arg: options, Off: int64(kind), Args: &Args{Child: info}, Tag: tag}
}

// FutexWait waits until somebody wakes the word at addr. Res is 0; EAGAIN when it does not hold val to begin with.
// The word must not be on a stack: a variable whose address is taken this way is not. With Shared
// it may be in memory that is shared with other processes. Once the Complete that performs it has returned, a wake by anybody finds it.
// ENOMEM says that more than a thousand wait in this process, where each takes a thread (epoll, poll, select; uring before
// Linux 6.7). Linux only, from 5.16 on; elsewhere it is ENOSYS.
func FutexWait(addr *uint32, val uint32, tag uint64) Op {
	return Op{Code: OpFutexWait, FD: -1, Args: &Args{Futexes: []Futex{{Addr: addr, Val: val}}}, Tag: tag}
}

// FutexWake wakes up to n of those who wait for the word at addr, by an engine or otherwise. Res is how many.
func FutexWake(addr *uint32, n uint32, tag uint64) Op {
	return Op{Code: OpFutexWake, FD: -1, Off: int64(n), Args: &Args{Futexes: []Futex{{Addr: addr}}}, Tag: tag}
}

// FutexWaitv waits until somebody wakes one of the 1 to 128 words in list. Res is the index of one that was woken; EAGAIN when one of them does not hold its value to begin with.
func FutexWaitv(list []Futex, tag uint64) Op {
	return Op{Code: OpFutexWaitv, FD: -1, Args: &Args{Futexes: list}, Tag: tag}
}
