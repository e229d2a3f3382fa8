package http1_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/internal/tooltest"
	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/http1"
)

// between separates what curl prints for one test from that of the next.
const between = "\n--\n"

// curl runs curl without a configuration, and gives what it prints for each of several lists of arguments.
func curl(t *testing.T, exe string, lists ...[]string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), watchdog)
	defer cancel()
	args := []string{"-q"}
	for i, list := range lists {
		if i > 0 {
			// Each begins anew, with its own connections.
			args = append(args, "--next")
		}
		args = append(append(args, "-sS", "--noproxy", "*"), list...)
	}
	cmd := exec.CommandContext(ctx, exe, args...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("curl: %v: %s", err, errs.String())
	}
	return strings.Split(string(out), between)
}

func TestCurl(t *testing.T) {
	exe := tooltest.Find(t, "curl")
	dir, _ := site(t)
	big := filepath.Join(dir, "big.bin")
	want, err := os.ReadFile(big)
	if err != nil {
		t.Fatal(err)
	}
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		f, err := http1.Files(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		s := start(t, cfg, func(w *http1.Response, r *http1.Request) {
			if !r.IsGet() && !r.IsHead() {
				echoes(w, r)
				return
			}
			f.Handle(w, r)
		}, nil)
		url := urlOf(s)
		tests := []struct {
			name, want string
			args       []string
		}{
			{"range", "234", []string{"-w", between, "-r", "2-4", url + "/a.txt"}},
			{"head", "200 10", []string{"-I", "-o", os.DevNull, "-w", "%{http_code} %header{content-length}" + between, url + "/a.txt"}},
			{"redirect", "sub", []string{"-w", between, "-L", url + "/sub"}},
			{"whole", string(want), []string{"-w", between, url + "/big.bin"}},
			{"1.0", "0123456789", []string{"-w", between, "-0", url + "/a.txt"}},
			{"upload", "PUT /up 1048576:" + string(want), []string{"-w", between, "-T", big, url + "/up"}},
			{"upload, asking first", "PUT /up 1048576:" + string(want), []string{"-w", between, "-H", "Expect: 100-continue", "-T", big, url + "/up"}},
			{"upload in chunks", "PUT /up 1048576:" + string(want), []string{"-w", between, "-H", "Transfer-Encoding: chunked", "-T", big, url + "/up"}},
			{"time", "304", []string{"-o", os.DevNull, "-w", "%{http_code}" + between, "-z", filepath.Join(dir, "a.txt"), url + "/a.txt"}},
			// How many connections each has made tells whether one was used again.
			{"two on one connection", "0123456789 0 0123456789 0 ", []string{"-w", " %{num_connects} ", url + "/a.txt", url + "/a.txt"}},
		}
		var lists [][]string
		for _, c := range tests {
			lists = append(lists, c.args)
		}
		got := curl(t, exe, lists...)
		if len(got) != len(tests) {
			t.Fatalf("%d answers, want %d", len(got), len(tests))
		}
		for i, c := range tests {
			if got[i] != c.want {
				t.Errorf("%s: %d bytes %.60q, want %d %.60q", c.name, len(got[i]), got[i], len(c.want), c.want)
			}
		}
	})
}
