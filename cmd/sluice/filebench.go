package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
)

const (
	// psyncName is the baseline that is no backend: one goroutine per job, one pread(2) or pwrite(2) after the other.
	psyncName = "psync"

	// depthMax is how many registered buffers an engine can have.
	depthMax = 1 << 14
	// sectorSize is the least that a block can be: direct IO knows nothing smaller.
	sectorSize = 512
	// blockMax keeps the memory of a typing error in bounds.
	blockMax = 1 << 30
)

// benchFileCmd is the command bench file.
type benchFileCmd struct {
	path       string
	rw         string
	bs         sizeValue
	size       sizeValue // 0: all of the file
	depth      int
	batch      int
	batchWait  time.Duration
	jobs       int
	workers    int
	direct     bool
	fixed      bool
	registered bool // files
	verify     bool
	overwrite  bool
	backend    fileBackend
	wait       *waitValue
	duration   time.Duration
	json       bool
}

// fileBackend is a backend, or the baseline.
type fileBackend struct {
	backend.Value
	psync bool
}

// Set checks and stores the name.
func (b *fileBackend) Set(name string) error {
	if b.psync = name == psyncName; b.psync {
		b.Value = psyncName
		return nil
	}
	return orBaseline(b.Value.Set(name), psyncName, true)
}

// The ways to go through a file.
var patterns = []string{"read", "write", "randread", "randwrite"}

func (b *benchFileCmd) random() bool { return strings.HasPrefix(b.rw, "rand") }
func (b *benchFileCmd) writes() bool { return strings.HasSuffix(b.rw, "write") }

