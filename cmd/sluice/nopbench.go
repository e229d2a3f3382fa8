package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
)

// nopBatches is how many batches lie between two looks at the clock.
const nopBatches = 64

// benchNopCmd is the command bench nop.
type benchNopCmd struct {
	backend  *backend.Value
	wait     *waitValue
	batch    int
	duration time.Duration
	json     bool
}

// nopResult is what bench nop reports.
type nopResult struct {
	Backend    string  `json:"backend"`
	Batch      int     `json:"batch"`
	Seconds    float64 `json:"seconds"`
	Operations uint64  `json:"operations"`
	PerSecond  float64 `json:"ops_per_s"`
	// CPUNanos is the CPU time of the process per operation, null where it is not known.
	CPUNanos    *float64 `json:"cpu_ns_per_op"`
	Entries     float64  `json:"entries_per_op"`
	Interrupted bool     `json:"interrupted"`
}

func newNopBench() *cobra.Command {
	b := &benchNopCmd{wait: newWait()}
	cmd := &cobra.Command{
		Use:   "nop",
		Short: "Measure what an operation costs that does nothing",
		Long: `Submit a batch of nops, reap them, check each, and do so again: the cost of the way through the engine and the kernel,
and of nothing else. bench/c/nop.c is the same on liburing, and bench/ratio_nop.sh compares the two.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return b.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	b.backend = backendFlag(cmd)
	f := cmd.Flags()
	f.Var(b.wait, "wait", waitUsage)
	f.IntVar(&b.batch, "batch", 32, "operations submitted at a time")
	f.DurationVar(&b.duration, "duration", 2*time.Second, "how long to measure")
	f.BoolVar(&b.json, "json", false, "print the result as JSON")
	return cmd
}

func (b *benchNopCmd) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := checkRange("batch", b.batch, 1, depthMax); err != nil {
		return err
	}
	if err := checkDuration("duration", b.duration, 10*time.Millisecond); err != nil {
		return err
	}
	opt := &api.Options{Strategy: b.wait.strategy, Entries: max(b.batch, api.DefaultEntries)}
	name, err := chooseBackend(string(*b.backend), opt, stderr)
	if err != nil {
		return err
	}
	e, err := backend.Open(name, opt)
	if err != nil {
		return err
	}
	r, err := b.measure(ctx, e)
	if err = errors.Join(err, e.Close()); err != nil {
		return err
	}
	if b.json {
		return json.NewEncoder(stdout).Encode(r)
	}
	cpu := notMeasured
	if r.CPUNanos != nil {
		cpu = fmt.Sprintf("%.1f ns per operation", *r.CPUNanos)
	}
	_, err = fmt.Fprintf(stdout, `nop          %d at a time, %.2f s, on %s
operations   %d, %.0f/s
cpu          %s
enters       %.4f per operation
`, r.Batch, r.Seconds, r.Backend, r.Operations, r.PerSecond, cpu, r.Entries)
	if err == nil && r.Interrupted {
		_, err = fmt.Fprintf(stdout, "interrupted  after %.2f s of %v\n", r.Seconds, b.duration)
	}
	return err
}

func (b *benchNopCmd) measure(ctx context.Context, e api.Engine) (*nopResult, error) {
	ops, done := make([]api.Op, b.batch), make([]api.Completion, b.batch)
	turn := func() error {
		for i := range ops {
			ops[i] = api.Nop(uint64(i))
		}
		if _, err := e.Submit(ops); err != nil {
			return err
		}
		for left := b.batch; left > 0; {
			n, err := e.Complete(done, api.Wait{Min: left})
			if err != nil {
				return err
			}
			for i := range done[:n] {
				if c := &done[i]; c.Res != 0 || c.Tag >= uint64(b.batch) {
					return fmt.Errorf("a nop gave %d: %w", c.Res, c.Err())
				}
			}
			left -= n
		}
		return nil
	}
	for range nopBatches { // to warm up
		if err := turn(); err != nil {
			return nil, err
		}
	}
	r := &nopResult{Backend: e.Name(), Batch: b.batch}
	user, system := cpuTimes()
	enters := e.Stats().Enters
	start := api.Now()
	end, now := start.Add(b.duration), start
	for now < end && !r.Interrupted {
		for range nopBatches {
			if err := turn(); err != nil {
				return nil, err
			}
		}
		r.Operations += uint64(nopBatches * b.batch)
		now = api.Now()
		r.Interrupted = ctx.Err() != nil
	}
	user2, system2 := cpuTimes()
	n := float64(r.Operations)
	r.Seconds = now.Sub(start).Seconds()
	r.PerSecond = n / r.Seconds
	r.Entries = float64(e.Stats().Enters-enters) / n
	if used := user2 - user + system2 - system; used > 0 {
		ns := float64(used) / n
		r.CPUNanos = &ns
	}
	return r, nil
}
