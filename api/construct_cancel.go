package api

// Cancel ends the operation id. Res is 0 when it ended by this, ENOENT when there is no such
// operation any more or it waits behind another of its chain, EALREADY when it can no longer be stopped and will complete by itself.
// The cancelled operation has its own last completion: ErrCanceled, or what it had moved.
func Cancel(id OpID, tag uint64) Op {
	return Op{Code: OpCancel, FD: -1, Target: id, Tag: tag}
}

// CancelFD ends the operations in flight that were submitted with this fd.
// Res is how many; 0 when there are none; EBADF when there are none and fd is not open. With First it ends one,
// and Res is 0, or ENOENT when there is none.
func CancelFD(fd int, tag uint64) Op {
	return Op{Code: OpCancel, FD: fd32(fd), Flags: ByFD, Tag: tag}
}

// CancelOp ends the operations in flight with this code that were submitted before. Res is as that of CancelFD. Like the other
// two, it neither ends nor counts what waits behind another of its chain, which ends with that.
func CancelOp(code OpCode, tag uint64) Op {
	return Op{Code: OpCancel, FD: -1, Arg: uint32(code), Flags: ByOp, Tag: tag}
}

// CancelAny ends every operation in flight that was submitted before, but for other cancels. Res is as that of CancelFD.
func CancelAny(tag uint64) Op {
	return Op{Code: OpCancel, FD: -1, Flags: Any, Tag: tag}
}

// PollRemove ends the poll id, which completes with ErrCanceled. Res is 0, or ENOENT when
// there is no such poll any more.
func PollRemove(id OpID, tag uint64) Op {
	return Op{Code: OpPollRemove, FD: -1, Target: id, Tag: tag}
}

// PollUpdate makes the poll id wait for the conditions in mask instead, and leaves it what it is: multishot, level-triggered or
// neither. Res is 0, or ENOENT when there is no such poll any more. A condition that holds already is reported.
func PollUpdate(id OpID, mask uint32, tag uint64) Op {
	return Op{Code: OpPollRemove, FD: -1, Target: id, Arg: mask, Flags: Update, Tag: tag}
}

// PollRetag gives the poll id another tag for its completions from now on. Res is as that of PollUpdate. Both are done by one operation that
// has the fields and flags of both.
func PollRetag(id OpID, newTag, tag uint64) Op {
	return Op{Code: OpPollRemove, FD: -1, Target: id, Off: int64(newTag), Flags: UpdateTag, Tag: tag}
}
