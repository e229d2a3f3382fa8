package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/reactor"
)

// TestReactorFlags wants each flag to get to where it is meant for, and none to be set by itself: defaults are the reactor's.
func TestReactorFlags(t *testing.T) {
	config := func(args ...string) reactor.Config {
		t.Helper()
		cmd := &cobra.Command{}
		r := newReactorFlags(cmd, "127.0.0.1:1")
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		cfg, err := r.config()
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	same := func(got, want reactor.Config) {
		t.Helper()
		if g, w := strings.Join(got.Listen, " "), strings.Join(want.Listen, " "); g != w {
			t.Errorf("it listens on %s, want %s", g, w)
		}
		got.Listen, want.Listen = nil, nil
		for _, f := range []struct {
			name      string
			got, want any
		}{
			{"Variant", got.Variant, want.Variant}, {"Backend", got.Backend, want.Backend}, {"Wait", got.Wait, want.Wait},
			{"Loops", got.Loops, want.Loops}, {"Workers", got.Workers, want.Workers}, {"Buffers", got.Buffers, want.Buffers},
			{"BufferSize", got.BufferSize, want.BufferSize}, {"MaxConns", got.MaxConns, want.MaxConns}, {"IdleTimeout", got.IdleTimeout, want.IdleTimeout},
		} {
			if f.got != f.want {
				t.Errorf("%s is %v, want %v", f.name, f.got, f.want)
			}
		}
	}
	same(config(), reactor.Config{Listen: []string{"tcp://127.0.0.1:1"}, Backend: "auto"})
	same(config("--addr", "[::1]:2", "--addr", "unix:///x", "--backend", "poll", "--reactor", "multi-pool", "--wait", "spin:50:park", "--loops", "3", "--workers", "4",
		"--buffers", "16", "--buffer-size", "999", "--max-conns", "5", "--idle", "7s"),
		reactor.Config{Listen: []string{"tcp://[::1]:2", "unix:///x"}, Backend: "poll", Variant: reactor.MultiPool, Wait: api.Spin(50, api.Park()), Loops: 3, Workers: 4,
			Buffers: 16, BufferSize: 999, MaxConns: 5, IdleTimeout: 7 * time.Second})
	for _, v := range reactor.Variants() {
		same(config("--reactor", v.String(), "--wait", "block"), reactor.Config{Listen: []string{"tcp://127.0.0.1:1"}, Backend: "auto", Variant: v, Wait: api.Block()})
	}
}

// TestServeArranged runs each server in every arrangement on every backend, with all flags that are about it.
func TestServeArranged(t *testing.T) {
	up, behind := startAt(t, "echo", "--addr", "127.0.0.1:0")
	for _, tc := range []struct {
		args      []string
		say, want string
	}{
		{[]string{"echo"}, "text", "text"},
		{[]string{"http"}, "GET / HTTP/1.0\r\n\r\n", "Hello, World!"},
		{[]string{"kv"}, "SET k v\r\nGET k\r\n", "+OK\r\n$1\r\nv\r\n"},
		{[]string{"proxy", "--to", behind}, "through", "through"},
	} {
		for _, v := range reactor.Variants() {
			for _, b := range servers(t) {
				if b == netName {
					continue
				}
				for _, wait := range []string{"block", "park", "spin:20"} {
					t.Run(strings.Join([]string{tc.args[0], v.String(), b, wait}, "/"), func(t *testing.T) {
						args := append([]string{"serve"}, tc.args...)
						srv := start(t, nil, append(args, "--addr", "127.0.0.1:0", "--backend", b, "--reactor", v.String(), "--loops", "2", "--workers", "3", "--wait", wait)...)
						line := srv.line()
						m := regexp.MustCompile(`^listening on (127\.0\.0\.1:\d+) backend=(\w+) reactor=(\S+)$`).FindStringSubmatch(line)
						if m == nil || m[2] != b && m[2] != "none" || m[3] != v.String() {
							t.Fatalf("printed %q", line)
						}
						if got := ask(t, m[1], tc.say); !strings.HasSuffix(got, tc.want) {
							t.Errorf("got %q, want %q at its end", got, tc.want)
						}
						stopped(t, srv)
					})
				}
			}
		}
	}
	stopped(t, up)
}
