package api

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// RingOptions are the modes that only io_uring has. None of them changes a result: they change what it costs. The zero RingOptions
// are the defaults, which are right for most programs; docs/RINGS.md says of each what it is for. All backends refuse a value that is out of range
// or contradicts another with an OptionError; those that have no ring ignore the rest. Where this kernel refuses a mode that was asked for, New returns an
// *UnavailableError that names the option: nothing is left out silently, and backend.Auto goes on to the next backend.
type RingOptions struct {
	// Taskrun is when the kernel does its part of completing operations. Default: in the engine's own system calls
	// only (DEFER_TASKRUN) with the strategy Block, as TaskrunCoop with Park; in both cases where the kernel can. Backends: uring.
	Taskrun Taskrun
	// SQPoll has a thread of the kernel's take what is submitted, so that no system call is needed for it. Complete then hands over and goes on: with
	// Wait.Min above 0, what was submitted is begun while, and after, Complete returns other completions; with Min 0 it returns when
	// all has been begun, as otherwise. Who neither waits nor is idle (Spin) makes no system calls at all. Costs a processor for as long as there is something to do, and
	// SQIdle longer; on a machine that has none to spare, everything. Operations have the credentials of the thread that has opened the
	// engine. Pays where the owner's thread is what is short, and there are processors enough. Linux 5.11. Default: off. Backends: uring.
	SQPoll bool
	// SQIdle is how long that thread looks for submissions before it sleeps, 1 ms to an hour, in whole milliseconds. It is woken by a
	// system call. Default: the kernel's, one second. Backends: uring, with SQPoll.
	SQIdle time.Duration
	// SQCPU is the one processor that the thread runs on. Not with Attach. Default: any. Backends: uring, with SQPoll.
	SQCPU CPUSet
	// Attach shares the thread of another engine, which must have SQPoll as well, be open, and not be used by another goroutine meanwhile; it looks at the queues of both, and
	// sleeps after the longer SQIdle. Without SQPoll it shares the kernel's workers, which since Linux 5.12 all rings of a
	// thread do anyhow. Either engine may be closed first. Saves a processor. Default: nil, share nothing. Backends: uring.
	Attach Engine
	// IOPoll has reads and writes of files that were opened with O_DIRECT completed by asking the device again and again, on a ring of its own, rather than by
	// its interrupt. While any of them is in flight, Complete looks and does not wait: it takes all of the thread's processor. Pays on devices that have queues
	// for it (NVMe with the module parameter poll_queues) and answer within some ten microseconds. Where the device or the file system has none,
	// the kernel says so, and the operation is done as any other, at the cost of one attempt per file. It is looked at once per fd whether it has O_DIRECT.
	// Such operations cannot be cancelled any more. Default: IOPollOff. Backends: uring.
	IOPoll IOPoll
	// BoundedWorkers limits the kernel's worker threads for work that takes a bounded time: regular files and block devices.
	// 1 to 32768, and not more than RLIMIT_NPROC. They belong to the thread that owns the engine, on each NUMA node, and all rings
	// of that thread share them, and the limit; Close puts back what it was. What finds no worker waits. Costs nothing. Pays where a burst of file operations
	// must not take all processors, or a slow disk not thousands of threads. Not with Park, which has no thread of its own; with SQPoll they belong to
	// the kernel's thread, and end with it. Linux 5.15.
	// Default: the kernel's, which is the smaller of Entries and 4 for each processor. Backends: uring.
	BoundedWorkers int
	// UnboundedWorkers limits those for work that may take for ever, such as a connect to a Unix socket with a full backlog. Otherwise as
	// BoundedWorkers; too low a limit lets one such operation hold up another. Default: the kernel's, which is RLIMIT_NPROC. Backends: uring.
	UnboundedWorkers int
	// WorkerCPUs are the processors that these workers run on. Costs nothing; pays where others are to be kept free for the loop. Not with
	// Park. Linux 5.14. Default: those that the program may use. Backends: uring.
	WorkerCPUs CPUSet
	// Memory is where the queues are. Default: the kernel's memory. Backends: uring.
	Memory RingMemory
	// BusyPoll makes a wait poll the queues of network cards for that long before it sleeps (NAPI), up to MaxBusyPoll, which is the kernel's own bound, rounded up to microseconds. It costs the
	// processor for that time in each wait that finds nothing at once. It pays where latency is all, the interrupts of the card come late (they are
	// coalesced), and there is a processor to spare. It has no effect on the loopback and on Unix sockets, which have no such queues. Linux 6.9, with
	// CONFIG_NET_RX_BUSY_POLL. Default: none, whatever the sysctl net.core.busy_poll says. Backends: uring.
	BusyPoll time.Duration
	// PreferBusyPoll has the kernel leave these queues to BusyPoll, and put their interrupts off as long as it goes on (SO_PREFER_BUSY_POLL of socket(7)).
	// It takes a BusyPoll. Default: false. Backends: uring.
	PreferBusyPoll bool
	// BusyPollIDs are the queues to be polled, each as SO_INCOMING_NAPI_ID of socket(7) gives it for a socket, in no order; 0 is none. With no number at all, they
	// are those of the sockets that the engine uses, which the kernel looks up for each operation. It takes a BusyPoll. Linux 6.13. Default: none. Backends: uring.
	BusyPollIDs [MaxBusyPollIDs]uint32
	// Completions is how large the entries of the completion queue are. Default: 16 bytes. Backends: uring.
	Completions RingCompletions
}

