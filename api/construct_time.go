package api

import "time"

// Timeout completes with ETIME (os.ErrDeadlineExceeded) d after Submit, never before.
// A d of 0 completes at once; a negative one is EINVAL.
func Timeout(d time.Duration, tag uint64) Op {
	return Op{Code: OpTimeout, FD: -1, Off: int64(d), Tag: tag}
}

// TimeoutAt is Timeout at an instant, at once if it has passed.
func TimeoutAt(at Instant, tag uint64) Op {
	return Op{Code: OpTimeout, FD: -1, Off: int64(at), Flags: Abs, Tag: tag}
}

// TimeoutWall is Timeout at a time of the wall clock, which follows when that is set: it is noticed within a second.
func TimeoutWall(at time.Time, tag uint64) Op {
	return Op{Code: OpTimeout, FD: -1, Off: at.UnixNano(), Flags: Abs | Realtime, Tag: tag}
}

// TimeoutCount is Timeout, but completes with 0 as soon as Complete has given out count other completions since Submit, timeouts
// that have expired or reached their count not among them. A count of 0 is none.
func TimeoutCount(d time.Duration, count uint32, tag uint64) Op {
	return Op{Code: OpTimeout, FD: -1, Off: int64(d), Arg: count, Tag: tag}
}

// Tick completes with ETIME and More every d, times times in all (the last without More); 0 times is without end. One that
// comes late does not move those behind it; those that were missed altogether are left out of the time, not of the count. At most
// one waits to be reaped.
func Tick(d time.Duration, times uint32, tag uint64) Op {
	return Op{Code: OpTimeout, FD: -1, Off: int64(d), Arg: times, Flags: Multishot, Tag: tag}
}

// LinkTimeout, behind an operation with Link or HardLink, cancels that operation d after it
// has started. Res is ETIME when it has cancelled it, ECANCELED when that ended before, EALREADY or ENOENT when it came too
// late to stop it. Anywhere else it is EINVAL. With Link itself, it is passed over: the chain goes on behind it as
// its operation has ended.
func LinkTimeout(d time.Duration, tag uint64) Op {
	return Op{Code: OpLinkTimeout, FD: -1, Off: int64(d), Tag: tag}
}

// TimeoutRemove ends a timeout, which completes with ErrCanceled. Res is 0, or ENOENT when
// there is no such timeout any more.
func TimeoutRemove(id OpID, tag uint64) Op {
	return Op{Code: OpTimeoutRemove, FD: -1, Target: id, Tag: tag}
}

// TimeoutUpdate makes a timeout, or a LinkTimeout, expire d after Submit of the update instead, by the clock that it goes by. Of a Tick, d is the
// time between two from now on. A count stays as it is. Res is 0, or ENOENT when there is no such timeout any more.
func TimeoutUpdate(id OpID, d time.Duration, tag uint64) Op {
	return Op{Code: OpTimeoutRemove, FD: -1, Target: id, Off: int64(d), Flags: Update, Tag: tag}
}

// TimeoutUpdateAt is TimeoutUpdate to an instant, or (for a timeout of another clock) to a time of its clock in nanoseconds.
// It is EINVAL for a Tick.
func TimeoutUpdateAt(id OpID, at Instant, tag uint64) Op {
	return Op{Code: OpTimeoutRemove, FD: -1, Target: id, Off: int64(at), Flags: Update | Abs, Tag: tag}
}
