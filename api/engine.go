package api

import "time"

// Engine performs operations. One goroutine, the first that calls Submit or Complete, owns
// it and makes every call but Wake, Post, InstallFile and Stats. The first Submit or Complete of an engine opened with
// the strategy Block may lock that goroutine to its thread, until Close.
type Engine interface {
	// Submit queues ops in order and fills in each one's ID. It never waits, performs nothing and
	// completes nothing: that is Complete's. Ops are copied; their buffers and Msgs are not.
	// It takes all of ops, or as many as it can, and says in n how many; a chain whole or not at all, so that n may be less than
	// the index of what is in the way. Errors:
	//   - ErrQueueFull: MaxInFlight is reached; ops[n:] were not taken. A chain that is longer never is
	//   - *UnsupportedError: ops[n] is of a kind that this engine does not do
	//   - *InvalidOpError: ops[n] has an unknown code or unknown flags
	//   - ErrClosed, ErrNotOwner: n is 0.
	// Everything else that is wrong with an operation is told by its completion.
	Submit(ops []Op) (n int, err error)

	// Complete performs what has been submitted, waits as w says, and fills dst with
	// completions. It returns how many, which is less than w.Min only when w.Deadline passed, w.Batch passed and there is one,
	// or Wake was called; none of them is an error. Completions that do not fit into dst are kept
	// for the next call. An empty dst performs and does not wait. Errors:
	//   - ErrClosed, ErrNotOwner; ErrReentrant from OnLow of a BufferGroup
	//   - *UnsupportedError: the engine cannot wait as w.Strategy says
	//   - an error of the system: the engine is no longer usable; close it.
	Complete(dst []Completion, w Wait) (n int, err error)

	// Wake makes the present Complete, or else the next, return without waiting further. Calls before that
	// Complete returns count as one. Any goroutine may call it. It returns ErrClosed after
	// Close.
	Wake() error

	// Post delivers a completion that no operation stands behind: Tag and Res as given, the code OpMsgRing, no ID. Any goroutine
	// may call it, of this engine's or another's: it ends a wait like any completion. Errors:
	//   - ErrClosed
	//   - ErrQueueFull: as many as Options.MaxInFlight wait there to be reaped; nothing is lost, post again later.
	Post(tag uint64, res int32) error

	// CancelSync performs what has been submitted, then c, which must be a cancel, and returns when all that it has matched has
	// ended, or limit is over (negative: there is none). What ends meanwhile is kept for the next Complete. n is how many it has
	// cancelled; what could not be cancelled and has ended by itself is not among them. A zero-copy send has ended with its result. It needs no room in the queue. Errors:
	//   - syscall.Errno, as the Res of the cancel would have it: ENOENT, EBADF
	//   - os.ErrDeadlineExceeded: something that it has matched goes on still
	//   - *InvalidOpError: c is no cancel, or has other flags than those that the constructors set, First, and FixedFile for a file by its slot
	//   - ErrQueueFull: one before it whose limit was over has not ended yet
	//   - ErrClosed, ErrNotOwner.
	CancelSync(c Op, limit time.Duration) (n int, err error)

	// RegisterFiles makes the engine's table of registered files, of len(fds) slots, 1 to 32768; -1 is an empty slot. An operation
	// with FixedFile names one by its index. The engine has its own hold on each file: the program may close its fd.
	// Errors: EBUSY when there is a table, EBADF, EINVAL, EMFILE for a list too long or when the process may have no more fds (each slot takes one), as
	// syscall.Errno; ErrClosed, ErrNotOwner. Nothing is registered then.
	RegisterFiles(fds []int) error

	// UpdateFiles puts fds into the slots from at on; -1 empties one, KeepSlot leaves one as it is. Operations in flight go on with the file that they
	// began with. n is how many were done. Errors: ENXIO without a table, EINVAL out of range, EBADF, EMFILE when the process may have no more fds.
	UpdateFiles(at int, fds []int) (n int, err error)

	// UnregisterFiles drops the table. Operations in flight go on. ENXIO without a table.
	UnregisterFiles() error

	// InstallFile puts the file fd into an empty slot, or into any one that it replaces; AnySlot chooses an empty one. It
	// returns the slot. Any goroutine may call it. Errors: ENXIO without a table, EINVAL out of range, ENFILE
	// when no slot is empty, EBADF, EMFILE when the process may have no more fds; ErrClosed.
	InstallFile(fd, slot int) (int, error)

	// SetFileRange limits AnySlot to the n slots from at on. It does not move what is there. 0, 0 lifts the limit, and so does a new table. Errors: ENXIO
	// without a table, EINVAL out of range; ErrClosed, ErrNotOwner.
	SetFileRange(at, n int) error

	// RegisterBuffers makes the engine's table of registered buffers, of len(bufs) slots, 1 to 16384; nil is an empty slot. ReadFixed and
	// its kin name one by its index, which saves the kernel mapping the memory for each operation. Any memory will do, that of an arena.Arena best.
	// It is the program's still, and is kept alive until it is unregistered, and no operation uses it any more. What cannot be accessed makes the
	// operations on it fail (EFAULT). Errors:
	//   - EBUSY when there is a table, EINVAL for an empty list, or a buffer that is empty but not nil or larger than 1 GiB, EMFILE for
	//     a list too long, as syscall.Errno
	//   - *MemlockError: without CAP_IPC_LOCK, the registered buffers of the process would be more than RLIMIT_MEMLOCK, in whole pages.
	//     Backends without io_uring lock none, and count it all the same (Linux). Where the kernel counts more than that (huge pages as a
	//     whole, other processes of the user), the buffers are registered, and used without its help
	//   - ErrClosed, ErrNotOwner. Nothing is registered then.
	RegisterBuffers(bufs [][]byte) error

	// UpdateBuffers puts bufs into the slots from at on; nil empties one. Operations in flight go on with the memory that they
	// began with. n is how many were done. Errors: ENXIO without a table, EINVAL out of range, else as RegisterBuffers.
	UpdateBuffers(at int, bufs [][]byte) (n int, err error)

	// UnregisterBuffers drops the table. Operations in flight go on. ENXIO without a table.
	UnregisterBuffers() error

	// CloneBuffers makes this engine's table of registered buffers that of from, which saves mapping and locking the memory
	// again. from must not be at work meanwhile, in any goroutine, and may be of another backend, closed or used as it likes afterwards. Errors: EBUSY when there is a
	// table, ENXIO when from has none, EINVAL when from is this engine or none of sluice's; ErrClosed (of either), ErrNotOwner.
	CloneBuffers(from Engine) error

	// RegisterPersonality keeps the credentials that the calling thread has now (user, groups, capabilities), for operations with Op.As. A goroutine
	// that changes those of its thread (setfsuid(2)) must be locked to it. At most 255. Linux 5.6. Backends: uring. Errors:
	//   - *UnsupportedError: Features has no FeatPersonality, since a system call has the credentials of its thread, or Options.Restrict leaves out
	//     all operations that take one
	//   - ENOSPC: there are 255, as syscall.Errno; ErrClosed, ErrNotOwner, or an error of the system
	RegisterPersonality() (Personality, error)

	// UnregisterPersonality drops one. Operations that have begun go on. Errors: EINVAL when there is none such; ErrClosed, ErrNotOwner.
	UnregisterPersonality(p Personality) error

	// NewBufferGroup makes a group of provided buffers for BufferSelect.
	NewBufferGroup(o BufferGroupOptions) (BufferGroup, error)

	// ResizeQueues changes Options.Entries and CQEntries while the engine is at work; 0 leaves one as it is. Whatever is in flight, submitted
	// or not reaped moves along. It takes some system calls, and two mappings of memory. Backends: uring; epoll, poll and select have no such
	// queues, look at the numbers as uring does, and change nothing. Errors, after which all is as before:
	//   - *OptionError: a number out of the range that it has in Options
	//   - *UnsupportedError: Features has no FeatQueueResize: uring with Park, or before Linux 6.13
	//   - ErrQueueFull: the kernel takes no submissions at present, and more of them wait than the new queue holds; try again later
	//   - ErrClosed, ErrNotOwner, ErrReentrant, or an error of the system
	ResizeQueues(entries, cqEntries int) error

	// Features tells what the engine does natively, what by emulation.
	Features() Features

	// Stats reads the counters. Any goroutine may call it.
	Stats() Stats

	// Name is the backend's: "uring", "epoll", "poll" or "select".
	Name() string

	// Close cancels every operation, waits until the kernel has let go of the buffers,
	// drops the completions that were not reaped, and frees all. Files stay open. Afterwards every buffer is the
	// caller's. A second Close returns ErrClosed. It does not wait for longer than CloseLimit for the notifications of zero-copy sends, and then
	// returns a *HeldError: the buffers of those are not the caller's yet, and Close is to be called again.
	Close() error
}

