// Command ratio compares two TCP echo servers side by side, on Linux:
//
//	go run ./bench/ratio [flags] A B
//
// A and B are command lines, split at spaces, in which {addr} stands for the host:port to listen on and {port} for
// the port alone. They should name binaries: what "go run" starts would outlive it. The two run in turn, A B A B …, so
// that what disturbs the machine disturbs both. Each server is pinned to some CPUs, with GOMAXPROCS
// set to how many they are, and the load, a process of its own, to others. The load is a closed loop: each connection has
// one message in flight, and every byte that comes back is compared.
//
// With -idle it compares what memory connections take on which nothing happens.
//
// It prints the medians of each, and of the ratios of the pairs. It fails when a server does not
// start or any byte is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// settings are what the flags say.
type settings struct {
	conns, size, reps      int
	idle                   int
	duration, warmup       time.Duration
	serverCPUs, clientCPUs []int
	client                 string
	commands               [2]string
}

func main() {
	if spec := os.Getenv(loadEnv); spec != "" {
		exit(loadMain(spec))
	}
	s, err := parse(os.Args[1:])
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "ratio:", err)
		}
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if s.idle > 0 {
		exit(compareIdle(ctx, s, os.Stdout))
	}
	exit(compare(ctx, s, os.Stdout))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "ratio:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func parse(args []string) (*settings, error) {
	s := &settings{}
	s.serverCPUs, s.clientCPUs = defaultCPUs()
	f := flag.NewFlagSet("ratio", flag.ContinueOnError)
	f.IntVar(&s.conns, "conns", 64, "connections")
	f.IntVar(&s.idle, "idle", 0, "compare the memory of so many idle connections, which have sent one message before if size is not 0")
	f.IntVar(&s.size, "size", 64, "bytes of a message")
	f.IntVar(&s.reps, "reps", 5, "how often to run each")
	f.DurationVar(&s.duration, "duration", 2*time.Second, "how long to measure each time")
	f.DurationVar(&s.warmup, "warmup", 300*time.Millisecond, "how long to load before")
	f.StringVar(&s.client, "client", "auto", "backend of the load; the same for both")
	f.Var((*cpuList)(&s.serverCPUs), "server-cpus", "CPUs of the servers, as 0,2")
	f.Var((*cpuList)(&s.clientCPUs), "client-cpus", "CPUs of the load")
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "usage: ratio [flags] A B\nA and B are commands with {addr} or {port} in them. Flags:")
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() != 2 {
		return nil, fmt.Errorf("%d commands, want two: A and B, in quotes", f.NArg())
	}
	if s.conns < 1 || s.size < 0 || s.size == 0 && s.idle == 0 || s.idle < 0 || s.reps < 1 || s.duration <= 0 || s.warmup < 0 {
		return nil, errors.New("conns, size, reps and duration must be positive, and warmup and idle not negative; size may be 0 with idle")
	}
	for i, c := range f.Args() {
		if len(strings.Fields(c)) == 0 {
			return nil, errors.New("an empty command")
		}
		s.commands[i] = c
	}
	return s, nil
}

// cpusMax is how many CPUs the set of golang.org/x/sys/unix has room for.
const cpusMax = 1024

// cpuList is a flag: numbers of CPUs, separated by commas.
type cpuList []int

func (l *cpuList) String() string {
	var s []string
	for _, n := range *l {
		s = append(s, strconv.Itoa(n))
	}
	return strings.Join(s, ",")
}

func (l *cpuList) Set(text string) error {
	var list []int
	for _, t := range strings.Split(text, ",") {
		n, err := strconv.Atoi(t)
		if err != nil || n < 0 || n >= cpusMax {
			return fmt.Errorf("%q is no CPU", t)
		}
		list = append(list, n)
	}
	*l = list
	return nil
}
