// Package examples holds small programs on sluice; its test builds and runs each of them.
package examples

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/backend"
	_ "github.com/sluiceio/sluice/backend/all"
)

const (
	watchdog = 60 * time.Second
	linesMax = 99
	echoMax  = 30 // of the server that is to show how short one is
)

// build makes the program of one folder, in which no file may be long.
func build(t *testing.T, name string) (exe string) {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(name, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	limit := linesMax
	if name == "echo" {
		limit = echoMax
	}
	if n := bytes.Count(src, []byte("\n")); n > limit {
		t.Errorf("%s has %d lines, the limit is %d", name, n, limit)
	}
	exe = filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", exe, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return exe
}

func eachBackend(t *testing.T, f func(t *testing.T, env []string)) {
	for _, s := range backend.Probe() {
		t.Run(s.Name, func(t *testing.T) {
			if !s.Available {
				if slices.Contains(strings.Split(os.Getenv("REQUIRE_BACKENDS"), ","), s.Name) {
					t.Fatalf("%s is required: %v", s.Name, s.Err)
				}
				t.Skipf("no %s here: %v", s.Name, s.Err)
			}
			f(t, append(os.Environ(), backend.Env+"="+s.Name))
		})
	}
}

func TestReadfile(t *testing.T) {
	exe := build(t, "readfile")
	eachBackend(t, func(t *testing.T, env []string) {
		for _, size := range []int{0, 1, 64 << 10, 3<<20 + 17} {
			want := make([]byte, size)
			rnd := rand.New(rand.NewPCG(1, uint64(size)))
			for i := range want {
				want[i] = byte(rnd.Uint32())
			}
			name := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(name, want, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), watchdog)
			defer cancel()
			cmd := exec.CommandContext(ctx, exe, name)
			cmd.Env = env
			if got, err := cmd.Output(); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes: printed %d, %v", size, len(got), err)
			}
		}
	})
	if err := exec.Command(exe, "no-such-file").Run(); err == nil {
		t.Error("no error for a file that is not there")
	}
}

func TestCopyfile(t *testing.T) {
	exe := build(t, "copyfile")
	eachBackend(t, func(t *testing.T, env []string) {
		for _, size := range []int{0, 1, 1 << 18, 8<<18 - 1, 8 << 18, 5<<20 + 17} {
			want := make([]byte, size)
			rnd := rand.New(rand.NewPCG(2, uint64(size)))
			for i := range want {
				want[i] = byte(rnd.Uint32())
			}
			from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
			if err := os.WriteFile(from, want, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), watchdog)
			defer cancel()
			cmd := exec.CommandContext(ctx, exe, from, to)
			cmd.Env = env
			out, err := cmd.CombinedOutput()
			if got, err2 := os.ReadFile(to); err != nil || err2 != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes: %d were copied, %v, %v: %s", size, len(got), err, err2, out)
			}
		}
		cmd := exec.Command(exe, "/dev/zero", "/dev/full")
		cmd.Env = env
		if _, err := os.Stat("/dev/full"); err == nil && cmd.Run() == nil {
			t.Error("no error for a disk that is full")
		}
	})
}

func TestWalappend(t *testing.T) {
	exe := build(t, "walappend")
	eachBackend(t, func(t *testing.T, env []string) {
		name := filepath.Join(t.TempDir(), "log")
		run := func(in, want string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), watchdog)
			defer cancel()
			cmd := exec.CommandContext(ctx, exe, name)
			cmd.Env, cmd.Stdin = env, strings.NewReader(in)
			if got, err := cmd.Output(); err != nil || string(got) != want {
				t.Errorf("printed %q, %v, want %q", got, err, want)
			}
		}
		run(strings.Repeat("a line\n", 250), "100\n200\n250\n")
		run("", "")
		run("the last", "1\n")
		if got, err := os.ReadFile(name); err != nil || string(got) != strings.Repeat("a line\n", 250)+"the last\n" {
			t.Errorf("the log has %d bytes, %v", len(got), err)
		}
		// A write that fails is told, and takes the fsync along.
		cmd := exec.Command(exe, "/dev/full")
		cmd.Env, cmd.Stdin = env, strings.NewReader("x\n")
		if _, err := os.Stat("/dev/full"); err == nil && cmd.Run() == nil {
			t.Error("no error for a disk that is full")
		}
	})
}

