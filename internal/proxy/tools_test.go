//go:build linux

package proxy_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/internal/kv"
	"github.com/sluiceio/sluice/internal/servertest"
	"github.com/sluiceio/sluice/internal/tooltest"
	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/http1"
)

// behind starts a server that the proxy is to forward to, on whichever backend there is.
func behind(t *testing.T, cfg reactor.Config, h reactor.Handler) string {
	t.Helper()
	cfg.Listen, cfg.Log = []string{"tcp://127.0.0.1:0"}, slog.New(slog.DiscardHandler)
	return "tcp://" + servertest.Start(t, cfg, h).Addrs()[0].String()
}

// wantJoined wants each client to have been joined, of which there were some.
func wantJoined(t *testing.T, r running, least uint64) {
	t.Helper()
	if st := r.Proxy.Stats(); st.Clients < least || st.Joined != st.Clients || st.Refused+st.Failed > 0 {
		t.Errorf("stats: %+v, want %d clients or more", st, least)
	}
}

// redis-cli and redis-benchmark talk to the server of keys and values through the proxy.
func TestRedisTools(t *testing.T) {
	cli, bench := tooltest.Find(t, "redis-cli"), tooltest.Find(t, "redis-benchmark")
	var cfg reactor.Config
	srv, err := kv.New(kv.Options{Log: slog.New(slog.DiscardHandler)}, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	up := behind(t, cfg, srv)
	each(t, func(t *testing.T, cfg reactor.Config) {
		r := run(t, cfg, up)
		host, port, err := net.SplitHostPort(r.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		at := []string{"-h", host, "-p", port}
		key := strings.ReplaceAll(t.Name(), "/", "-") // the others of this test use the same server
		in := fmt.Sprintf("SET %s \"a b\"\nGET %s\nINCR %s-n\nDEL %s-n\nNOSUCH\n", key, key, key, key)
		if got := tooltest.Output(t, in, cli, at...); !strings.HasPrefix(got, "OK\na b\n1\n1\nERR unknown command 'NOSUCH'") {
			t.Errorf("redis-cli printed %q", got)
		}
		value := strings.Repeat("0123456789", 50_000)
		if got := tooltest.Output(t, value, cli, append(at, "-x", "SET", key)...); got != "OK\n" {
			t.Errorf("a SET of %d bytes: %q", len(value), got)
		}
		if got := tooltest.Output(t, "", cli, append(at, "GET", key)...); got != value+"\n" {
			t.Errorf("a GET of %d bytes gives %d", len(value), len(got))
		}
		const clients = 16
		got := tooltest.Output(t, "", bench, append(at, "-c", fmt.Sprint(clients), "-n", "1000", "-P", "4", "-r", "100", "-t", "ping,set,get,mset", "--csv")...)
		for _, test := range []string{"PING_INLINE", "PING_MBULK", "SET", "GET", "MSET (10 keys)"} {
			if !strings.Contains(got, `"`+test+`",`) {
				t.Errorf("redis-benchmark has no line for %s in %q", test, got)
			}
		}
		wantJoined(t, r, 3+clients)
	})
}

// curl talks to the server of HTTP through the proxy.
func TestCurl(t *testing.T) {
	curl := tooltest.Find(t, "curl")
	body := noise(2_000_000)
	up := behind(t, reactor.Config{}, http1.New(func(w *http1.Response, r *http1.Request) {
		if r.IsGet() {
			w.Body(body)
			return
		}
		fmt.Fprintf(w, "%s of %d", r.Method(), len(r.Body()))
		if !bytes.Equal(r.Body(), body) {
			w.WriteString(", which differ")
		}
	}, &http1.Options{Limits: http1.Limits{MaxBody: 4 << 20}}))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, cfg reactor.Config) {
		r := run(t, cfg, up)
		url := "http://" + r.Addrs()[0].String() + "/"
		const silent = "-qsS"
		// A download is large, so that what is compared are all of its bytes; two are on one connection.
		if got := tooltest.Output(t, "", curl, silent, "--noproxy", "*", url, url); got != string(body)+string(body) {
			t.Errorf("two downloads have %d bytes, want %d", len(got), 2*len(body))
		}
		want := fmt.Sprintf("PUT of %d", len(body))
		for _, more := range [][]string{{}, {"-H", "Transfer-Encoding: chunked"}, {"-H", "Expect: 100-continue"}} {
			args := append([]string{silent, "--noproxy", "*", "-T", file}, more...)
			if got := tooltest.Output(t, "", curl, append(args, url)...); got != want {
				t.Errorf("upload %v: %q, want %q", more, got, want)
			}
		}
		wantJoined(t, r, 4)
		if st := r.Proxy.Stats(); st.Clients != 4 {
			t.Errorf("%d connections were made, want 4", st.Clients)
		}
	})
}
