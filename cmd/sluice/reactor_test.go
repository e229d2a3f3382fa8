package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/reactor"
)

// TestServeEcho runs the server in every arrangement on every backend, and loads it.
func TestServeEcho(t *testing.T) {
	for _, v := range reactor.Variants() {
		for _, b := range servers(t) {
			if b != netName {
				t.Run(v.String()+"/"+b, func(t *testing.T) { serveAndLoad(t, v, b) })
			}
		}
	}
}

func serveAndLoad(t *testing.T, v reactor.Variant, name string) {
	srv := start(t, nil, "serve", "echo", "--addr", "127.0.0.1:0", "--backend", name, "--reactor", v.String(), "--stats")
	line := srv.line()
	m := regexp.MustCompile(`^listening on (127\.0\.0\.1:\d+) backend=(\w+) reactor=(\S+)$`).FindStringSubmatch(line)
	if m == nil || m[2] != name && m[2] != "none" || m[3] != v.String() {
		t.Fatalf("printed %q, %s", line, srv.stderr.String())
	}
	args := []string{"load", "echo", "--addr", m[1], "--conns", "20", "--size", "5000", "--duration", "50ms"}
	if status, stdout, stderr := sluice(t, args...); status != 0 || !strings.Contains(stdout, "errors       0\n") || stderr != "" {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	srv.interrupt()
	var st reactorStats
	if err := json.Unmarshal([]byte(srv.line()), &st); err != nil {
		t.Fatal(err)
	}
	if st.Reactor != v.String() || st.Server.Accepted != 20 || st.Server.Closed != 20 || st.Server.Open != 0 {
		t.Errorf("%+v", st)
	}
	if status := srv.wait(); status != 0 || srv.stderr.Len() > 0 {
		t.Errorf("status %d, %s", status, srv.stderr.String())
	}
}
