package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/internal/porttest"
)

const watchdog = 60 * time.Second

// TestMain makes the test binary be the tool when bench starts it.
func TestMain(m *testing.M) {
	if os.Getenv("SLUICE_TEST_AS_TOOL") == "1" {
		if os.Getenv("SLUICE_TEST_BROKEN") == "1" {
			registerBroken()
		}
		main()
	}
	os.Exit(m.Run())
}

// sluice runs the tool to its end.
func sluice(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), watchdog)
	defer cancel()
	status = run(ctx, args, strings.NewReader(""), &out, &errs)
	if ctx.Err() != nil {
		t.Fatalf("sluice %s: no end within %v", strings.Join(args, " "), watchdog)
	}
	return status, out.String(), errs.String()
}

// running is a tool that runs until it is interrupted.
type running struct {
	t         *testing.T
	lines     *bufio.Scanner // of its output
	interrupt context.CancelFunc
	status    chan int
	stderr    bytes.Buffer // to be read when it has ended
	exited    bool
}

func start(t *testing.T, stdin io.Reader, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	p := &running{t: t, lines: bufio.NewScanner(r), interrupt: cancel, status: make(chan int, 1)}
	go func() {
		p.status <- run(ctx, args, stdin, w, &p.stderr)
		w.Close()
	}()
	t.Cleanup(func() {
		if !p.exited {
			cancel()
			go io.Copy(io.Discard, r)
			p.wait()
		}
	})
	return p
}

// line is the next line that it prints.
func (p *running) line() string {
	p.t.Helper()
	line := make(chan string, 1)
	go func() {
		p.lines.Scan()
		line <- p.lines.Text()
	}()
	select {
	case s := <-line:
		return s
	case <-time.After(watchdog):
		p.t.Fatalf("it printed nothing within %v", watchdog)
		return ""
	}
}

func (p *running) wait() int {
	p.t.Helper()
	select {
	case s := <-p.status:
		p.exited = true
		return s
	case <-time.After(watchdog):
		p.t.Fatalf("no end within %v", watchdog)
		return -1
	}
}

// servers are the available backends, and the baseline.
func servers(t *testing.T) []string {
	var names []string
	for _, s := range backend.Probe() {
		if s.Available {
			names = append(names, s.Name)
		} else if strings.Contains(os.Getenv("REQUIRE_BACKENDS"), s.Name) {
			t.Fatal(s.Err)
		}
	}
	return append(names, netName)
}

func TestErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	inUse := taken.Addr().String()
	nobody := porttest.Refusing(t).String()

	for _, c := range []struct {
		args string
		env  string
		want int
		text string // in the one line
	}{
		{args: "nonsense", want: 2, text: `unknown command "nonsense"`},
		{args: "--nonsense", want: 2, text: "--nonsense"},
		{args: "serve", want: 2, text: "echo"},
		{args: "serve nonsense", want: 2, text: `unknown command "nonsense"`},
		{args: "load", want: 2, text: "echo"},
		{args: "probe more", want: 2, text: "no arguments"},
		{args: "serve raw-echo more", want: 2, text: "no arguments"},
		{args: "serve raw-echo --nonsense", want: 2, text: "--nonsense"},
		{args: "serve raw-echo --backend kqueue", want: 2, text: `unknown backend "kqueue": known are auto, uring, epoll, poll, select, net (see`},
		{args: "serve raw-echo --wait never", want: 2, text: `invalid argument "never" for "--wait" flag: want block, park or spin`},
		{args: "serve raw-echo --wait spin:0", want: 2, text: "looks"},
		{args: "serve raw-echo --wait spin:x", want: 2, text: "looks"},
		{args: "serve raw-echo --wait spin:10:never", want: 2, text: "block or park"},
		{args: "serve raw-echo --loops 0", want: 2, text: "--loops"},
		{args: "serve raw-echo --loops -1", want: 2, text: "--loops"},
		{args: "serve raw-echo --loops x", want: 2, text: "loops"},
		{args: "serve raw-echo --addr nonsense", want: 2, text: "HOST:PORT"},
		{args: "serve raw-echo --buffers 3", want: 2, text: "power of two"},
		{args: "serve raw-echo --buffers 0", want: 2, text: "--buffers"},
		{args: "serve raw-echo --buffer-size 0", want: 2, text: "--buffer-size"},
		{args: "serve raw-echo --buffer-size 4k", want: 2, text: `"--buffer-size" flag: "4k" is not a whole number (see`},
		{args: "serve raw-echo --buffer-size 99999999999999999999", want: 2, text: "is out of range"},
		{args: "serve raw-echo --backend net --fixed-files", want: 2, text: "--fixed-files"},
		{args: "serve raw-echo --stats=perhaps", want: 2, text: "want true or false"},
		{args: "serve raw-echo --addr " + inUse, want: 1, text: "address already in use"},
		{args: "serve raw-echo --loops 2 --addr " + inUse, want: 1, text: "address already in use"},
		{args: "serve raw-echo --backend net --addr " + inUse, want: 1, text: "address already in use"},
		{args: "serve raw-echo --addr 127.0.0.1:99999", want: 2, text: `a port from 0 to 65535, not "99999"`},
		{args: "serve raw-echo --addr :99999", want: 2, text: `a port from 0 to 65535, not "99999"`},
		{args: "serve raw-echo --backend net --addr :99999", want: 2, text: `not "99999"`},
		{args: "serve raw-echo --addr :-1", want: 2, text: `not "-1"`},
		{args: "serve raw-echo --addr :nosuchservice", want: 2, text: `not "nosuchservice"`},
		{args: "serve raw-echo --addr 127.0.0.1:", want: 2, text: "no port"},
		{args: "serve raw-echo --addr 127.0.0.256:80", want: 2, text: "no IP address"},
		{args: "serve raw-echo --addr [::x]:80", want: 2, text: "no IP address"},
		{args: "serve raw-echo --addr ::1:80", want: 2, text: "HOST:PORT"},
		{args: "serve raw-echo", env: "kqueue", want: 1, text: `SLUICE_BACKEND is "kqueue"`},
		{args: "serve echo --addr nonsense", want: 2, text: "--addr must be HOST:PORT"},
		{args: "serve echo --addr tcp://127.0.0.1", want: 2, text: "--addr must be HOST:PORT"},
		{args: "serve echo --addr http://127.0.0.1:0", want: 2, text: `--addr must be HOST:PORT or unix:///PATH, not "http://127.0.0.1:0"`},
		{args: "serve kv --addr udp://127.0.0.1:0", want: 2, text: "--addr must be HOST:PORT or unix:///PATH, not"},
		{args: "serve echo --addr unix://", want: 2, text: "--addr: unix:// has no path"},
		{args: "serve echo --addr " + inUse, want: 1, text: "address already in use"},
		{args: "serve echo --backend kqueue", want: 2, text: `unknown backend "kqueue": known are auto, uring, epoll, poll, select (see`},
		{args: "serve http --reactor none", want: 2, text: "want one of single, single-pool, multi, multi-pool, thread-per-conn, goroutine-per-conn"},
		{args: "serve kv --wait never", want: 2, text: `invalid argument "never" for "--wait" flag: want block, park or spin`},
		{args: "serve echo --loops -1", want: 2, text: "--loops must be from 0 to 1024, not -1"},
		{args: "serve proxy --to 127.0.0.1:1 --workers -1", want: 2, text: "--workers must be from 0 to 65536, not -1"},
		{args: "serve echo --idle -1s", want: 2, text: "--idle must not be negative"},
		{args: "serve http --header-timeout -1s", want: 2, text: "--header-timeout must not be negative"},
		{args: "serve proxy", want: 2, text: "--to is missing"},
		{args: "serve proxy --to nonsense", want: 2, text: "--to must be HOST:PORT"},
		{args: "serve proxy --to 127.0.0.1:0", want: 2, text: "--to must name the port of a server"},
		{args: "serve proxy --to udp://127.0.0.1:1", want: 2, text: "--to must be HOST:PORT or unix:///PATH, not"},
		{args: "load echo --conns 0", want: 2, text: "--conns"},
		{args: "load echo --conns -5", want: 2, text: "--conns"},
		{args: "load echo --size 0", want: 2, text: "--size"},
		{args: "load echo --conns 100000 --size 60000000", want: 2, text: "GiB"},
		{args: "load echo --duration 0s", want: 2, text: "--duration"},
		{args: "load echo --duration -1s", want: 2, text: "--duration"},
		{args: "load echo --duration soon", want: 2, text: `"--duration" flag: want a duration such as`},
		{args: "load echo --backend net", want: 2, text: `unknown backend "net": known are auto, uring, epoll, poll, select (see`},
		{args: "load echo --addr :99999", want: 2, text: "65535"},
		{args: "load echo --addr 127.0.0.1:0", want: 2, text: "port"},
		{args: "load echo --conns 1k", want: 2, text: `"1k" is not a whole number`},
		{args: "load echo --addr nonsense", want: 2, text: "HOST:PORT"},
		{args: "load echo --addr " + nobody, want: 1, text: "connection refused"},
		{args: "bench --duration 0s", want: 2, text: "--duration"},
		{args: "bench --conns 0", want: 2, text: "--conns"},
		{args: "bench --conns=", want: 2, text: "conns"},
		{args: "bench --size 64,0", want: 2, text: "--size"},
		{args: "bench --size 64,4k", want: 2, text: `"4k" is not a whole number`},
		{args: "bench --backends kqueue", want: 2, text: `unknown backend "kqueue": known are uring, epoll, poll, select, net (see`},
		{args: "bench --backends auto", want: 2, text: `unknown backend "auto": known are uring, epoll, poll, select, net (see`},
		{args: "bench", env: "nope", want: 1, text: `SLUICE_BACKEND is "nope"`},
		{args: "bench --quick --backends net", env: "nope", want: 1, text: `SLUICE_BACKEND is "nope"`},
		{args: "conformance more", want: 2, text: "no arguments"},
		{args: "conformance --backend kqueue", want: 2, text: `unknown backend "kqueue"`},
		{args: "conformance --backend auto", want: 2, text: `unknown backend "auto"`},
		{args: "conformance --family NOPE", want: 2, text: `there is no family "NOPE" with cases here: there are ACC, `},
		{args: "conformance --rule SUB-999", want: 2, text: `there is no rule "SUB-999" with cases here: see --list (see`},
		{args: "conformance --column nope", want: 2, text: `no backend has a column "nope" here: there are block, park, spin`},
		{args: "conformance --backend epoll --column bare", want: 2, text: `no backend has a column "bare" here: there are block, park, spin (see`},
		{args: "conformance --timeout 0s", want: 2, text: "--timeout"},
		{args: "conformance --timeout soon", want: 2, text: `"--timeout" flag: want a duration such as`},
		{args: "conformance --rule SUB-1 --html /nonexistent/x.html", want: 1, text: "/nonexistent/x.html"},
		{args: "help nosuch", want: 2, text: `unknown help topic "nosuch"`},
		{args: "help serve nosuch", want: 2, text: `unknown help topic "serve nosuch"`},
		{args: "help probe nosuch", want: 2, text: `unknown help topic "probe nosuch"`},
		{args: "bench --quick --dir /nonexistent", want: 1, text: "/nonexistent"},
	} {
		t.Run(c.args+c.env, func(t *testing.T) {
			t.Setenv(backend.Env, c.env)
			status, stdout, stderr := sluice(t, strings.Fields(c.args)...)
			if status != c.want {
				t.Errorf("status %d, want %d", status, c.want)
			}
			if !strings.HasPrefix(stderr, "sluice: ") || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.text) {
				t.Errorf("printed %q, want one line with %q", stderr, c.text)
			}
			if strings.Count(stderr, "sluice: ") != 1 || strings.Contains(stderr, "strconv") || stdout != "" {
				t.Errorf("printed %q, and %q on standard output", stderr, stdout)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"", "--help", "help", "help help", "help serve", "help serve raw-echo", "serve raw-echo --help", "load echo --help", "bench --help", "bench file --help", "bench nop --help", "conformance --help", "probe --help"} {
		if status, stdout, stderr := sluice(t, strings.Fields(args)...); status != 0 || !strings.Contains(stdout, "Usage:") || stderr != "" {
			t.Errorf("sluice %s: status %d, %q, %q", args, status, stdout, stderr)
		}
	}
}

func TestProbe(t *testing.T) {
	status, stdout, stderr := sluice(t, "probe")
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, %s", status, stderr)
	}
	for _, want := range []string{"(?m)^epoll +(un)?available", "(?m)^multishot-recv .*(native|emulated)", "(?m)^recv ",
		`\n\n\d+ more operations are for later versions; --all lists them.\n`} {
		if !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("no %s in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "absent  absent  absent  absent") {
		t.Errorf("operations that nobody performs are in\n%s", stdout)
	}

	status, full, _ := sluice(t, "probe", "--all")
	if status != 0 || strings.Contains(full, "later versions") {
		t.Errorf("status %d, of --all:\n%s", status, full)
	}
	for c := range api.OpCode(api.OpCount) {
		if !regexp.MustCompile(`(?m)^` + c.String() + " ").MatchString(full) {
			t.Errorf("--all does not list %v", c)
		}
	}

	status, stdout, _ = sluice(t, "probe", "--json")
	var all []probedBackend
	if err := json.Unmarshal([]byte(stdout), &all); err != nil || status != 0 {
		t.Fatalf("status %d, %v", status, err)
	}
	if len(all) != 4 || all[0].Name != "uring" {
		t.Errorf("got %d backends, want 4, uring first", len(all))
	}
	for _, p := range all {
		if p.Available && (len(p.Ops) != api.OpCount || p.Features["ordered"] == "") || !p.Available && p.Reason == "" {
			t.Errorf("%s: %+v", p.Name, p)
		}
		if ring := p.Available && p.Name == "uring"; ring == (len(p.Modes) == 0) {
			t.Errorf("%s: the modes are %+v", p.Name, p.Modes)
		}
		for _, m := range p.Modes {
			if m.Linux == "" || (m.Status == "native") != (m.Reason == "") {
				t.Errorf("%s: %+v", p.Name, m)
			}
		}
	}
}

func TestProbeModes(t *testing.T) {
	var out bytes.Buffer
	all := probed([]backend.Status{{Name: "uring", Available: true, Modes: []api.RingMode{{Name: "A", MinKernel: "5.6"},
		{Name: "B", MinKernel: "9.9", Err: &api.UnavailableError{Backend: "uring", Reason: "too old", Hint: "wait"}}}}})
	if err := printProbe(&out, all, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`(?m)^MODE +LINUX +URING$`, `(?m)^A +5\.6 +native$`, `(?m)^B +9\.9 +absent: too old \(wait\)$`} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
}

func TestWhyNot(t *testing.T) {
	u := &api.UnavailableError{Backend: "uring", Reason: "forbidden", Hint: "allow it"}
	if reason, remedy := whyNot(fmt.Errorf("x: %w", u)); reason != "forbidden" || remedy != "allow it" {
		t.Errorf("got %q, %q", reason, remedy)
	}
	if reason, remedy := whyNot(&backend.NotLinkedError{Name: "uring"}); !strings.Contains(reason, "not linked") || !strings.Contains(remedy, "sluice_uring") {
		t.Errorf("got %q, %q", reason, remedy)
	}
	var out bytes.Buffer
	all := probed([]backend.Status{{Name: "uring", Err: u}, {Name: "epoll", Available: true, Features: api.Features{Native: api.FeatPark}}})
	if err := printProbe(&out, all, false); err != nil || !strings.Contains(out.String(), "unavailable: forbidden (allow it)\n") {
		t.Errorf("got %v\n%s", err, out.String())
	}
}

// untilMeasured calls measure with longer and longer times, of which the first is d, until it has measured something: in a short time there may be
// nothing, when a machine with much else to do has not run the server.
func untilMeasured(t *testing.T, d time.Duration, measure func(d time.Duration) bool) {
	t.Helper()
	for ; !measure(d); d *= 2 {
		if d > watchdog/4 {
			t.Fatalf("nothing was measured within %v", d)
		}
	}
}

// TestServeAndLoad runs the server and the client against each other.
func TestServeAndLoad(t *testing.T) {
	for _, name := range servers(t) {
		for _, mode := range []string{"block", "park", "spin:50", "block --fixed-files"} {
			if name == netName && mode != "block" {
				continue
			}
			t.Run(name+"/"+mode, func(t *testing.T) {
				wait, flags, fixed := strings.Cut(mode, " ")
				srv := start(t, nil, append([]string{"serve", "raw-echo", "--addr", "127.0.0.1:0", "--backend", name, "--wait", wait, "--stats"}, strings.Fields(flags)...)...)
				line := srv.line()
				m := regexp.MustCompile(`^listening on (127\.0\.0\.1:\d+) backend=(\w+) loops=1 wait=(.+)$`).FindStringSubmatch(line)
				if m == nil || m[2] != name || m[3] != wait {
					t.Fatalf("printed %q", line)
				}
				client := name
				if name == netName {
					client = "auto"
				}
				args := []string{"load", "echo", "--addr", m[1], "--backend", client, "--conns", "20", "--size", "5000", "--duration"}
				if status, stdout, stderr := sluice(t, append(args, "100ms")...); status != 0 || !strings.Contains(stdout, "errors       0\n") || stderr != "" {
					t.Errorf("status %d\n%s%s", status, stdout, stderr)
				}
				accepted := uint64(20)
				var res loadResult
				untilMeasured(t, 100*time.Millisecond, func(d time.Duration) bool {
					res = loadResult{}
					status, stdout, _ := sluice(t, append(args, d.String(), "--json")...)
					if err := json.Unmarshal([]byte(stdout), &res); err != nil || status != 0 {
						t.Fatalf("status %d, %v: %s", status, err, stdout)
					}
					accepted += 20
					return res.RoundTrips > 0
				})
				if res.PerSecond == 0 || res.Conns != 20 || res.Backend == "" || res.Interrupted {
					t.Errorf("%+v", res)
				}
				if *res.P50 == 0 || *res.P50 > *res.P99 || *res.P99 > *res.Max {
					t.Errorf("p50 %v, p99 %v, max %v", *res.P50, *res.P99, *res.Max)
				}

				srv.interrupt()
				var st serveStats
				if err := json.Unmarshal([]byte(srv.line()), &st); err != nil {
					t.Fatal(err)
				}
				if st.Backend != name || st.FixedFiles != fixed || (st.Echo == nil) != (name == netName) || st.Echo != nil && st.Echo.Accepted != accepted {
					t.Errorf("%+v", st)
				}
				if status := srv.wait(); status != 0 || srv.stderr.Len() > 0 {
					t.Errorf("status %d, %s", status, srv.stderr.String())
				}
			})
		}
	}
}

func TestLoadFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 64))
			c.Close()
		}
	}()
	status, stdout, stderr := sluice(t, "load", "echo", "--addr", l.Addr().String(), "--conns", "2", "--duration", "10s")
	if status != 1 || !strings.Contains(stdout, "errors       2\n") || !strings.Contains(stderr, "2 of 2 connections failed") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}

