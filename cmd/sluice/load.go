package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/internal/echo"
)

// warmupMax is how long a load runs before it is measured, unless it is short.
const warmupMax = 300 * time.Millisecond

// loadEcho is the command load echo.
type loadEcho struct {
	addr        string
	backend     *backend.Value
	wait        *waitValue
	conns, size int
	duration    time.Duration
	json        bool
}

func newLoadEcho() *cobra.Command {
	l := &loadEcho{wait: newWait()}
	cmd := &cobra.Command{
		Use:   "echo",
		Short: "Load a TCP echo server and check what comes back",
		Long: `Load a TCP echo server: each connection has one message in flight, sends the next when the answer is
there, and compares every byte. The exit status is 1 when anything was wrong.

The first moments are not measured: 300 ms, or a tenth of the duration if that is less. After SIGINT or SIGTERM it
reports what it has measured until then, and says that it was interrupted.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return l.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	l.backend = backendFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&l.addr, "addr", defaultAddr, "connect to `HOST:PORT`")
	f.Var(l.wait, "wait", waitUsage)
	f.IntVar(&l.conns, "conns", 64, "connections")
	f.IntVar(&l.size, "size", 64, "`bytes` of a message")
	f.DurationVar(&l.duration, "duration", 5*time.Second, "how long to measure")
	f.BoolVar(&l.json, "json", false, "print the result as JSON")
	return cmd
}

func (l *loadEcho) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := checkLoad(l.conns, l.size); err != nil {
		return err
	}
	if err := checkDuration("duration", l.duration, time.Millisecond); err != nil {
		return err
	}
	addr, err := resolve("addr", l.addr)
	if err != nil {
		return err
	}
	ld := &load{
		addr: addr, backend: string(*l.backend), strategy: l.wait.strategy,
		conns: l.conns, size: l.size, duration: l.duration,
	}
	progress, done := progressLine(stderr, l.duration)
	ld.progress = progress
	res, err := ld.run(ctx)
	done()
	if err != nil {
		return err
	}
	if err := res.print(stdout, l.json); err != nil {
		return err
	}
	if res.Errors > 0 {
		return fmt.Errorf("%d of %d connections failed, the first: %s", res.Errors, res.Conns, res.First)
	}
	return nil
}

// progressLine makes what shows the progress on a terminal, nil where there is none, and what takes it away.
func progressLine(w io.Writer, total time.Duration) (show func(echo.Result), done func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, func() {}
	}
	bar := progressbar.NewOptions64(total.Milliseconds(), progressbar.OptionSetWriter(f), progressbar.OptionSetWidth(30),
		progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false))
	// A terminal that is gone is no reason to stop: the errors of bar are let pass.
	show = func(r echo.Result) {
		if s := r.Elapsed.Seconds(); s > 0 {
			bar.Describe(fmt.Sprintf("%.0f round trips/s", float64(r.RoundTrips)/s))
		}
		_ = bar.Set64(min(r.Elapsed.Milliseconds(), total.Milliseconds()-1))
	}
	return show, func() { _ = bar.Clear() }
}

// load is one measurement.
type load struct {
	addr        netip.AddrPort
	backend     string
	strategy    api.Strategy
	conns, size int
	duration    time.Duration
	progress    func(echo.Result)
}

// measured is what came of it.
type measured struct {
	Conns      int     `json:"conns"`
	Size       int     `json:"size"`
	Seconds    float64 `json:"seconds"`
	RoundTrips uint64  `json:"round_trips"`
	PerSecond  float64 `json:"rtt_per_s"`
	// The latencies are nil, or null, when no round trip was measured.
	P50    *float64 `json:"p50_us"`
	P90    *float64 `json:"p90_us"`
	P99    *float64 `json:"p99_us"`
	P999   *float64 `json:"p999_us"`
	Max    *float64 `json:"max_us"`
	Errors uint64   `json:"errors"`
	First  string   `json:"first_error,omitempty"`

	total uint64 // round trips, also the ones that were not measured
}

// loadResult is what load reports.
type loadResult struct {
	Backend string `json:"backend"`
	measured
	// Interrupted says that the measurement ended before its time; with no Seconds, before it began.
	Interrupted bool `json:"interrupted"`

	duration time.Duration // that it should have taken
}

func (l *load) run(ctx context.Context) (res *loadResult, err error) {
	opt := echo.ClientOptions(l.conns)
	opt.Strategy = l.strategy
	engine, err := backend.Open(l.backend, opt)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := engine.Close(); cerr != nil {
			res, err = nil, errors.Join(err, cerr)
		}
	}()
	// From 100 ns to a minute, with three digits.
	hist := hdrhistogram.New(100, time.Minute.Nanoseconds(), 3)
	c := &echo.Client{
		Engine: engine, Addr: l.addr, Conns: l.conns, Size: l.size,
		Warmup: min(warmupMax, l.duration/10), Duration: l.duration, Progress: l.progress,
		Record: func(d time.Duration) {
			_ = hist.RecordValue(min(d, time.Minute).Nanoseconds()) // in range
		},
	}
	r, err := c.Run(ctx)
	if err != nil {
		return nil, err
	}
	micros := func(q float64) *float64 {
		if hist.TotalCount() == 0 {
			return nil
		}
		us := float64(hist.ValueAtQuantile(q)) / 1e3
		return &us
	}
	res = &loadResult{
		Backend: engine.Name(),
		measured: measured{
			Conns: l.conns, Size: l.size,
			Seconds: r.Elapsed.Seconds(), RoundTrips: r.RoundTrips, Errors: r.Errors, total: r.Total,
			P50: micros(50), P90: micros(90), P99: micros(99), P999: micros(99.9), Max: micros(100),
		},
		Interrupted: ctx.Err() != nil && r.Elapsed < l.duration,
		duration:    l.duration,
	}
	if res.Seconds > 0 {
		res.PerSecond = float64(r.RoundTrips) / res.Seconds
	}
	if r.First != nil {
		res.First = r.First.Error()
	}
	return res, nil
}

func (r *loadResult) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	perSecond, latency := notMeasured, notMeasured
	if r.Seconds > 0 {
		perSecond = fmt.Sprintf("%.0f/s", r.PerSecond)
	}
	if r.P50 != nil {
		latency = fmt.Sprintf("p50 %s  p90 %s  p99 %s  p99.9 %s  max %s µs",
			tenths(r.P50), tenths(r.P90), tenths(r.P99), tenths(r.P999), tenths(r.Max))
	}
	_, err := fmt.Fprintf(w, `load         %d connections, %d bytes, %.2f s, on %s
round trips  %d, %s
latency      %s
errors       %d
`, r.Conns, r.Size, r.Seconds, r.Backend, r.RoundTrips, perSecond, latency, r.Errors)
	if err != nil || !r.Interrupted {
		return err
	}
	if r.Seconds == 0 {
		_, err = fmt.Fprintln(w, "interrupted  before the measurement had begun")
	} else {
		_, err = fmt.Fprintf(w, "interrupted  after %.2f s of %v\n", r.Seconds, r.duration)
	}
	return err
}

const notMeasured = "n/a"

// tenths prints a figure, if it was measured.
func tenths(f *float64) string {
	if f == nil {
		return notMeasured
	}
	return fmt.Sprintf("%.1f", *f)
}
