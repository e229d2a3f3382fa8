package api

// OpID names one submitted operation: the slot that holds it in the engine and the
// generation of that slot. An id is never given twice by an engine within 2^32 uses of
// a slot, so that cancelling a finished operation harms no other. The zero OpID names none.
//
//	63            32 31             0
//	+---------------+---------------+
//	|  generation   |     slot      |
//	+---------------+---------------+
type OpID uint64

// MakeOpID packs a slot and a generation. It is for those who write an engine.
func MakeOpID(slot, generation uint32) OpID { return OpID(generation)<<32 | OpID(slot) }

// Slot is the engine's slot that holds, or held, the operation.
func (id OpID) Slot() uint32 { return uint32(id) }

// Generation counts the uses of the slot; it is never 0 in a valid id.
func (id OpID) Generation() uint32 { return uint32(id >> 32) }

// OpFlags change how an operation is done. A flag that an operation does not know
// makes it complete with EINVAL.
type OpFlags uint32

const (
	// Multishot keeps the operation going: it completes again and again with the flag
	// More, until the completion without it. For accept, recv, recvmsg, poll and timeouts; ReadMultishot has it, too.
	Multishot OpFlags = 1 << iota
	// BufferSelect takes the buffer out of the group Op.Group when there is data,
	// rather than from Op.Buf when the operation is submitted. For recv, recvmsg and read.
	BufferSelect
	// DontWait completes with EAGAIN where the operation would have to wait, also for
	// an earlier operation on the same fd and direction. For read, write, recv, send,
	// their vector and message forms, accept, splice and tee.
	DontWait
	// WaitAll completes when the whole buffer has been moved, or with what had been
	// moved when the stream ended, failed or the operation was cancelled.
	// For recv, send, recvmsg, sendmsg and zero-copy sends on stream sockets.
	WaitAll
	// Unordered lifts the order of submission from a stream operation: it neither waits for
	// operations of its fd and direction nor do later ones wait for it.
	Unordered
	// EOF asks that the end of the stream be reported as io.EOF by Completion.Err.
	// For read, recv, readv and recvmsg with room for at least one byte.
	EOF
	// ByFD makes a cancel end every operation in flight on Op.FD, rather than the one
	// that Op.Target names.
	ByFD
	// DataSync limits an fsync to the data and what is needed to read it (fdatasync).
	DataSync
	// Abs makes Op.Off of a timeout an Instant (or a time of the clock that Boottime or Realtime name)
	// rather than a Duration from Submit.
	Abs

	// Link makes the next operation of the same Submit start when this one has succeeded. When it fails, all
	// that follow in the chain complete with ErrCanceled. A chain ends behind the first operation without
	// Link or HardLink, and at the end of the Submit. A read, write, splice or tee that moves less than it was asked
	// for counts as failed, a receive or send only with WaitAll. An operation that is wrong by itself (it lacks its Msg, say, or
	// has a flag that it does not know) has its error, and all others of its chain, those before it and
	// those with HardLink too, complete with ErrCanceled and perform nothing.
	Link
	// HardLink is Link, but the chain goes on however this operation ends.
	HardLink
	// Drain starts an operation, or the chain that it is in, when all operations submitted before have
	// completed, and lets none that is submitted behind it start before it has; but cancels, and
	// removals and updates of polls and timeouts, are not held up, unless they have Drain or are in a chain. What is held up can be
	// cancelled, has its Deadline, and if it is a timeout counts from when it is let go.
	Drain
	// SkipSuccess leaves out the last completion when the operation succeeds. When it fails,
	// its completion is the only one: the rest of its chain, which is cancelled, has none. A LinkTimeout with it has none in
	// any case. Not for operations that give out an fd, a buffer, or an empty slot that they have found, which would be lost.
	SkipSuccess

	// ByOp makes a cancel end operations with the code in Op.Arg. With ByFD, those that are both.
	ByOp
	// Any makes a cancel end every operation in flight.
	Any
	// First makes a cancel that goes by fd or code, or for any, end one operation and not all. Which one is not said.
	First

	// Level makes a multishot poll report what holds once in each Complete, as long as anything does, rather than at each change.
	Level
	// Update makes a removal of a poll or timeout change it instead.
	Update
	// UpdateTag makes a removal of a poll give it the tag in Op.Off.
	UpdateTag

	// Boottime makes a timeout go by CLOCK_BOOTTIME, which goes on while the machine sleeps.
	Boottime
	// Realtime makes a timeout go by CLOCK_REALTIME, which can be set.
	Realtime
	// TimeoutOK makes a timeout that has expired count as a success in a chain. Its result is ETIME all the same.
	TimeoutOK

	// FixedFile makes Op.FD an index into the engine's table of registered files (Engine.RegisterFiles). The slot is looked up when the
	// operation begins: in a chain, when those before it have ended. Not for paths. A close with it is CloseSlot.
	FixedFile

	// Shared makes a futex one that other processes use too, in memory that they share.
	Shared

	// FixedBuffer makes Op.Group the index of the registered buffer that Op.Buf is a part of. For zero-copy sends; ReadFixed and
	// its kin need no flag.
	FixedBuffer
	// IntoSlot puts the new file into a slot of the table of registered files, Op.Group, rather than giving it an fd. Op.Into sets it.
	// For accept, socket, openat, openat2 and pipe.
	IntoSlot
	// Bundle lets a receive with BufferSelect fill several buffers of its group at a time, and a send take several of them (SendBundle). Each buffer
	// has a completion and a lease. A multishot receive delivers what it would without, with fewer system calls. Any other takes all that is
	// there, as far as the group's buffers go, and its completions but the last have More. It has no effect on datagrams; with WaitAll it is EINVAL.
	Bundle
	// ReportUsage makes the notification of a zero-copy send say with Copied whether the data was copied after all.
	ReportUsage
	// FixedFD2 makes Args.FD2 an index into the table of registered files. For splice and tee, where FixedFile is about the input alone.
	FixedFD2

	knownFlags = FixedFD2<<1 - 1
)

