package api

import "fmt"

// Options configure an engine. A nil *Options and the zero Options stand for the defaults.
type Options struct {
	// Strategy is how Complete waits. Default: Block. Backends: all.
	Strategy Strategy
	// MaxInFlight bounds the operations in flight, 1 to 2^20. Memory is taken as they are
	// used. Default: 65536. Backends: all.
	MaxInFlight int
	// Entries is the size of the submission queue, 1 to 32768, rounded up to a power of two. A
	// full queue is flushed, so that it bounds the batch and not the operations in flight.
	// Default: 512. Backends: uring.
	Entries int
	// CQEntries is the size of the completion queue, from Entries to 65536. What does not fit is kept by the kernel.
	// Default: 4096, or 2 × Entries if that is more. Backends: uring.
	CQEntries int
	// Workers bounds the threads that do what would block: regular files that are not in the
	// page cache, fsync, paths. (Files with O_DIRECT need none on Linux, but at their current position.) 1 to 1024. Default: 16. Backends: epoll, poll, select; uring for what its kernel lacks.
	Workers int
	// WorkQueue bounds the operations that wait for a worker, 1 to 2^20: with Workers + WorkQueue of them submitted, waiting or with a worker,
	// Submit takes no more of those that are sure to need one (docs/OPERATIONS.md), and returns ErrQueueFull, until one has
	// completed. Default: MaxInFlight, which is no bound. Backends: as Workers.
	WorkQueue int
	// Disable switches kernel features off as if the kernel lacked them; for tests, and to
	// step around a bug. Default: none. Backends: uring.
	Disable KernelFeature
	// DisableOps are operations that are not given to the kernel, as if it lacked them, but done as the other backends do them;
	// for tests, and to step around a bug. Those that the engine cannot do without (UringNeeds) are an OptionError.
	// Default: none. Backends: uring.
	DisableOps OpSet
	// Restrict are the only operations that the engine does: Submit refuses others with an *UnsupportedError, and Features does not
	// list them. Methods, deadlines and Close do all that they do. On uring the kernel enforces it (Linux 5.10, and an *UnavailableError where it does not): besides those
	// operations, and the plain forms of those on registered buffers, the ring can poll, time out and cancel, which the engine needs, and can be told nothing that the engine does not tell it, for ever;
	// so that whoever gets hold of the ring, or of memory that it takes submissions from, can do no more with it. It costs a look at a bitmap per
	// operation. Elsewhere the engine alone sees to it. Default: 0, no restriction. Backends: all.
	Restrict OpSet
	// Ring are the modes that only io_uring has. Default: see RingOptions. Backends: uring.
	Ring RingOptions
}

// UringNeeds are the operations of io_uring without which there is no engine on it. All are there from Linux 5.6 on.
const UringNeeds = OpSet(1<<OpNop | 1<<OpRead | 1<<OpPoll | 1<<OpTimeout | 1<<OpTimeoutRemove | 1<<OpCancel)

// The limits and defaults of Options.
const (
	DefaultMaxInFlight = 1 << 16
	MaxMaxInFlight     = 1 << 20
	DefaultEntries     = 512
	MaxEntries         = 1 << 15
	DefaultCQEntries   = 4096
	MaxCQEntries       = 1 << 16
	DefaultWorkers     = 16
	MaxWorkers         = 1024
)

// WithDefaults is a copy of the options with every unset field set to its default. o may be
// nil. It returns an *OptionError for a field that is out of range.
func (o *Options) WithDefaults() (Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Strategy.Mode == ModeDefault {
		d.Strategy.Mode = ModeBlock
	}
	if err := d.Strategy.check("Strategy"); err != nil {
		return d, err
	}
	for _, f := range []struct {
		name    string
		p       *int
		def, hi int
	}{
		{"MaxInFlight", &d.MaxInFlight, DefaultMaxInFlight, MaxMaxInFlight},
		{"Entries", &d.Entries, DefaultEntries, MaxEntries},
		{"CQEntries", &d.CQEntries, max(DefaultCQEntries, 2*d.Entries), MaxCQEntries},
		{"Workers", &d.Workers, DefaultWorkers, MaxWorkers},
		{"WorkQueue", &d.WorkQueue, 0, MaxMaxInFlight},
	} {
		if *f.p == 0 {
			*f.p = f.def
		}
		if *f.p == 0 {
			*f.p = d.MaxInFlight
		}
		if *f.p < 1 || *f.p > f.hi {
			return d, &OptionError{Option: f.name, Reason: fmt.Sprintf("is %d, must be from 1 to %d", *f.p, f.hi)}
		}
	}
	if err := d.checkQueues(); err != nil {
		return d, err
	}
	if d.DisableOps>>OpCount != 0 {
		return d, &OptionError{Option: "DisableOps", Reason: "has bits that are no operation"}
	}
	if needed := d.DisableOps & UringNeeds; needed != 0 {
		return d, &OptionError{Option: "DisableOps", Reason: "has " + needed.String() + ", which the engine cannot do without"}
	}
	if d.Restrict>>OpCount != 0 {
		return d, &OptionError{Option: "Restrict", Reason: "has bits that are no operation"}
	}
	if unknown := d.Disable &^ KernAll; unknown != 0 {
		return d, &OptionError{Option: "Disable", Reason: fmt.Sprintf("has the unknown bits %#x", uint32(unknown))}
	}
	return d, d.Ring.check(&d)
}

func (o *Options) checkQueues() error {
	if o.CQEntries < o.Entries {
		return &OptionError{Option: "CQEntries", Reason: fmt.Sprintf("is %d, must be at least Entries, which is %d", o.CQEntries, o.Entries)}
	}
	return nil
}