// CloseLimit is how long Engine.Close waits for the kernel to let go of the memory of zero-copy sends.
const CloseLimit = time.Second

// AnySlot as a slot of the table of registered files is any that is empty.
const AnySlot = -1

// KeepSlot among the fds of Engine.UpdateFiles or FilesUpdate leaves the slot in its place as it is (IORING_REGISTER_FILES_SKIP).
const KeepSlot = -2

// Wait says how Complete waits. The zero Wait does not.
type Wait struct {
	// Min is how many completions to wait for. 0: none; more than len(dst) counts as len(dst).
	Min int
	// Deadline ends the wait. 0: none.
	Deadline Instant
	// Batch is how long to wait for Min completions: after it, from the call of Complete on, one is enough, and if there is none still, the first
	// ends the wait. It trades that much latency for fewer returns with little to do. Linux 6.12 does it in one system call, if it
	// is a millisecond or less, and nothing in flight waits for another operation or a worker; a Wake or a Post in that time may be heard at its end. 0: none, Min is waited for.
	Batch time.Duration
	// Strategy overrides Options.Strategy for this wait, unless it is zero.
	Strategy Strategy
}

// WaitMode is what a goroutine does while it waits.
type WaitMode uint8

const (
	// ModeDefault is Options.Strategy in a Wait, and Block in Options.
	ModeDefault WaitMode = iota
	// ModeBlock blocks the thread in the kernel. The fastest where handlers run in the owner's goroutine.
	ModeBlock
	// ModePark parks the goroutine in the runtime's own poller and frees the thread. The best
	// where work is handed to other goroutines. On poll and select, which cannot be
	// parked on, a goroutine of the engine blocks in its stead.
	ModePark
)

