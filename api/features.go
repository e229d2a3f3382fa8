package api

import "strings"

// Feature is a set of abilities of an engine that are more than one operation.
type Feature uint64

// The features.
const (
	FeatMultishotAccept  Feature = 1 << iota // AcceptMultishot
	FeatMultishotRecv                        // RecvMultishot
	FeatMultishotPoll                        // PollMultishot
	FeatBufferGroups                         // NewBufferGroup, BufferSelect
	FeatWaitAll                              // WaitAll
	FeatDontWait                             // DontWait
	FeatOrdered                              // order of submission per fd and direction
	FeatCancelFD                             // CancelFD
	FeatSafeClose                            // Close ends the operations in flight first
	FeatDeadlines                            // Op.Deadline
	FeatPark                                 // the strategy Park frees the thread
	FeatAsyncFiles                           // reads and writes of regular files do not block the owner
	FeatChains                               // Link, HardLink, SkipSuccess, LinkTimeout
	FeatDrain                                // Drain
	FeatPost                                 // Post, Message
	FeatFixedFiles                           // RegisterFiles, FixedFile, MessageFile
	FeatDirectFiles                          // IntoSlot, CloseSlot, SetFileRange
	FeatFixedBuffers                         // RegisterBuffers, ReadFixed, WriteFixed, FixedBuffer
	FeatCloneBuffers                         // CloneBuffers
	FeatIncremental                          // BufferGroupOptions.Incremental
	FeatBundles                              // Bundle
	FeatGroupResize                          // BufferGroup.Resize
	FeatMultishotRecvMsg                     // RecvMsgMultishot
	FeatMultishotRead                        // ReadMultishot
	FeatZeroCopy                             // SendZC, SendMsgZC
	FeatQueueResize                          // ResizeQueues
	FeatPersonality                          // RegisterPersonality, Op.As
	FeatZeroCopyRecv                         // RecvZC, BufferGroupOptions.ZeroCopy

	// AllFeatures is every feature there is.
	AllFeatures = FeatZeroCopyRecv<<1 - 1
)

var featureNames = []string{
	"multishot-accept", "multishot-recv", "multishot-poll", "buffer-groups", "wait-all", "dont-wait",
	"ordered", "cancel-fd", "safe-close", "deadlines", "park", "async-files",
	"chains", "drain", "post", "fixed-files", "direct-files", "fixed-buffers", "clone-buffers", "incremental", "bundles",
	"group-resize", "multishot-recvmsg", "multishot-read", "zero-copy",
	"queue-resize", "personality", "zero-copy-recv",
}

// Has says whether all of the features in g are in f.
func (f Feature) Has(g Feature) bool { return f&g == g }

// String lists the features by name, separated by commas.
func (f Feature) String() string { return bitNames(uint64(f), featureNames) }

func bitNames(bits uint64, names []string) string {
	var s []string
	for i, n := range names {
		if bits&(1<<i) != 0 {
			s = append(s, n)
		}
	}
	if len(s) == 0 {
		return "none"
	}
	return strings.Join(s, ",")
}

// OpSet is a set of operation codes.
type OpSet uint64

// Ops makes a set.
func Ops(codes ...OpCode) (s OpSet) {
	for _, c := range codes {
		s |= 1 << c
	}
	return s
}

// Has says whether c is in the set.
func (s OpSet) Has(c OpCode) bool { return c.Valid() && s&(1<<c) != 0 }

// String lists the operations by name, separated by commas.
func (s OpSet) String() string { return bitNames(uint64(s), opNames[:]) }

// Support tells how an engine does something.
type Support uint8

// The degrees of Support.
const (
	Absent   Support = iota // it does not
	Emulated                // it does, with the same results, by system calls of its own
	Native                  // the kernel does it
)

// String is "absent", "emulated" or "native".
func (s Support) String() string { return [...]string{"absent", "emulated", "native"}[s] }

// Features tells what an engine can do, and whether the kernel does it or the engine.
type Features struct {
	Native, Emulated       Feature
	OpsNative, OpsEmulated OpSet
}

// Has says whether all of the features in f work, natively or not.
func (f Features) Has(g Feature) bool { return (f.Native | f.Emulated).Has(g) }

// HasOp says whether an operation works, natively or not.
func (f Features) HasOp(c OpCode) bool { return (f.OpsNative | f.OpsEmulated).Has(c) }

// Feature tells how one feature is done.
func (f Features) Feature(g Feature) Support { return support(f.Native.Has(g), f.Emulated.Has(g)) }

// Op tells how an operation is done.
func (f Features) Op(c OpCode) Support { return support(f.OpsNative.Has(c), f.OpsEmulated.Has(c)) }

func support(native, emulated bool) Support {
	switch {
	case native:
		return Native
	case emulated:
		return Emulated
	}
	return Absent
}