func newFileBench() *cobra.Command {
	b := &benchFileCmd{bs: 4096, wait: newWait(), backend: fileBackend{Value: backend.Auto}}
	cmd := &cobra.Command{
		Use:   "file",
		Short: "Measure reads or writes of a file",
		Long: `Read or write blocks of a file or block device, --depth of them in flight per job, and print operations per second,
latencies, the CPU time of the whole process per operation, and system calls per operation. The first moments are not
measured: 300 ms, or a tenth of the duration if that is less.

A file that is not there is made, with --size, and stays there afterwards. What is there already is written to only with
--overwrite. Each job has an engine and a part of the file of its own, and begins at its beginning.

--verify checks what comes back. Writing, each block gets a header with its position, how often it has been written, and
a checksum, and in the end all that was written is read again and compared. Reading, every block must have such a
header: the file must be one that bench file has made, or written with --verify. The first wrong block ends it, with exit status 1.

--fixed is the fastest way: buffers registered with the engine, and the file too. --backend psync is the
baseline without an engine, one thread per job and one operation at a time.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return b.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&b.path, "path", "", "the `file` (required)")
	f.StringVar(&b.rw, "rw", "randread", strings.Join(patterns, ", "))
	f.Var(&b.bs, "bs", "size of a block, a multiple of 512")
	f.Var(&b.size, "size", "how much of the file is used, and how large it is made when it is not there (default: all of it)")
	f.IntVar(&b.depth, "depth", 64, "operations in flight per job")
	f.IntVar(&b.batch, "batch", 1, "completions to wait for at a time")
	f.DurationVar(&b.batchWait, "batch-wait", 0, "how long to wait for --batch completions before one is enough (default: for ever)")
	f.IntVar(&b.jobs, "jobs", 1, "how many goroutines work, each with an engine of its own")
	f.IntVar(&b.workers, "workers", 0, "threads per engine for what may block (default: the engine's)")
	f.BoolVar(&b.direct, "direct", false, "go around the page cache (O_DIRECT)")
	f.BoolVar(&b.registered, "registered-files", false, "register the file with the engine")
	f.BoolVar(&b.fixed, "fixed", false, "register the buffers with the engine, and the file")
	f.BoolVar(&b.verify, "verify", false, "check what is read, and read again what has been written")
	f.BoolVar(&b.overwrite, "overwrite", false, "write to a file that is there already")
	f.Var(&b.backend, backend.FlagName, backend.FlagUsage+", or the baseline psync")
	f.Var(b.wait, "wait", waitUsage)
	f.DurationVar(&b.duration, "duration", 5*time.Second, "how long to measure")
	f.BoolVar(&b.json, "json", false, "print the result as JSON")
	return cmd
}

// check checks the flags, as far as that can be done without the file.
func (b *benchFileCmd) check() error {
	switch {
	case b.path == "":
		return usagef("--path is missing: the file to work on")
	case !slices.Contains(patterns, b.rw):
		return usagef("--rw must be one of %s, not %q", strings.Join(patterns, ", "), b.rw)
	case b.bs < sectorSize || b.bs > blockMax || b.bs%sectorSize != 0:
		return usagef("--bs must be a multiple of %d, up to 1g, not %d", sectorSize, b.bs)
	case b.size < 0 || b.size%b.bs != 0:
		return usagef("--size must be a multiple of --bs, which is %d, not %d", b.bs, b.size)
	}
	if b.backend.psync {
		switch {
		case b.fixed:
			return usagef("--fixed: %s has no engine to register buffers with", psyncName)
		case b.registered:
			return usagef("--registered-files: %s has no engine to register files with", psyncName)
		}
		b.depth, b.batch = 1, 1
	}
	for _, c := range []struct {
		flag      string
		n, lo, hi int
	}{
		{"depth", b.depth, 1, depthMax},
		{"batch", b.batch, 1, b.depth},
		{"jobs", b.jobs, 1, loopsMax},
		{"workers", b.workers, 0, api.MaxWorkers},
	} {
		if err := checkRange(c.flag, c.n, c.lo, c.hi); err != nil {
			return err
		}
	}
	if b.batchWait < 0 || b.batchWait > time.Second {
		return usagef("--batch-wait must be from 0s to 1s, not %v", b.batchWait)
	}
	if need := int64(b.jobs) * int64(b.depth) * int64(b.bs); need > memoryMax {
		return usagef("%d jobs with %d buffers of %d bytes need 2 GiB or more of memory", b.jobs, b.depth, b.bs)
	}
	if b.direct && directFlag == 0 {
		return usagef("--direct: this system has no direct IO")
	}
	b.registered = b.registered || b.fixed
	return checkDuration("duration", b.duration, 10*time.Millisecond)
}

func (b *benchFileCmd) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := b.check(); err != nil {
		return err
	}
	name := psyncName
	if !b.backend.psync {
		var err error
		if name, err = chooseBackend(string(b.backend.Value), b.options(), stderr); err != nil {
			return err
		}
	}
	file, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer file.close()
	r := &fileRun{benchFileCmd: b, engine: name, file: file}
	if err := r.run(ctx); err != nil {
		return err
	}
	if b.json {
		return json.NewEncoder(stdout).Encode(r.result())
	}
	return r.result().print(stdout)
}

// options are those of the engines.
func (b *benchFileCmd) options() *api.Options {
	return &api.Options{
		Strategy: b.wait.strategy, MaxInFlight: max(b.depth, 16), Entries: max(b.depth, api.DefaultEntries), Workers: b.workers,
	}
}

// fileResult is what bench file reports.
type fileResult struct {
	Backend    string  `json:"backend"`
	Path       string  `json:"path"`
	RW         string  `json:"rw"`
	BlockSize  int64   `json:"bs"`
	Size       int64   `json:"size"`
	Depth      int     `json:"depth"`
	Batch      int     `json:"batch"`
	Jobs       int     `json:"jobs"`
	Direct     bool    `json:"direct"`
	Files      bool    `json:"registered_files"`
	Buffers    bool    `json:"registered_buffers"`
	Seconds    float64 `json:"seconds"`
	Operations uint64  `json:"operations"`
	IOPS       float64 `json:"iops"`
	Bandwidth  float64 `json:"bytes_per_s"`
	// The latencies are from Submit until Complete has returned. They are nil, or null, when nothing was measured.
	Mean *float64 `json:"mean_us"`
	P50  *float64 `json:"p50_us"`
	P90  *float64 `json:"p90_us"`
	P99  *float64 `json:"p99_us"`
	P999 *float64 `json:"p999_us"`
	Max  *float64 `json:"max_us"`
	// CPU time and system calls per operation; of the whole process. Null when they are not known.
	UserMicros   *float64 `json:"cpu_user_us_per_op"`
	SystemMicros *float64 `json:"cpu_system_us_per_op"`
	CPUMicros    *float64 `json:"cpu_us_per_op"`
	Entries      *float64 `json:"entries_per_op"`
	// Verified is how many blocks were checked.
	Verified    uint64 `json:"verified"`
	Interrupted bool   `json:"interrupted"`

	duration time.Duration // that it should have taken
}

func (r *fileResult) print(w io.Writer) error {
	how := fmt.Sprintf("depth %d", r.Depth)
	if r.Batch > 1 {
		how += fmt.Sprintf(", %d at a time", r.Batch)
	}
	how += fmt.Sprintf(", %d job", r.Jobs)
	if r.Jobs > 1 {
		how += "s"
	}
	for _, c := range []struct {
		on   bool
		text string
	}{{r.Direct, "direct"}, {r.Files, "registered file"}, {r.Buffers, "registered buffers"}} {
		if c.on {
			how += ", " + c.text
		}
	}
	count, latency, cpu, entries := fmt.Sprint(r.Operations), notMeasured, notMeasured, notMeasured
	if r.Seconds > 0 {
		count += fmt.Sprintf(", %.0f/s, %.1f MiB/s", r.IOPS, r.Bandwidth/(1<<20))
	}
	if r.P50 != nil {
		latency = fmt.Sprintf("mean %s  p50 %s  p90 %s  p99 %s  p99.9 %s  max %s µs",
			tenths(r.Mean), tenths(r.P50), tenths(r.P90), tenths(r.P99), tenths(r.P999), tenths(r.Max))
	}
	if r.CPUMicros != nil {
		cpu = fmt.Sprintf("%.2f µs per operation: user %.2f, system %.2f", *r.CPUMicros, *r.UserMicros, *r.SystemMicros)
	}
	if r.Entries != nil {
		entries = fmt.Sprintf("%.3f per operation", *r.Entries)
	}
	_, err := fmt.Fprintf(w, `file         %s of %d bytes, %s, %.2f s, on %s
operations   %s
latency      %s
cpu          %s
enters       %s
verified     %d blocks
`, r.RW, r.BlockSize, how, r.Seconds, r.Backend, count, latency, cpu, entries, r.Verified)
	if err != nil || !r.Interrupted {
		return err
	}
	_, err = fmt.Fprintf(w, "interrupted  after %.2f s of %v\n", r.Seconds, r.duration)
	return err
}