// RingCompletions says how large the entries of the completion queue are. An operation that has more to say than a result takes
// 32 bytes: of this version's only a RecvZC into memory that a network card writes to.
type RingCompletions uint8

const (
	// CompletionsDefault is 16 bytes for all.
	CompletionsDefault RingCompletions = iota
	// CompletionsMixed is 32 bytes for those that have more to say, and 16 for the others (CQE_MIXED, Linux 6.18). It costs a look at the flags of each.
	CompletionsMixed
	// CompletionsWide is 32 bytes for all (CQE32, Linux 5.19). It costs twice the memory, and half of what a cache line holds.
	CompletionsWide
)

// The limits of RingOptions.BusyPoll, and of how many BusyPollIDs there can be.
const (
	MaxBusyPoll    = 10 * time.Millisecond
	MaxBusyPollIDs = 16
)

// RingMemory says where the queues are that the engine shares with the kernel.
type RingMemory uint8

const (
	// RingMemoryDefault is memory of the kernel's, in normal pages that are mapped.
	RingMemoryDefault RingMemory = iota
	// RingMemoryOwn is memory of the process's (NO_MMAP, Linux 6.5), in a huge page where the system has one to give, and in normal pages elsewhere.
	// It costs 2 MiB for each engine, or twice that with queues that do not fit into one, and the time to clear them. It pays, a little, where there
	// are many engines or large queues, and the processor runs out of places for addresses (its TLB). Before Linux 6.14 normal pages will do for
	// the smallest queues only.
	RingMemoryOwn
	// RingMemoryHuge is RingMemoryOwn in huge pages and nowhere else: New fails, and says why, where the system has none to give, and so does ResizeQueues.
	RingMemoryHuge
)

// Taskrun says when the kernel does the part of completing an operation that needs the thread which has submitted it.
type Taskrun uint8

const (
	// TaskrunDefault is the best that the kernel and the strategy of the engine allow.
	TaskrunDefault Taskrun = iota
	// TaskrunCoop does it whenever the thread enters the kernel for whatever reason (COOP_TASKRUN, Linux 5.19). Completions are there
	// earlier, when the thread makes many other system calls; and each of those calls may take longer.
	TaskrunCoop
	// TaskrunInterrupt interrupts the thread for it, as kernels before 5.19 do. Completions are there without any system call, which pays
	// for one who looks for them very often (Spin) and does much else; each costs an interrupt of the processor.
	TaskrunInterrupt
)

// IOPoll says how to find out that a device has done what it was asked for.
type IOPoll uint8

const (
	// IOPollOff waits for the interrupt of the device.
	IOPollOff IOPoll = iota
	// IOPollBusy asks the device without a pause (IORING_SETUP_IOPOLL).
	IOPollBusy
	// IOPollHybrid sleeps for half of the time that it takes as a rule, and then asks (IORING_SETUP_HYBRID_IOPOLL, Linux 6.13): half of the
	// processor for a few microseconds more.
	IOPollHybrid
)

// MaxRingWorkers bounds BoundedWorkers and UnboundedWorkers: the kernel's own bound on threads is 32768 by default (pid_max).
const MaxRingWorkers = 1 << 15

// maxCPUs is how many processors a CPUSet knows: as many as cpu_set_t of sched_setaffinity(2).
const maxCPUs = 1024

// CPUSet is a set of processors, a plain value that can be compared. The zero CPUSet is empty.
type CPUSet struct {
	bits [maxCPUs / 64]uint64
	bad  bool
}

// CPUs is the set of the processors with these numbers, 0 to 1023. A set made with another number is refused by every option
// that takes one.
func CPUs(numbers ...int) (s CPUSet) {
	for _, n := range numbers {
		if n < 0 || n >= maxCPUs {
			s.bad = true
			continue
		}
		s.bits[n/64] |= 1 << (n % 64)
	}
	return s
}

// Has says whether processor n is in the set.
func (s *CPUSet) Has(n int) bool { return n >= 0 && n < maxCPUs && s.bits[n/64]>>(n%64)&1 != 0 }

