package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/sluiceio/sluice/api"
)

// The phases of a run. The jobs look at it once in each turn.
const (
	phaseWarm uint32 = iota
	phaseMeasure
	phaseStop  // the measurement is over: what was written is verified
	phaseAbort // nothing more is begun
)

// fileRun is one measurement.
type fileRun struct {
	*benchFileCmd
	engine string
	file   *fileTarget
	jobs   []*fileJob

	phase    atomic.Uint32
	from, to meters
	began    bool // from is set
	early    bool // it was interrupted
}

// meters is what was counted by one instant.
type meters struct {
	at           api.Instant
	ops          uint64
	enters       uint64
	user, system time.Duration
}

func (r *fileRun) read() meters {
	var m meters
	for _, j := range r.jobs {
		ops := j.count.Load()
		m.ops += ops
		m.enters += j.enters(ops)
	}
	m.user, m.system = cpuTimes()
	m.at = api.Now()
	return m
}

// run measures. When it returns, no job is at work any more.
func (r *fileRun) run(ctx context.Context) error {
	n := r.benchFileCmd.jobs
	ready, begin, ended := make(chan struct{}, n), make(chan struct{}), make(chan error, n)
	defer r.free()
	for i := range n {
		j, err := newFileJob(r, i)
		if err != nil {
			return err
		}
		r.jobs = append(r.jobs, j)
	}
	defer context.AfterFunc(ctx, func() { r.phase.Store(phaseAbort) })()
	for _, j := range r.jobs {
		go func() {
			ended <- j.run(func() {
				ready <- struct{}{}
				<-begin
			})
		}()
	}
	var errs []error
	for range n {
		select {
		case <-ready:
		case err := <-ended: // it could not begin
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		r.phase.Store(phaseAbort)
	}
	close(begin)
	if len(errs) == 0 {
		errs = r.watch(ctx, ended)
	}
	if len(errs) > 0 {
		r.phase.Store(phaseAbort)
	} else {
		r.phase.CompareAndSwap(phaseMeasure, phaseStop)
	}
	for len(errs) < n {
		err := <-ended
		if errs = append(errs, err); err != nil {
			r.phase.Store(phaseAbort) // the others need not go on
		}
	}
	r.early = ctx.Err() != nil
	return errors.Join(errs...)
}

// free frees the memory of the jobs, which nobody uses any more.
func (r *fileRun) free() {
	for _, j := range r.jobs {
		freePages(j.mem)
	}
}

// watch reads the meters when the measurement begins and when it ends, and says which jobs have ended early.
func (r *fileRun) watch(ctx context.Context, ended <-chan error) []error {
	warm := min(warmupMax, r.duration/10)
	for _, step := range []struct {
		wait time.Duration
		then func()
	}{
		{warm, func() { r.from, r.began = r.read(), true; r.phase.CompareAndSwap(phaseWarm, phaseMeasure) }},
		{r.duration, func() { r.to = r.read() }},
	} {
		t := time.NewTimer(step.wait)
		select {
		case <-t.C:
			step.then()
		case <-ctx.Done():
			t.Stop()
			r.to = r.read()
			return nil
		case err := <-ended:
			t.Stop()
			r.to = r.read()
			return []error{err}
		}
	}
	return nil
}

func (r *fileRun) result() *fileResult {
	b := r.benchFileCmd
	res := &fileResult{
		Backend: r.engine, Path: b.path, RW: b.rw, BlockSize: int64(b.bs), Size: r.file.size, Depth: b.depth, Batch: b.batch, Jobs: b.jobs,
		Direct: b.direct, Files: b.registered, Buffers: b.fixed, Interrupted: r.early, duration: b.duration,
	}
	hist := newFileHistogram()
	for _, j := range r.jobs {
		hist.Merge(j.hist)
		res.Verified += j.verified
	}
	if !r.began {
		return res
	}
	ops := r.to.ops - r.from.ops
	res.Seconds, res.Operations = r.to.at.Sub(r.from.at).Seconds(), ops
	res.IOPS = float64(ops) / res.Seconds
	res.Bandwidth = res.IOPS * float64(b.bs)
	if ops == 0 || hist.TotalCount() == 0 {
		return res
	}
	micros := func(ns float64) *float64 { ns /= 1e3; return &ns }
	per := func(d time.Duration) *float64 { return micros(float64(d) / float64(ops)) }
	res.Mean = micros(hist.Mean())
	for q, p := range map[float64]**float64{50: &res.P50, 90: &res.P90, 99: &res.P99, 99.9: &res.P999, 100: &res.Max} {
		*p = micros(float64(hist.ValueAtQuantile(q)))
	}
	if r.to.user+r.to.system > 0 {
		res.UserMicros, res.SystemMicros = per(r.to.user-r.from.user), per(r.to.system-r.from.system)
		total := *res.UserMicros + *res.SystemMicros
		res.CPUMicros = &total
	}
	entries := float64(r.to.enters-r.from.enters) / float64(ops)
	res.Entries = &entries
	return res
}

// newFileHistogram is for latencies from 100 ns to a minute, with three digits.
func newFileHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(100, time.Minute.Nanoseconds(), 3)
}
