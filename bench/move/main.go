// Command move compares ways to move bytes from one socket to another, as a proxy does, and from a file to a socket, on Linux:
//
//	go run ./bench/move [flags] WORK WAY...
//
// The ways run in turn, each in a process of its own on one CPU, with the load on another. What counts is the CPU time of that process for each MiB, in
// user space and in the kernel, since it tells the same on a machine that others use. It prints the medians, and of the ratios to the first way of the same turn.
//
// A work is forward:SIZE, messages of that size to and fro, one at a time; bulk:SIZE, messages one way, as fast as they go; or file:SIZE, a file
// of that size from the page cache, one at a time. Ways:
//
//	reactor/BACKEND        reactor.Conn's Forward and SendFile; reactor:SIZE for another Config.WriteHigh
//	nosplice/BACKEND       the same with Config.NoSplice
//	splice:SIZE/BACKEND    api.Splice in a bare loop, by way of a pipe of that size
//	copy:SIZE/BACKEND      api.Recv or api.Read, and api.Send, in a bare loop, with a buffer of that size
//	net                    Go's net, by splice(2) and sendfile(2)
//	netcopy:SIZE           Go's net, with a buffer of that size
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings are what the flags say.
type settings struct {
	reps     int
	duration time.Duration
	warmup   time.Duration
	work     work
	ways     []way
}

// work is what is to be moved.
type work struct {
	Kind string // forward, bulk, file
	Size int
}

// way is how.
type way struct {
	Name    string // as given
	Kind    string // reactor, nosplice, splice, copy, net, netcopy
	Size    int    // of the pipe or buffer, or WriteHigh
	Backend string
}

// result is one run of one way.
type result struct {
	cpu  float64 // µs for each MiB
	rate float64 // MiB/s
}

func main() {
	if spec := os.Getenv(serverEnv); spec != "" {
		exit(serverMain(spec))
	}
	s, err := parse(os.Args[1:])
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "move:", err)
		}
		os.Exit(2)
	}
	exit(compare(s))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "move:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func parse(args []string) (*settings, error) {
	s := &settings{}
	f := flag.NewFlagSet("move", flag.ContinueOnError)
	f.IntVar(&s.reps, "reps", 5, "how often to run each")
	f.DurationVar(&s.duration, "duration", time.Second, "how long to measure each time")
	f.DurationVar(&s.warmup, "warmup", 200*time.Millisecond, "how long to load before")
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "usage: move [flags] forward:SIZE|bulk:SIZE|file:SIZE WAY...\nFlags:")
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() < 2 || s.reps < 1 || s.duration <= 0 || s.warmup < 0 {
		return nil, errors.New("a work and one way at least; reps and duration must be positive, and warmup not negative")
	}
	kind, size, err := sized(f.Arg(0))
	if err != nil || size == 0 || !slices.Contains([]string{"forward", "bulk", "file"}, kind) {
		return nil, fmt.Errorf("%q is no work, as forward:64, bulk:1m or file:64k are", f.Arg(0))
	}
	s.work = work{kind, size}
	for _, a := range f.Args()[1:] {
		w, err := parseWay(a)
		if err != nil {
			return nil, err
		}
		s.ways = append(s.ways, w)
	}
	return s, nil
}

func parseWay(arg string) (way, error) {
	name, backend, onEngine := strings.Cut(arg, "/")
	kind, size, err := sized(name)
	w := way{arg, kind, size, backend}
	ok := false
	switch kind {
	case "reactor", "nosplice":
		ok = onEngine
	case "splice", "copy":
		ok = onEngine && size > 0
	case "net":
		ok = !onEngine && size == 0
	case "netcopy":
		ok = !onEngine && size > 0
	}
	if err != nil || !ok {
		return w, fmt.Errorf("%q is no way", arg)
	}
	return w, nil
}

// sized takes NAME or NAME:SIZE apart.
func sized(s string) (name string, size int, err error) {
	name, text, ok := strings.Cut(s, ":")
	if !ok {
		return name, 0, nil
	}
	digits := strings.TrimRight(text, "km")
	size, err = strconv.Atoi(digits)
	switch text[len(digits):] {
	case "":
	case "k":
		size <<= 10
	case "m":
		size <<= 20
	default:
		err = strconv.ErrSyntax
	}
	if err == nil && size < 1 {
		err = strconv.ErrRange
	}
	return name, size, err
}

// compare runs all ways in turn, and prints what came out.
func compare(s *settings) error {
	all := make([][]result, len(s.ways))
	for range s.reps {
		for i := range s.ways {
			r, err := measure(s, &s.ways[i])
			if err != nil {
				return fmt.Errorf("%s: %w", s.ways[i].Name, err)
			}
			all[i] = append(all[i], r)
		}
	}
	fmt.Printf("%s:%d, %d runs of %v\n%-24s %12s %10s %12s %17s\n", s.work.Kind, s.work.Size, s.reps, s.duration, "way", "CPU µs/MiB", "ratio", "MiB/s", "ratios of CPU")
	for i, runs := range all {
		var cpu, rate, ratio []float64
		for n, r := range runs {
			cpu, rate, ratio = append(cpu, r.cpu), append(rate, r.rate), append(ratio, r.cpu/all[0][n].cpu)
		}
		fmt.Printf("%-24s %12.1f %10.3f %12.1f %8.3f–%.3f\n", s.ways[i].Name, median(cpu), median(ratio), median(rate), slices.Min(ratio), slices.Max(ratio))
	}
	return nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