func TestServeUntilEOF(t *testing.T) {
	r, w := io.Pipe()
	srv := start(t, r, "serve", "raw-echo", "--addr", "127.0.0.1:0", "--until-eof")
	srv.line()
	w.Close()
	if status := srv.wait(); status != 0 {
		t.Errorf("status %d, %s", status, srv.stderr.String())
	}
}

func TestServeFallsBackLoudly(t *testing.T) {
	var out bytes.Buffer
	if name, err := chooseBackend("auto", nil, &out); err != nil || name == "" {
		t.Errorf("got %q, %v", name, err)
	}
	if s := backend.Probe()[0]; s.Available && out.Len() > 0 {
		t.Errorf("nothing was refused, but it printed %q", out.String())
	}
}

func TestBench(t *testing.T) {
	t.Setenv("SLUICE_TEST_AS_TOOL", "1")
	var stdout, each string
	untilMeasured(t, 100*time.Millisecond, func(d time.Duration) bool {
		var status int
		var stderr string
		status, stdout, stderr = sluice(t, "bench", "--quick", "--duration", d.String(), "--conns", "8", "--dir", t.TempDir())
		if status != 0 {
			t.Fatalf("status %d, %s", status, stderr)
		}
		each = fmt.Sprintf("%.1f s each", d.Seconds())
		return !strings.Contains(stdout, notMeasured)
	})
	client, err := chooseBackend("auto", nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if want := "echo: client on " + client + ", 8 connections, 64 bytes, " + each + "; "; !strings.HasPrefix(stdout, want) {
		t.Errorf("no %q in\n%s", want, stdout)
	}
	for _, name := range servers(t) {
		if !regexp.MustCompile(`(?m)^ +` + name + `( +[\d.-]+){7} *$`).MatchString(stdout) {
			t.Errorf("no row of %s in\n%s", name, stdout)
		}
	}

	untilMeasured(t, 50*time.Millisecond, func(d time.Duration) bool {
		status, stdout, stderr := sluice(t, "bench", "--duration", d.String(), "--conns", "1,4", "--size", "64", "--backends", "net", "--json", "--dir", t.TempDir())
		var rows []benchRow
		if err := json.Unmarshal([]byte(stdout), &rows); err != nil || status != 0 {
			t.Fatalf("status %d, %v, %s", status, err, stderr)
		}
		if len(rows) != 2 || rows[1].Conns != 4 || rows[0].Server != netName {
			t.Fatalf("%+v", rows)
		}
		return rows[0].FileDepth32 > 0 && rows[0].RoundTrips > 0
	})
}

// TestBenchClient looks who loads the servers: the backend that auto chooses, whatever is measured.
func TestBenchClient(t *testing.T) {
	t.Setenv("SLUICE_TEST_AS_TOOL", "1")
	auto, err := chooseBackend("auto", nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for env, want := range map[string]string{"": auto, "poll": "poll"} {
		t.Setenv(backend.Env, env)
		args := []string{"bench", "--duration", "20ms", "--conns", "1,2", "--size", "64", "--backends", "select, net", "--dir", t.TempDir()}
		status, stdout, stderr := sluice(t, append(args, "--json")...)
		var rows []map[string]any
		if err := json.Unmarshal([]byte(stdout), &rows); err != nil || status != 0 || len(rows) != 4 {
			t.Fatalf("status %d, %v, %s, %d rows", status, err, stderr, len(rows))
		}
		for i, row := range rows {
			if row["client"] != want || row["server"] != []string{"select", "net"}[i/2] || row["backend"] != nil {
				t.Errorf("%s=%s: row %d: client %v, server %v, backend %v; want client %s", backend.Env, env, i, row["client"], row["server"], row["backend"], want)
			}
		}
	}
	status, stdout, stderr := sluice(t, "bench", "--duration", "20ms", "--conns", "1,2", "--size", "64", "--backends", "net", "--dir", t.TempDir())
	if status != 0 || !strings.HasPrefix(stdout, "echo: client on ") {
		t.Errorf("status %d, %s\n%s", status, stderr, stdout)
	}
}

func TestBenchInterrupted(t *testing.T) {
	t.Setenv("SLUICE_TEST_AS_TOOL", "1")
	dir := t.TempDir()
	p := start(t, nil, "bench", "--duration", "1h", "--dir", dir)
	p.interrupt()
	if status := p.wait(); status != 1 || p.stderr.String() != "sluice: interrupted\n" {
		t.Errorf("status %d, want 1, and %q", status, p.stderr.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
