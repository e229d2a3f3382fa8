package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/internal/echo"
)

// benchCmd is the command bench.
type benchCmd struct {
	quick       bool
	backends    []string
	conns, size []int
	duration    time.Duration
	wait        *waitValue
	dir         string
	json        bool
}

// benchRow is one line of the table: one server under one load, and the files.
type benchRow struct {
	// Server is what was measured, and Client the backend that loaded it, the same in all rows.
	Server string `json:"server"`
	Client string `json:"client"`
	measured
	// CPUMicros is what the server used for one request, and Entries how often it entered the kernel; no
	// entries where they are not counted.
	CPUMicros float64  `json:"server_cpu_us_per_request"`
	Entries   *float64 `json:"server_entries_per_request"`
	// FileDepth1 and FileDepth32 are random reads per second of 4 KiB; only in the first row of a server.
	FileDepth1  float64 `json:"file_reads_per_s_depth_1,omitempty"`
	FileDepth32 float64 `json:"file_reads_per_s_depth_32,omitempty"`
}

func newBench() *cobra.Command {
	b := &benchCmd{wait: newWait()}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure every backend on this machine, in one table",
		Long: `Measure every backend that is available here, and Go's net as the baseline: start an echo server in a process of
its own and load it from this one, then read 4 KiB at random places of a temporary file of 64 MiB, which is in the page
cache. The baseline reads with ReadAt, from one goroutine and from 32.

The client that loads the servers is the same in all rows, whichever they are: the backend that auto chooses, which is
the one that SLUICE_BACKEND names, or else the best that is available. The line above the table names it.

--quick is one load, 64 connections × 64 bytes for 2 s, and takes less than half a minute. Without it there is a row for
each of 1, 64 and 512 connections with 64 and 4096 bytes.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := b.check(cmd); err != nil {
				return err
			}
			rows, err := b.run(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if b.json {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(rows)
			}
			return printBench(cmd.OutOrStdout(), rows)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&b.quick, "quick", false, "one load only")
	f.StringSliceVar(&b.backends, "backends", nil, "the servers to measure, of uring, epoll, poll, select and net (default: all that are available, and net)")
	f.IntSliceVar(&b.conns, "conns", []int{1, 64, 512}, "numbers of connections")
	f.IntSliceVar(&b.size, "size", []int{64, 4096}, "`bytes` of a message")
	f.DurationVar(&b.duration, "duration", 2*time.Second, "how long to measure each load")
	f.Var(b.wait, "wait", waitUsage)
	f.StringVar(&b.dir, "dir", "", "where to put the file (default: the system's directory for temporary files)")
	f.BoolVar(&b.json, "json", false, "print JSON")
	cmd.AddCommand(newFileBench(), newNopBench())
	return cmd
}

func (b *benchCmd) check(cmd *cobra.Command) error {
	if b.quick {
		for name, list := range map[string]*[]int{"conns": &b.conns, "size": &b.size} {
			if !cmd.Flags().Changed(name) {
				*list = []int{64}
			}
		}
	}
	if len(b.conns) == 0 || len(b.size) == 0 {
		return usagef("--conns and --size must not be empty")
	}
	for _, conns := range b.conns {
		for _, size := range b.size {
			if err := checkLoad(conns, size); err != nil {
				return err
			}
		}
	}
	for i, name := range b.backends {
		name = strings.TrimSpace(name)
		if b.backends[i] = name; name == netName {
			continue
		}
		_, err := backend.DefaultRegistry.Driver(name)
		if errors.As(err, new(*backend.NotLinkedError)) {
			return err // the name is right, the program is not
		}
		if err != nil {
			return usageError{orNet(err, false)}
		}
	}
	return checkDuration("duration", b.duration, 10*time.Millisecond)
}

func (b *benchCmd) run(ctx context.Context, stderr io.Writer) ([]benchRow, error) {
	// The client first: it may be that SLUICE_BACKEND is wrong. Options for the greatest load, so that no row
	// needs another client than the others. What was refused, and why, is told of the servers.
	client, err := chooseBackend(backend.Auto, echo.ClientOptions(slices.Max(b.conns)), io.Discard)
	if err != nil {
		return nil, err
	}
	servers := b.backends
	if len(servers) == 0 {
		for _, s := range backend.Probe() {
			if s.Available {
				servers = append(servers, s.Name)
				continue
			}
			reason, remedy := whyNot(s.Err)
			fmt.Fprintf(stderr, "sluice: %s is left out: %s (%s)\n", s.Name, reason, remedy)
		}
		servers = append(servers, netName)
	}
	file, err := newBenchFile(b.dir)
	if err != nil {
		return nil, err
	}
	defer file.remove()

	var rows []benchRow
	for _, server := range servers {
		first := len(rows)
		for _, size := range b.size {
			for _, conns := range b.conns {
				row, err := b.echo(ctx, server, client, conns, size, stderr)
				if ctx.Err() != nil {
					return nil, ctx.Err() // an error is of the server, which is gone
				}
				if err != nil {
					return nil, fmt.Errorf("echo server on %s: %w", server, err)
				}
				rows = append(rows, *row)
			}
		}
		for depth, rate := range map[int]*float64{1: &rows[first].FileDepth1, 32: &rows[first].FileDepth32} {
			if *rate, err = file.measure(ctx, server, depth); err != nil {
				return nil, fmt.Errorf("file reads on %s: %w", server, err)
			}
		}
	}
	return rows, ctx.Err()
}

// echo measures one server under one load.
func (b *benchCmd) echo(ctx context.Context, server, client string, conns, size int, stderr io.Writer) (*benchRow, error) {
	child, err := startServer(ctx, server, b.wait.text)
	if err != nil {
		return nil, err
	}
	defer child.kill()
	l := &load{addr: child.addr, backend: client, strategy: api.Block(), conns: conns, size: size, duration: b.duration}
	progress, done := progressLine(stderr, b.duration)
	l.progress = progress
	res, err := l.run(ctx)
	done()
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if res.Errors > 0 {
		return nil, fmt.Errorf("%d of %d connections failed, the first: %s", res.Errors, conns, res.First)
	}
	st, err := child.stop()
	if err != nil {
		return nil, err
	}
	row := &benchRow{Server: server, Client: res.Backend, measured: res.measured}
	if res.total > 0 {
		row.CPUMicros = float64(st.CPUMicros) / float64(res.total)
		if st.Echo != nil {
			entries := float64(st.Echo.Engine.Enters) / float64(res.total)
			row.Entries = &entries
		}
	}
	return row, nil
}

func printBench(w io.Writer, rows []benchRow) error {
	if len(rows) == 0 {
		return nil
	}
	several := slices.ContainsFunc(rows, func(r benchRow) bool { return r.Conns != rows[0].Conns || r.Size != rows[0].Size })
	one := ""
	if !several {
		one = fmt.Sprintf("%d connections, %d bytes, ", rows[0].Conns, rows[0].Size)
	}
	fmt.Fprintf(w, "echo: client on %s, %s%.1f s each; file: random reads of 4 KiB\n\n", rows[0].Client, one, rows[0].Seconds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	load := ""
	if several {
		load = "conns\tbytes\t"
	}
	fmt.Fprintf(t, "server\t%srtt/s\tp50 µs\tp99 µs\tcpu µs/req\tenters/req\tread/s qd1\tread/s qd32\t\n", load)
	for _, r := range rows {
		if several {
			load = fmt.Sprintf("%d\t%d\t", r.Conns, r.Size)
		}
		entries := "-"
		if r.Entries != nil {
			entries = fmt.Sprintf("%.2f", *r.Entries)
		}
		fmt.Fprintf(t, "%s\t%s%.0f\t%s\t%s\t%.2f\t%s\t%s\t%s\t\n", r.Server, load, r.PerSecond, tenths(r.P50), tenths(r.P99),
			r.CPUMicros, entries, rate(r.FileDepth1), rate(r.FileDepth32))
	}
	return t.Flush()
}

func rate(r float64) string {
	if r == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", r)
}