func TestEcho(t *testing.T) { testEcho(t, "echo", "tcp://127.0.0.1:0") }

func TestMultishot(t *testing.T) { testEcho(t, "multishot", "127.0.0.1:0") }

// TestProxy has an echo server behind the proxy.
func TestProxy(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c) // the client sees what is missing
			}()
		}
	}()
	testEcho(t, "proxy", "127.0.0.1:0", ln.Addr().String())
}

// testEcho runs one of the echo servers.
func testEcho(t *testing.T, name string, args ...string) {
	exe := build(t, name)
	eachBackend(t, func(t *testing.T, env []string) {
		testServer(t, env, func(addr string) {
			for range 3 {
				talk(t, addr)
			}
		}, exe, args...)
	})
}

// testServer starts a server, tells talk its address, and ends it by an interrupt.
func testServer(t *testing.T, env []string, talk func(addr string), exe string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), watchdog)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env, cmd.Stderr = env, os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var addr string
	if _, err := fmt.Sscanf(line, "listening on %s", &addr); err != nil {
		t.Fatalf("printed %q", line)
	}
	talk(addr)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
}

// TestKV: the client sends its commands in two pieces, does not wait for replies, and ends with what is no command.
func TestKV(t *testing.T) {
	exe := build(t, "kv")
	eachBackend(t, func(t *testing.T, env []string) {
		testServer(t, env, func(addr string) {
			conn, err := net.DialTimeout("tcp", addr, watchdog)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(watchdog)); err != nil {
				t.Fatal(err)
			}
			for _, piece := range []string{"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n", "a\x00b\r\nGET k\r\nGET none\r\nDEL k\r\n*x\r\n"} {
				if _, err := io.WriteString(conn, piece); err != nil {
					t.Fatal(err)
				}
			}
			got, err := io.ReadAll(conn)
			const want = "+OK\r\n$3\r\na\x00b\r\n$0\r\n\r\n-ERR there are SET key value and GET key\r\n-ERR Protocol error: invalid multibulk length\r\n"
			if err != nil || string(got) != want {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		}, exe, "tcp://127.0.0.1:0")
	})
}

func TestHTTP(t *testing.T) {
	exe := build(t, "http")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("<p>"), 0o600); err != nil {
		t.Fatal(err)
	}
	eachBackend(t, func(t *testing.T, env []string) {
		testServer(t, env, func(addr string) {
			cl := http.Client{Timeout: watchdog, Transport: &http.Transport{}}
			defer cl.CloseIdleConnections()
			for path, want := range map[string]string{
				"/": "<p>", "/none": "404 Not Found\n", "/slow": "at last\n",
				"/hello?you": "Hello, you! You have sent 3 bytes.\n",
			} {
				req, err := http.NewRequest("GET", "http://"+addr+path, strings.NewReader("abc"))
				if err != nil {
					t.Fatal(err)
				}
				res, err := cl.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || string(got) != want {
					t.Errorf("%s: %q, %v, want %q", path, got, err, want)
				}
			}
		}, exe, dir, "tcp://127.0.0.1:0")
	})
}

// talk sends two megabytes, and ends the stream, and wants all of it back.
func talk(t *testing.T, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(watchdog)); err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("sluice. ", 2<<20/8)
	go func() {
		io.WriteString(c, want) // an error shows in what comes back
		c.(*net.TCPConn).CloseWrite()
	}()
	if got, err := io.ReadAll(c); err != nil || string(got) != want {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(want))
	}
}