// Strategy is how to wait: look Spin times without waiting first, then as Mode says.
// The zero Strategy stands for the default.
type Strategy struct {
	Spin int
	Mode WaitMode
}

// Block waits in the kernel.
func Block() Strategy { return Strategy{Mode: ModeBlock} }

// Park waits in the runtime's poller. The engine must have been opened with it.
func Park() Strategy { return Strategy{Mode: ModePark} }

// Spin looks n times (bounded by MaxSpin), then does as then says.
func Spin(n int, then Strategy) Strategy { then.Spin = n; return then }

// MaxSpin bounds Strategy.Spin: 2^20 looks take some hundred milliseconds.
const MaxSpin = 1 << 20

// Stats are counters since the engine was opened.
type Stats struct {
	Submitted   uint64 // operations taken by Submit
	Completions uint64 // completions delivered by Complete
	InFlight    uint64 // operations submitted whose last completion has not been delivered
	Enters      uint64 // system calls made by the engine, of any kind
	Waits       uint64 // of these, those that may have blocked
	Wakes       uint64 // calls of Wake that made a system call
	Overflows   uint64 // completions that the kernel's queue had no room for and kept back
	Blocking    uint64 // operations that went to the pool of workers
	PoolDepth   uint64 // operations in the pool now: they wait for a worker, or one is at them
	PoolQueued  uint64 // of these, those that wait for a worker
	Stale       uint64 // events and completions dropped because what they were for is gone
}

// Lease names one provided buffer while the program holds it: group, buffer and generation.
//
//	63            32 31     16 15      0
//	+---------------+---------+---------+
//	|  generation   |  group  | buffer  |
//	+---------------+---------+---------+
type Lease uint64