// Len is how many processors are in the set.
func (s *CPUSet) Len() (n int) {
	for _, b := range s.bits {
		n += bits.OnesCount64(b)
	}
	return n
}

// String lists the numbers, separated by commas.
func (s CPUSet) String() string {
	var b strings.Builder
	for n := range maxCPUs {
		if s.Has(n) {
			if b.Len() > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Itoa(n))
		}
	}
	return b.String()
}

// RingMode is what trying one of the modes of RingOptions on this kernel has shown.
type RingMode struct {
	// Name is the mode's, as docs/RINGS.md lists it.
	Name string
	// MinKernel is the Linux version that brought it.
	MinKernel string
	// Err says why the kernel refuses it, nil when it does not.
	Err error
}

func (r *RingOptions) checkBusyPoll() error {
	field, why := "", ""
	switch {
	case r.BusyPoll < 0 || r.BusyPoll > MaxBusyPoll:
		field, why = "BusyPoll", fmt.Sprintf("is %v, must be from 0 to %v", r.BusyPoll, MaxBusyPoll)
	case r.BusyPoll == 0 && r.PreferBusyPoll:
		field, why = "PreferBusyPoll", "is of no use without BusyPoll"
	case r.BusyPoll == 0 && r.BusyPollIDs != [MaxBusyPollIDs]uint32{}:
		field, why = "BusyPollIDs", "is of no use without BusyPoll"
	default:
		return nil
	}
	return &OptionError{Option: "Ring." + field, Reason: why}
}

// check finds what is out of range, or contradicts another option.
func (r *RingOptions) check(o *Options) error {
	wrong := func(field, format string, args ...any) error {
		return &OptionError{Option: "Ring." + field, Reason: fmt.Sprintf(format, args...)}
	}
	if r.Taskrun > TaskrunInterrupt {
		return wrong("Taskrun", "is %d, must be one of the constants", r.Taskrun)
	}
	if err := r.checkBusyPoll(); err != nil {
		return err
	}
	if r.Completions > CompletionsWide {
		return wrong("Completions", "is %d, must be one of the constants", r.Completions)
	}
	if r.Memory > RingMemoryHuge {
		return wrong("Memory", "is %d, must be one of the constants", r.Memory)
	}
	if r.IOPoll > IOPollHybrid {
		return wrong("IOPoll", "is %d, must be one of the constants", r.IOPoll)
	}
	for _, f := range [...]struct {
		name string
		n    int
	}{{"BoundedWorkers", r.BoundedWorkers}, {"UnboundedWorkers", r.UnboundedWorkers}} {
		if f.n < 0 || f.n > MaxRingWorkers {
			return wrong(f.name, "is %d, must be from 0 to %d", f.n, MaxRingWorkers)
		}
	}
	if r.WorkerCPUs.bad {
		return wrong("WorkerCPUs", "has a number that is not from 0 to %d", maxCPUs-1)
	}
	if err := r.checkSQPoll(wrong); err != nil {
		return err
	}
	if o.Strategy.Mode != ModePark || r.SQPoll {
		return nil
	}
	const why = "the kernel's workers belong to a thread, and an engine with the strategy Park has none of its own; use Block, or SQPoll"
	switch {
	case r.BoundedWorkers != 0:
		return wrong("BoundedWorkers", why)
	case r.UnboundedWorkers != 0:
		return wrong("UnboundedWorkers", why)
	case r.WorkerCPUs != CPUSet{}:
		return wrong("WorkerCPUs", why)
	}
	return nil
}

// SQIdleMax bounds RingOptions.SQIdle: longer is for ever.
const SQIdleMax = time.Hour

func (r *RingOptions) checkSQPoll(wrong func(field, format string, args ...any) error) error {
	const without = "is set without SQPoll"
	switch {
	case r.SQIdle != 0 && (r.SQIdle < time.Millisecond || r.SQIdle > SQIdleMax):
		return wrong("SQIdle", "is %v, must be from %v to %v", r.SQIdle, time.Millisecond, SQIdleMax)
	case r.SQCPU.bad || r.SQCPU.Len() > 1:
		return wrong("SQCPU", "has %d processors, must have one, from 0 to %d", r.SQCPU.Len(), maxCPUs-1)
	case r.Attach != nil && r.SQCPU != CPUSet{}:
		return wrong("SQCPU", "is set with Attach, whose thread has its processors already")
	case r.SQPoll && r.Taskrun != TaskrunDefault:
		return wrong("Taskrun", "is set with SQPoll, where the kernel's thread completes what it has submitted")
	case !r.SQPoll && r.SQIdle != 0:
		return wrong("SQIdle", without)
	case !r.SQPoll && r.SQCPU != CPUSet{}:
		return wrong("SQCPU", without)
	}
	return nil
}
