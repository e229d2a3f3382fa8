package kv

import (
	"bytes"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/internal/tooltest"
	"github.com/sluiceio/sluice/reactor"
)

// hostPort are the arguments for the programs of Redis.
func hostPort(t *testing.T, addr string) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"-h", host, "-p", port}
}

// TestRedisCLI: redis-cli can be used with it, in both versions of the protocol, and for loading many commands at a time.
func TestRedisCLI(t *testing.T) {
	exe := tooltest.Find(t, "redis-cli")
	each(t, func(t *testing.T, cfg reactor.Config) {
		args := hostPort(t, start(t, Options{}, cfg).addr)
		for version, between := range map[string]string{"-2": "\n", "-3": " "} { // an array has a line for each value, a map for each two
			got := tooltest.Output(t, "FLUSHALL\nSET k \"a b\"\nGET k\nMGET k none\nINCR n\nDEL k n\nNOSUCH\nHELLO "+version[1:]+"\n", exe, append(args, version)...)
			for _, want := range []string{"OK\nOK\na b\na b\n\n1\n2\nERR unknown command 'NOSUCH'", "server" + between + "sluice\n", "proto" + between + version[1:] + "\n"} {
				if !strings.Contains(got, want) {
					t.Errorf("%s: %q, want %q in it", version, got, want)
				}
			}
		}
		var in bytes.Buffer
		for i := range 5000 {
			in.Write(wire("SET", fmt.Sprint("pipe", i), "v"))
		}
		if got := tooltest.Output(t, in.String(), exe, append(args, "--pipe")...); !strings.Contains(got, "errors: 0, replies: 5000") {
			t.Errorf("--pipe: %q", got)
		}
		if got := tooltest.Output(t, "", exe, append(args, "DBSIZE")...); got != "5000\n" {
			t.Errorf("DBSIZE: %q", got)
		}
	})
}

// TestRedisBenchmark: redis-benchmark runs to its end, with a pipeline and without, in memory and with a file.
func TestRedisBenchmark(t *testing.T) {
	exe := tooltest.Find(t, "redis-benchmark")
	each(t, func(t *testing.T, cfg reactor.Config) {
		for _, tc := range []struct {
			o        Options
			n, depth int
		}{
			{Options{}, 1000, 1},
			{Options{}, 4000, 16},
			{Options{AppendOnly: filepath.Join(t.TempDir(), "aof"), Fsync: FsyncAlways, Backend: cfg.Backend}, 500, 4},
		} {
			run := start(t, tc.o, cfg)
			got := tooltest.Output(t, "", exe, append(hostPort(t, run.addr), "-c", "64", "-n", strconv.Itoa(tc.n), "-P", strconv.Itoa(tc.depth), "-r", "1000", "-t", "ping,set,get,incr,mset", "--csv")...)
			for _, test := range []string{"PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"} {
				if !strings.Contains(got, `"`+test+`",`) {
					t.Errorf("-P %d: no line for %s in %q", tc.depth, test, got)
				}
			}
			if done := run.srv.commands.Load(); done < int64(6*tc.n) {
				t.Errorf("-P %d: %d commands were performed, want %d at least", tc.depth, done, 6*tc.n)
			}
			check(t, run.srv.store)
		}
	})
}
