package kv

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/reactor"
)

// Fsync is when the append-only file is made durable.
type Fsync uint8

// The policies.
const (
	FsyncEverySec Fsync = iota // once a second
	FsyncAlways                // before the reply
	FsyncNo                    // when the kernel likes to
	fsyncCount    = iota
)

var fsyncNames = [fsyncCount]string{"everysec", "always", "no"}

// String is the name of the policy, as Redis has it.
func (f Fsync) String() string {
	if f < fsyncCount {
		return fsyncNames[f]
	}
	return fmt.Sprintf("fsync(%d)", uint8(f))
}

// ParseFsync is the policy with a name, as String gives it.
func ParseFsync(name string) (Fsync, error) {
	for i, n := range fsyncNames {
		if n == name {
			return Fsync(i), nil
		}
	}
	return 0, fmt.Errorf("kv: no fsync policy %q; there are %s", name, strings.Join(fsyncNames[:], ", "))
}

// Options configure a Server. The zero Options are a server without a file and without a bound of memory.
type Options struct {
	// AppendOnly is the path of the append-only file. It is made if it does not exist. Default: "", none.
	AppendOnly string
	// Fsync is when it is made durable. Default: FsyncEverySec.
	Fsync Fsync
	// Backend is that of the engine that writes it. Default: "", as backend.Open has it.
	Backend string
	// MaxMemory bounds the bytes of keys and values, with what it takes to keep them: commands that add to them are refused beyond it. Default: 0, no bound.
	MaxMemory int64
	// MaxKey is how long a key may be, in bytes. Default: 64 KiB.
	MaxKey int
	// MaxValue is how long a value, and any argument, may be, in bytes, 1 to 512 MiB. Default: 64 MiB.
	MaxValue int
	// MaxRequest is how long a command may be, in bytes. A connection takes that much memory while one that is as long comes in. At most 1 GiB. Default: MaxValue, and 1 MiB for the rest.
	MaxRequest int
	// MaxReply is how much output of a connection may wait, in bytes; one for which more would wait is closed. At most 1 GiB. Default: as much as MaxRequest, and 64 MiB.
	MaxReply int
	// Log is told of the append-only file's start, errors and recoveries. Default: that of the reactor, or slog.Default().
	Log *slog.Logger

	byFsync bool          // FsyncAlways writes as the other policies do, for tests
	retry   time.Duration // after which what could not be written is tried again, for tests. 0: retryAfter
}

const (
	defaultMaxKey   = 64 << 10
	defaultMaxValue = 64 << 20
	maxValueMax     = 512 << 20
	restOfRequest   = 1 << 20
	restOfReplies   = 64 << 20
	gib             = 1 << 30
	defaultTick     = 100 * time.Millisecond // as often as Redis looks for expired keys
)

// OptionError says that a field of Options makes no sense.
type OptionError struct {
	Field  string
	Reason string
}

// Error names the field.
func (e *OptionError) Error() string { return "kv: Options." + e.Field + ": " + e.Reason }

// fit fills in what is not set, checks the rest, and fits the reactor to it.
func (o *Options) fit(cfg *reactor.Config) error {
	if o.Fsync >= fsyncCount {
		return &OptionError{"Fsync", "is " + o.Fsync.String()}
	}
	if o.MaxMemory < 0 {
		return &OptionError{"MaxMemory", "is negative"}
	}
	for _, f := range []struct {
		name    string
		p       *int
		def     func() int
		atLeast func() int
		atMost  int
	}{
		{"MaxValue", &o.MaxValue, func() int { return defaultMaxValue }, func() int { return 1 }, maxValueMax},
		{"MaxKey", &o.MaxKey, func() int { return min(defaultMaxKey, o.MaxValue) }, func() int { return 1 }, o.MaxValue},
		{"MaxRequest", &o.MaxRequest, func() int { return o.MaxValue + restOfRequest }, func() int { return o.MaxValue }, gib},
		{"MaxReply", &o.MaxReply, func() int { return min(o.MaxRequest+restOfReplies, gib) }, func() int { return o.MaxValue }, gib},
	} {
		if f.name == "MaxKey" { // MaxValue is known by now
			f.atMost = o.MaxValue
		}
		if *f.p == 0 {
			*f.p = f.def()
		}
		if *f.p < f.atLeast() || *f.p > f.atMost {
			return &OptionError{f.name, fmt.Sprintf("is %d, must be from %d to %d", *f.p, f.atLeast(), f.atMost)}
		}
	}
	if o.retry == 0 {
		o.retry = retryAfter
	}
	if o.Log == nil {
		o.Log = cfg.Log
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.fitReactor(cfg)
	return nil
}

// fitReactor sets what the server needs of the reactor: to have a whole command in the input, to be called for what has expired, and not to keep its
// processor from the goroutine that writes the file.
func (o *Options) fitReactor(cfg *reactor.Config) {
	cfg.MaxInput = max(cfg.MaxInput, min(o.MaxRequest+restOfRequest, gib))
	cfg.MaxOutput = max(cfg.MaxOutput, o.MaxReply)
	if cfg.Tick == 0 {
		cfg.Tick = defaultTick
	}
	if o.AppendOnly != "" && o.Fsync == FsyncAlways && cfg.Wait == (api.Strategy{}) && (cfg.Variant == reactor.Single || cfg.Variant == reactor.Multi) {
		// Replies wait for the goroutine that writes, and a thread that blocks in the kernel gives it its processor too late.
		cfg.Wait = api.Park()
	}
}
