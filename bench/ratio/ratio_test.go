package main

import (
	"bytes"
	"context"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// serveEnv makes the test binary an echo server: "echo", or "lie" for one that changes what it sends back.
const serveEnv = "RATIO_TEST_SERVE"

func TestMain(m *testing.M) {
	if spec := os.Getenv(loadEnv); spec != "" {
		exit(loadMain(spec))
	}
	if how := os.Getenv(serveEnv); how != "" && len(os.Args) == 2 {
		exit(serve(os.Args[1], how == "lie"))
	}
	os.Exit(m.Run())
}

func serve(addr string, lie bool) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 4096)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				if lie {
					buf[n-1] ^= 1
				}
				if _, err := c.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func TestCompare(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it needs Linux: it pins processes to CPUs")
	}
	self, err := os.Executable()
	if err != nil || strings.Contains(self, " ") {
		t.Skip("the test binary has no name that can stand in a command: ", self, err)
	}
	s := &settings{
		conns: 4, size: 64, reps: 2, duration: 50 * time.Millisecond,
		client: "auto", commands: [2]string{self + " {addr}", self + " 127.0.0.1:{port}"},
	}
	s.serverCPUs, s.clientCPUs = defaultCPUs()
	t.Run("two servers", func(t *testing.T) {
		t.Setenv(serveEnv, "echo")
		var out bytes.Buffer
		if err := compare(context.Background(), s, &out); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"A  ", "B  ", "A/B, median of 2 pairs: throughput "} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, &out)
			}
		}
	})
	t.Run("idle", func(t *testing.T) {
		t.Setenv(serveEnv, "echo")
		many := *s
		many.idle = 100
		var out bytes.Buffer
		if err := compareIdle(context.Background(), &many, &out); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"A  100 idle connections: ", "B  100 idle connections: "} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, &out)
			}
		}
	})
	t.Run("wrong bytes", func(t *testing.T) {
		t.Setenv(serveEnv, "lie")
		if err := compare(context.Background(), s, io.Discard); err == nil || !strings.Contains(err.Error(), "something else") {
			t.Errorf("got %v, want the complaint of the client", err)
		}
	})
	t.Run("no server", func(t *testing.T) {
		bad := *s
		bad.commands[1] = self + " nonsense"
		t.Setenv(serveEnv, "echo")
		if err := compare(context.Background(), &bad, io.Discard); err == nil || !strings.Contains(err.Error(), "B: ") || !strings.Contains(err.Error(), "nonsense") {
			t.Errorf("got %v, want what the server said", err)
		}
	})
	t.Run("no such CPU", func(t *testing.T) {
		bad := *s
		bad.serverCPUs = []int{1023}
		if err := compare(context.Background(), &bad, io.Discard); err == nil || !strings.Contains(err.Error(), "CPU 1023") {
			t.Errorf("got %v, want a word on the CPU", err)
		}
	})
}

func TestPairs(t *testing.T) {
	a := []run{{100, 1, 10, 20, 1, 1}, {400, 2, 10, 20, 1, 1}, {90, 3, 10, 20, 1, 1}}
	b := []run{{50, 2, 10, 40, 1, 1}, {100, 2, 10, 10, 1, 1}, {90, 2, 10, 20, 1, 1}}
	if got, want := pairs(a, b), [4]float64{2, 1, 1, 1}; got != want {
		t.Errorf("pairs %v, want %v", got, want)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("median %v, want 2.5", got)
	}
}

func TestPercentile(t *testing.T) {
	var h histogram
	for i := range 100 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	h.add(math.MaxInt64)
	for p, want := range map[uint64]time.Duration{50: 51 * time.Microsecond, 99: 100 * time.Microsecond, 100: time.Second} {
		if got := h.percentile(p); got != want {
			t.Errorf("p%d is %v, want %v", p, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	s, err := parse([]string{"-server-cpus", "0,2", "--conns", "7", "a {addr}", "b"})
	if err != nil || s.conns != 7 || !slices.Equal(s.serverCPUs, []int{0, 2}) || s.commands != [2]string{"a {addr}", "b"} {
		t.Errorf("got %+v, %v", s, err)
	}
	for _, args := range [][]string{{"a"}, {"a", "b", "c"}, {"a", " "}, {"-conns", "0", "a", "b"}, {"-client-cpus", "x", "a", "b"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