// ChainFlags are those that any operation takes.
const ChainFlags = Link | HardLink | Drain | SkipSuccess

// Has says whether all of the flags in g are set.
func (f OpFlags) Has(g OpFlags) bool { return f&g == g }

// Known says whether f holds no flag but those defined here.
func (f OpFlags) Known() bool { return f&^knownFlags == 0 }

// Op is one operation, a plain value that Submit copies. The constructors (Recv, Send,
// AcceptMultishot, …) fill in the fields that belong together; the field docs say what is in
// which. The zero Op is a nop.
type Op struct {
	// Buf is the memory that is read into or written from.
	Buf []byte
	// Msg carries vectors, addresses and control data where an operation takes them.
	Msg *Msg
	// Args carries paths and whatever else does not fit, of operations that take much. The constructors make
	// one for each operation; who wants to save that allocation makes it once, and uses it for
	// one operation at a time.
	Args *Args
	// Tag comes back in each completion. It means nothing to the engine.
	Tag uint64
	// ID is filled in by Submit.
	ID OpID
	// Off is a position in a file, CurrentPosition for the file's own; the Duration or
	// (with Abs) Instant of a timeout; the mode of a file that is created; the mask of statx; the
	// new tag of a poll; of a socket, the domain in the lower half and the protocol in the upper;
	// of a socket option, the name in the lower half and the level in the upper.
	Off int64
	// Deadline ends the operation with os.ErrDeadlineExceeded when it has not completed by
	// then. 0: none. Bytes already moved by then are reported instead.
	Deadline Instant
	// Target is the operation that a cancel, a removal or an update is about.
	Target OpID
	// FD is the file descriptor.
	FD int32
	// Arg is the poll mask, the how of shutdown, the MSG_* flags of recv and send,
	// the SOCK_* flags of accept, the type of a socket, the count of a timeout, and in general the system
	// call's own flags.
	Arg uint32
	// Flags change how the operation is done.
	Flags OpFlags
	// Group is the buffer group of a BufferSelect, the index of a registered buffer, or with IntoSlot the slot.
	Group uint16
	// Code says what to do.
	Code OpCode
	// Personality is whose credentials it is done with. 0: those of the engine's thread. Op.As sets it.
	Personality Personality
}

// Personality is what RegisterPersonality has registered, 1 to 255; 0 is none.
type Personality uint8

// As has the operation done with other credentials: user, groups and capabilities are those that the thread had which called
// RegisterPersonality. For openat, openat2, statx, unlinkat, renameat, mkdirat, symlinkat, linkat, the extended attributes, connect and bind; EINVAL for
// others, and for what is not registered when the operation begins. EOPNOTSUPP where the engine does the operation by system calls
// (Features has it as Emulated): those would have the credentials of the thread.
func (op Op) As(p Personality) Op { op.Personality = p; return op }

// CurrentPosition as Op.Off reads or writes at the position of the file, and moves it.
// Operations at the current position take effect in the order of submission; those with a
// position of their own (Off ≥ 0) are in no order. Off below -1 is EINVAL.
const CurrentPosition = -1
