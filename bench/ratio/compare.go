package main

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// run is what one run of a server has shown.
type run struct {
	rate float64 // round trips per second
	cpu  float64 // of the server per round trip, in microseconds
	p50  float64 // microseconds
	p99  float64

	threads float64 // the most that the server had at a time
	peak    float64 // its resident memory at most, in MiB
}

// size are what a server takes, in the order in which it is printed.
func (r run) size() [4]float64 { return [4]float64{r.threads, r.peak} }

// figures are the numbers of a run, in the order in which they are printed.
func (r run) figures() [4]float64 { return [4]float64{r.rate, r.cpu, r.p50, r.p99} }

// compare runs both servers in turn and prints what comes out.
func compare(ctx context.Context, s *settings, out io.Writer) error {
	var runs [2][]run
	for range s.reps {
		for i, command := range s.commands {
			r, err := measure(ctx, s, command)
			if err != nil {
				return fmt.Errorf("%c: %w", 'A'+i, err)
			}
			runs[i] = append(runs[i], r)
		}
	}
	for i, command := range s.commands {
		m := medians(runs[i], run.figures)
		rates := column(runs[i], func(r run) float64 { return r.rate })
		size := medians(runs[i], run.size)
		fmt.Fprintf(out, "%c  %9.0f rtt/s  %6.2f us cpu/rtt  p50 %6.0f us  p99 %6.0f us  %5.0f threads  peak %6.1f MiB  spread %.0f..%.0f  %s\n",
			'A'+i, m[0], m[1], m[2], m[3], size[0], size[1], slices.Min(rates), slices.Max(rates), command)
	}
	p := pairs(runs[0], runs[1])
	fmt.Fprintf(out, "A/B, median of %d pairs: throughput %.3f  cpu/rtt %.3f  p50 %.3f  p99 %.3f\n", s.reps, p[0], p[1], p[2], p[3])
	return nil
}

// pairs are the medians of the ratios of a[i] to b[i]: neighbours in time.
func pairs(a, b []run) [4]float64 {
	ratios := make([][4]float64, len(a))
	for i := range a {
		x, y := a[i].figures(), b[i].figures()
		for k := range x {
			ratios[i][k] = x[k] / y[k]
		}
	}
	return medians(ratios, func(r [4]float64) [4]float64 { return r })
}

func medians[T any](list []T, figures func(T) [4]float64) (m [4]float64) {
	for k := range m {
		m[k] = median(column(list, func(t T) float64 { return figures(t)[k] }))
	}
	return m
}

func column[T any](list []T, of func(T) float64) []float64 {
	c := make([]float64, len(list))
	for i := range list {
		c[i] = of(list[i])
	}
	return c
}

// median sorts v, which is not empty.
func median(v []float64) float64 {
	slices.Sort(v)
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}