// Resized is a copy of o, which WithDefaults has made, with the sizes that ResizeQueues is asked for, 0 for those that o has. It
// returns an *OptionError for one that is out of range.
func (o *Options) Resized(entries, cqEntries int) (Options, error) {
	d := *o
	for _, f := range []struct {
		name   string
		p      *int
		to, hi int
	}{
		{"Entries", &d.Entries, entries, MaxEntries},
		{"CQEntries", &d.CQEntries, cqEntries, MaxCQEntries},
	} {
		if f.to < 0 || f.to > f.hi {
			return d, &OptionError{Option: f.name, Reason: fmt.Sprintf("is %d, must be from 1 to %d, or 0 to leave it as it is", f.to, f.hi)}
		}
		if f.to != 0 {
			*f.p = f.to
		}
	}
	return d, d.checkQueues()
}

func (s Strategy) check(name string) error {
	if s.Spin < 0 || s.Spin > MaxSpin || s.Mode > ModePark {
		return &OptionError{Option: name, Reason: fmt.Sprintf("is {Spin: %d, Mode: %d}; Spin must be from 0 to %d and Mode one of the constants", s.Spin, s.Mode, MaxSpin)}
	}
	return nil
}

// Resolve gives the strategy of one wait: w.Strategy with what it leaves open taken from def.
// It returns an *OptionError when w.Strategy, w.Min or w.Batch is out of range.
func (w Wait) Resolve(def Strategy) (Strategy, error) {
	if w.Min < 0 {
		return def, &OptionError{Option: "Wait.Min", Reason: "negative"}
	}
	if w.Batch < 0 {
		return def, &OptionError{Option: "Wait.Batch", Reason: "negative"}
	}
	if w.Strategy == (Strategy{}) {
		return def, nil
	}
	s := w.Strategy
	if s.Mode == ModeDefault {
		s.Mode = def.Mode
	}
	return s, s.check("Wait.Strategy")
}

// KernelFeature is a set of features of the kernel's io_uring that an engine does without when
// the kernel lacks them, or Options.Disable names them.
type KernelFeature uint32

// The kernel features that can be switched off, with the Linux version that brought each.
const (
	KernSingleIssuer    KernelFeature = 1 << iota // IORING_SETUP_SINGLE_ISSUER, 6.0
	KernDeferTaskrun                              // IORING_SETUP_DEFER_TASKRUN, 6.1
	KernCoopTaskrun                               // IORING_SETUP_COOP_TASKRUN, 5.19
	KernSubmitAll                                 // IORING_SETUP_SUBMIT_ALL, 5.18
	KernNoSQArray                                 // IORING_SETUP_NO_SQARRAY, 6.6
	KernRegisteredRing                            // IORING_REGISTER_RING_FDS, 5.18
	KernExtArg                                    // IORING_ENTER_EXT_ARG, 5.11
	KernAbsTimer                                  // IORING_ENTER_ABS_TIMER, 6.12
	KernNoIOWait                                  // IORING_ENTER_NO_IOWAIT, 6.15
	KernMultishotAccept                           // IORING_ACCEPT_MULTISHOT, 5.19
	KernMultishotRecv                             // IORING_RECV_MULTISHOT, 6.0
	KernMultishotPoll                             // IORING_POLL_ADD_MULTI, 5.13
	KernBufferRings                               // IORING_REGISTER_PBUF_RING, 5.19
	KernAcceptDontWait                            // IORING_ACCEPT_DONTWAIT, 6.10
	KernNoSignal                                  // RWF_NOSIGNAL, 6.18
	KernFixedBuffers                              // IORING_REGISTER_BUFFERS2, 5.13
	KernCloneBuffers                              // IORING_REGISTER_CLONE_BUFFERS, 6.12
	KernFixedFiles                                // IORING_REGISTER_FILES2 that lets go of each file by itself, 6.13
	KernIncremental                               // IOU_PBUF_RING_INC, 6.12
	KernBundles                                   // IORING_RECVSEND_BUNDLE, 6.10; used where it works as in 6.17 (docs/DESIGN.md)
	KernMultishotRead                             // IORING_OP_READ_MULTISHOT, 6.7
	KernZeroCopy                                  // IORING_OP_SEND_ZC with IORING_SEND_ZC_REPORT_USAGE, 6.2
	KernResize                                    // IORING_REGISTER_RESIZE_RINGS, 6.13
	KernMinWait                                   // IORING_FEAT_MIN_TIMEOUT, 6.12
	KernWaitRegion                                // IORING_ENTER_EXT_ARG_REG, 6.13

	// KernAll is every feature that can be switched off.
	KernAll = KernWaitRegion<<1 - 1
)

var kernelFeatureNames = []string{
	"single-issuer", "defer-taskrun", "coop-taskrun", "submit-all", "no-sqarray", "registered-ring",
	"ext-arg", "abs-timer", "no-iowait", "multishot-accept", "multishot-recv", "multishot-poll",
	"buffer-rings", "accept-dontwait", "no-signal", "fixed-buffers", "clone-buffers", "fixed-files", "incremental",
	"bundles", "multishot-read", "zero-copy",
	"resize", "min-wait", "wait-region",
}

// Has says whether all of the features in g are in f.
func (f KernelFeature) Has(g KernelFeature) bool { return f&g == g }

// String lists the features by name, separated by commas.
func (f KernelFeature) String() string { return bitNames(uint64(f), kernelFeatureNames) }
