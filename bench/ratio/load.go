package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/sluiceio/sluice/backend"
	_ "github.com/sluiceio/sluice/backend/all"
	"github.com/sluiceio/sluice/internal/echo"
)

// loadEnv tells the program, started by itself, that it is the load; it holds a loadSpec.
const loadEnv = "SLUICE_RATIO_LOAD"

// loadSpec is what the load gets, as JSON.
type loadSpec struct {
	Addr             netip.AddrPort
	Conns, Size      int
	Duration, Warmup time.Duration
	Client           string
}

// loadResult is what the load prints, as JSON.
type loadResult struct {
	RoundTrips uint64        // that were measured
	Elapsed    time.Duration // in this time
	Total      uint64        // and those before and after
	P50, P99   time.Duration
}

// loadMain is the load.
func loadMain(spec string) error {
	var s loadSpec
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return fmt.Errorf("%s: %w", loadEnv, err)
	}
	e, err := backend.Open(s.Client, echo.ClientOptions(s.Conns))
	if err != nil {
		return err
	}
	var h histogram
	c := echo.Client{Engine: e, Addr: s.Addr, Conns: s.Conns, Size: s.Size, Warmup: s.Warmup, Duration: s.Duration, Record: h.add}
	r, err := c.Run(context.Background())
	if err = errors.Join(err, e.Close()); err != nil {
		return err
	}
	if r.Errors > 0 {
		return fmt.Errorf("%d connections failed, the first with: %w", r.Errors, r.First)
	}
	if r.RoundTrips == 0 {
		return errors.New("not one message came back in time")
	}
	return json.NewEncoder(os.Stdout).Encode(loadResult{r.RoundTrips, r.Elapsed, r.Total, h.percentile(50), h.percentile(99)})
}

// histogram counts durations by the microsecond, up to a second; what is longer counts as that.
type histogram struct {
	n     uint64
	count [1_000_001]uint64
}

func (h *histogram) add(d time.Duration) {
	h.count[min(max(d.Microseconds(), 0), int64(len(h.count)-1))]++
	h.n++
}

// percentile is the smallest duration that p of a hundred do not exceed.
func (h *histogram) percentile(p uint64) time.Duration {
	var seen uint64
	for us, n := range h.count {
		if seen += n; n > 0 && seen*100 >= h.n*p {
			return time.Duration(us) * time.Microsecond
		}
	}
	return 0
}