// Group is the id of the lease's buffer group.
func (l Lease) Group() uint16 { return uint16(l >> 16) }

// BufferGroupOptions describe a group of provided buffers.
type BufferGroupOptions struct {
	// ID is what Op.Group refers to.
	ID uint16
	// Count is how many buffers, a power of two from 1 to 32768. 0: 256.
	Count int
	// Size is the size of each in bytes, 1 to 1 MiB. 0: 4096.
	Size int
	// Max is the largest Count that Resize can be asked for, a power of two from Count to 32768. 0: Count. With Max alone, Count is 256 or Max.
	Max int
	// Incremental puts what comes one piece behind the other into the same buffer, until it is full, rather than each into a buffer of its own.
	// Each piece has a lease; the buffer is used anew when it is full and all of them are back. A receive takes no more than the rest of a buffer:
	// a datagram that is larger is cut. Reads and messages into such a group are EINVAL. Linux 6.12 does it; elsewhere it is emulated. Default: off. Backends: all.
	Incremental bool
	// Send makes a group for sending: the program has its buffers by Get, fills them, and SendBundle sends them. It can be received into as well, without
	// the kernel handing out the buffers. Not with Incremental. Default: off. Backends: all.
	Send bool
	// ZeroCopy makes a group for RecvZC, and for nothing else. Its memory is Count pages of the system, so that Size is 0 or the size of a page, and Max 0 or
	// Count; Resize takes no other number. Not with Incremental or Send. nil: a group for all other operations. Backends: all.
	ZeroCopy *ZeroCopyOptions
	// LowWater has OnLow called when fewer buffers than this are left (BufferGroup.Available), 0 to Max. 0: never.
	LowWater int
	// OnLow is called in Complete, in the owner's goroutine, once each time that what is left falls below LowWater, behind the turn in
	// which it has; and not again before as many as LowWater have been left meanwhile. It may call anything that the owner may: Resize and
	// Submit, for example. Only Complete, CancelSync, ResizeQueues and the Close of the engine or of a group are ErrReentrant. nil: nothing is called.
	OnLow func(BufferGroup)
}

// BufferGroup is a set of buffers that the engine receives into. Its methods are for the owner
// of the engine.
type BufferGroup interface {
	// ID is what Op.Group refers to.
	ID() uint16
	// Release gives a buffer back, or a piece of one, also after Close. Its memory must not be used afterwards. It returns
	// ErrLease when the lease is not out.
	Release(l Lease) error
	// Available is how many buffers are not out. One of which a part is out, and that has room for more, counts as not out.
	Available() int
	// Count is how many buffers there are, those that are out and those that are superfluous since a Resize included.
	Count() int
	// Resize makes it count buffers, 1 to Max. New ones are there at once. Superfluous ones go when they come back from a
	// lease: Count shrinks as they do, and no lease is lost. It returns an *OptionError for a count out of range, ErrClosed, ErrNotOwner.
	Resize(count int) error
	// Get takes a buffer for the program to fill, and to send with SendBundle or to release. It is all of the buffer. ok is false when none is left,
	// when the group is closed or was not made with BufferGroupOptions.Send, and in another goroutine than the owner's.
	Get() (buf []byte, l Lease, ok bool)
	// Queue puts the first n bytes of a buffer that Get gave, or that a receive into a group made with Send has filled, at the end of what SendBundle sends from. The lease goes back to the
	// group; the buffer counts as out until it has been sent. n is 1 to Size. Errors: ErrLease, *OptionError for n out of range, ErrClosed, ErrNotOwner.
	Queue(l Lease, n int) error
	// Queued is how many buffers are in line, those that are being sent included. What is in line when the group is closed is not sent.
	Queued() int
	// Size is the size of each buffer.
	Size() int
	// Close ends the operations in flight that use the group with ErrCanceled, and frees the memory
	// when the last lease is back and the last operation has ended: leases may be held and released after it.
	Close() error
}

// Left is the time from now until the deadline, 0 when it has passed and negative when there is none.
func (w Wait) Left(now Instant) time.Duration {
	if w.Deadline == 0 {
		return -1
	}
	return max(w.Deadline.Sub(now), 0)
}
