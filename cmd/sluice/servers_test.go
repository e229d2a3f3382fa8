package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// startAt starts a server of the tool and returns its address.
func startAt(t *testing.T, args ...string) (srv *running, addr string) {
	t.Helper()
	srv = start(t, nil, append([]string{"serve"}, args...)...)
	line := srv.line()
	m := regexp.MustCompile(`^listening on (\S+) backend=\w+ reactor=\S+$`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("printed %q", line)
	}
	return srv, m[1]
}

func stopped(t *testing.T, srv *running) {
	t.Helper()
	srv.interrupt()
	if status := srv.wait(); status != 0 || srv.stderr.Len() > 0 {
		t.Errorf("status %d, %s", status, srv.stderr.String())
	}
}

// The line tells all addresses, since a port that was chosen is to be had nowhere else.
func TestServeSeveral(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	srv, addrs := startAt(t, "http", "--addr", "127.0.0.1:0", "--addr", "tcp://127.0.0.1:0", "--addr", "unix://"+path)
	list := strings.Split(addrs, ",")
	if len(list) != 3 || list[2] != path {
		t.Fatalf("listens on %q", addrs)
	}
	for _, a := range list[:2] {
		if got := get(t, "http://"+a+"/"); got != "200 Hello, World!" {
			t.Errorf("%s: got %q", a, got)
		}
	}
	stopped(t, srv)
}

func get(t *testing.T, url string) string {
	t.Helper()
	cl := http.Client{Timeout: watchdog, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := cl.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(res.StatusCode, " ", string(body))
}

func TestServeHTTP(t *testing.T) {
	srv, addr := startAt(t, "http", "--addr", "127.0.0.1:0")
	if got := get(t, "http://"+addr+"/"); got != "200 Hello, World!" {
		t.Errorf("got %q", got)
	}
	stopped(t, srv)

	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "page.txt"), []byte("a page"), 0o600); err != nil {
		t.Fatal(err)
	}
	srv, addr = startAt(t, "http", "--addr", "127.0.0.1:0", "--root", root, "--reactor", "multi-pool", "--loops", "2")
	if got := get(t, "http://"+addr+"/page.txt"); got != "200 a page" {
		t.Errorf("got %q", got)
	}
	if got := get(t, "http://"+addr+"/nothing"); !strings.HasPrefix(got, "404") {
		t.Errorf("got %q", got)
	}
	stopped(t, srv)
}

// ask sends text to a server, ends the stream, and returns all that comes back.
func ask(t *testing.T, addr, text string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, watchdog)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(watchdog)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestServeKV(t *testing.T) {
	file := filepath.Join(t.TempDir(), "aof")
	flags := []string{"kv", "--addr", "127.0.0.1:0", "--append-only", file, "--append-fsync", "always"}
	srv, addr := startAt(t, flags...)
	if got := ask(t, addr, "SET key value\r\nGET key\r\n"); got != "+OK\r\n$5\r\nvalue\r\n" {
		t.Errorf("got %q", got)
	}
	stopped(t, srv)
	srv, addr = startAt(t, append(flags, "--reactor", "single-pool")...)
	if got := ask(t, addr, "GET key\r\n"); got != "$5\r\nvalue\r\n" {
		t.Errorf("after a restart: got %q", got)
	}
	stopped(t, srv)
}

func TestServeProxy(t *testing.T) {
	up, addr := startAt(t, "echo", "--addr", "127.0.0.1:0")
	srv, front := startAt(t, "proxy", "--addr", "127.0.0.1:0", "--to", addr)
	if got := ask(t, front, "through"); got != "through" {
		t.Errorf("got %q", got)
	}
	stopped(t, srv)
	stopped(t, up)
}
