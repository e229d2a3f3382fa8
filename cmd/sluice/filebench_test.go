package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fileSize is that of the files of these tests, as a flag and in bytes: small, so that all of it is read in no time.
const (
	fileSize  = "1m"
	fileBytes = 1 << 20
)

// made is a file that bench file has made.
func made(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data")
	if status, _, stderr := sluice(t, "bench", "file", "--path", path, "--size", fileSize, "--duration", "10ms", "--backend", psyncName); status != 0 {
		t.Fatalf("status %d, %s", status, stderr)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != fileBytes {
		t.Fatalf("%v, %v", info, err)
	}
	return path
}

// benchFileJSON runs bench file until it has measured something: on a machine with much else to do nothing may have come about in
// so short a time.
func benchFileJSON(t *testing.T, args ...string) (r fileResult) {
	t.Helper()
	for range 20 {
		if r = benchFileOnce(t, args...); r.Operations > 0 {
			break
		}
	}
	return r
}

func benchFileOnce(t *testing.T, args ...string) fileResult {
	t.Helper()
	status, stdout, stderr := sluice(t, append([]string{"bench", "file", "--json", "--duration", "30ms"}, args...)...)
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, %s", status, stderr)
	}
	var r fileResult
	d := json.NewDecoder(strings.NewReader(stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	return r
}

// TestFileBench goes through all patterns on all backends, and looks whether the figures fit together.
func TestFileBench(t *testing.T) {
	for _, name := range append(servers(t), psyncName) {
		if name == netName {
			continue
		}
		for _, rw := range patterns {
			for _, how := range []string{"", "--verify", "--registered-files", "--fixed", "--fixed --verify", "--jobs 3 --verify", "--batch 5 --wait park", "--batch 5 --batch-wait 100us"} {
				if name == psyncName && how != "" && how != "--verify" && how != "--jobs 3 --verify" {
					continue
				}
				t.Run(name+"/"+rw+"/"+how, func(t *testing.T) {
					args := []string{"--path", made(t), "--backend", name, "--rw", rw, "--depth", "16", "--overwrite"}
					r := benchFileJSON(t, append(args, strings.Fields(how)...)...)
					if r.Backend != name || r.RW != rw || r.Size != fileBytes || r.BlockSize != 4096 || r.Interrupted {
						t.Errorf("%+v", r)
					}
					if r.Operations == 0 {
						t.Fatal("no operations")
					}
					if r.Seconds < 0.03 || math.Abs(r.IOPS*r.Seconds/float64(r.Operations)-1) > 1e-6 || r.Bandwidth != r.IOPS*4096 {
						t.Errorf("%d operations in %v s, %v/s, %v bytes/s", r.Operations, r.Seconds, r.IOPS, r.Bandwidth)
					}
					if *r.P50 <= 0 || *r.P50 > *r.P99 || *r.P99 > *r.Max || *r.Mean > *r.Max {
						t.Errorf("p50 %v, p99 %v, max %v, mean %v", *r.P50, *r.P99, *r.Max, *r.Mean)
					}
					if *r.Entries <= 0 || name == psyncName && *r.Entries != 1 {
						t.Errorf("%v entries per operation", *r.Entries)
					}
					if fixed := strings.Contains(how, "--fixed"); r.Buffers != fixed || r.Files != (fixed || how == "--registered-files") {
						t.Errorf("registered: files %v, buffers %v", r.Files, r.Buffers)
					}
					if got := r.Verified > 0; got != strings.Contains(how, "verify") {
						t.Errorf("%d blocks verified", r.Verified)
					}
				})
			}
		}
	}
}

// TestFileBenchSchema: what reads the JSON relies on these names.
func TestFileBenchSchema(t *testing.T) {
	_, stdout, _ := sluice(t, "bench", "file", "--json", "--duration", "10ms", "--path", made(t))
	var got map[string]any
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for k := range got {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	want := strings.Fields(`backend batch bs bytes_per_s cpu_system_us_per_op cpu_us_per_op cpu_user_us_per_op depth direct entries_per_op interrupted
		iops jobs max_us mean_us operations p50_us p90_us p999_us p99_us path registered_buffers registered_files rw seconds size verified`)
	if !slices.Equal(keys, want) {
		t.Errorf("keys\n%v, want\n%v", keys, want)
	}
}

func TestFileBenchPrint(t *testing.T) {
	figure := func(f float64) *float64 { return &f }
	r := fileResult{
		Backend: "uring", RW: "randread", BlockSize: 4096, Depth: 64, Batch: 16, Jobs: 1, Direct: true, Files: true, Buffers: true,
		Seconds: 2, Operations: 1000, IOPS: 500, Bandwidth: 2048000, Mean: figure(1.25), P50: figure(2), P90: figure(3), P99: figure(4),
		P999: figure(5), Max: figure(6), UserMicros: figure(0.25), SystemMicros: figure(1), CPUMicros: figure(1.25), Entries: figure(0.0625),
	}
	const full = `file         randread of 4096 bytes, depth 64, 16 at a time, 1 job, direct, registered file, registered buffers, 2.00 s, on uring
operations   1000, 500/s, 2.0 MiB/s
latency      mean 1.2  p50 2.0  p90 3.0  p99 4.0  p99.9 5.0  max 6.0 µs
cpu          1.25 µs per operation: user 0.25, system 1.00
enters       0.062 per operation
verified     0 blocks
`
	const none = `file         read of 512 bytes, depth 1, 2 jobs, 0.00 s, on psync
operations   0
latency      n/a
cpu          n/a
enters       n/a
verified     7 blocks
interrupted  after 0.00 s of 1s
`
	for want, r := range map[string]fileResult{full: r, none: {
		Backend: psyncName, RW: "read", BlockSize: 512, Depth: 1, Jobs: 2, Verified: 7, Interrupted: true, duration: time.Second,
	}} {
		var out bytes.Buffer
		if err := r.print(&out); err != nil || out.String() != want {
			t.Errorf("%v, printed\n%swant\n%s", err, &out, want)
		}
	}
}

func TestFileBenchDirect(t *testing.T) {
	for _, name := range append(servers(t), psyncName) {
		if name == netName {
			continue
		}
		status, stdout, stderr := sluice(t, "bench", "file", "--duration", "20ms", "--path", made(t), "--direct", "--verify", "--backend", name)
		if status == 1 && strings.Contains(stderr, "its file system does no direct IO") {
			t.Skip(stderr)
		}
		if status != 0 || !strings.Contains(stdout, ", direct, ") {
			t.Errorf("%s: status %d, %s\n%s", name, status, stderr, stdout)
		}
	}
}

func TestFileBenchErrors(t *testing.T) {
	path := made(t)
	dir := filepath.Dir(path)
	for _, c := range []struct {
		args string
		want int
		text string
	}{
		{"", 2, "--path is missing"},
		{"more", 2, "no arguments"},
		{"--path F --rw sideways", 2, `--rw must be one of read, write, randread, randwrite, not "sideways"`},
		{"--path F --bs 100", 2, "--bs must be a multiple of 512"},
		{"--path F --bs 0", 2, "--bs"},
		{"--path F --bs 2g", 2, "--bs"},
		{"--path F --bs 4kb", 2, "want a number of bytes such as 4096, 4k"},
		{"--path F --bs -4k", 2, "want a number of bytes"},
		{"--path F --bs 9999999999t", 2, "out of range"},
		{"--path F --size 1k", 2, "--size must be a multiple of --bs"},
		{"--path F --depth 0", 2, "--depth must be from 1 to 16384"},
		{"--path F --depth 20000", 2, "--depth"},
		{"--path F --depth 8 --batch 9", 2, "--batch must be from 1 to 8"},
		{"--path F --batch-wait 2s", 2, "--batch-wait must be from 0s to 1s"},
		{"--path F --jobs 0", 2, "--jobs"},
		{"--path F --workers 5000", 2, "--workers"},
		{"--path F --depth 10000 --bs 1m", 2, "2 GiB or more of memory"},
		{"--path F --duration 1ms", 2, "--duration"},
		{"--path F --backend kqueue", 2, "known are auto, uring, epoll, poll, select, psync"},
		{"--path F --backend net", 2, `unknown backend "net"`},
		{"--path F --backend psync --fixed", 2, "psync has no engine to register buffers"},
		{"--path F --backend psync --registered-files", 2, "psync has no engine to register files"},
		{"--path F --rw write", 2, "would overwrite it: say --overwrite"},
		{"--path F --rw randwrite --size 4k", 2, "would overwrite it"},
		{"--path F --size 2m", 1, "has 1048576 bytes, less than --size, which is 2097152"},
		{"--path F --rw write --overwrite --verify --depth 200", 1, "256 blocks for each of 1 jobs, which need 400"},
		{"--path F --jobs 300", 1, "0 blocks for each of 300 jobs"},
		{"--path D/none", 1, "does not exist; --size makes it"},
		{"--path D/none --size 4k --jobs 2", 1, "0 blocks for each"},
		{"--path D/no/such --size 4k", 1, "no such file or directory"},
		{"--path D", 1, "neither a file nor a block device"},
		{"--path /dev/null", 1, "neither a file nor a block device"},
	} {
		t.Run(c.args, func(t *testing.T) {
			args := strings.Fields(strings.NewReplacer("F", path, "D/", dir+"/").Replace(c.args))
			if args = append([]string{"bench", "file"}, args...); c.args == "--path D" {
				args[3] = dir
			}
			status, stdout, stderr := sluice(t, args...)
			if status != c.want || !strings.HasPrefix(stderr, "sluice: ") || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.text) {
				t.Errorf("status %d, printed %q, want status %d and one line with %q", status, stderr, c.want, c.text)
			}
			if stdout != "" {
				t.Errorf("printed %q", stdout)
			}
		})
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
	if status, _, stderr := sluice(t, "bench", "file", "--path", path, "--rw", "read", "--verify", "--duration", "20ms"); status != 0 {
		t.Errorf("somebody has written to the file: %s", stderr)
	}
}

// TestFileBenchFindsCorruption: one bit of one block of many.
func TestFileBenchFindsCorruption(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(data []byte)
		want string
	}{
		{"a bit of the data", func(d []byte) { d[77*4096+2000] ^= 1 }, "offset 315392: the checksum is"},
		{"a bit of the header", func(d []byte) { d[77*4096+9] ^= 1 }, "offset 315392: the checksum is"},
		{"no header", func(d []byte) { clear(d[4096:8192]) }, "offset 4096: no header"},
		{"another block", func(d []byte) { copy(d[5*4096:6*4096], d[:4096]) }, "offset 20480: data that was written for offset 0"},
	} {
		for _, name := range []string{"auto", psyncName} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				path := made(t)
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				c.harm(data)
				if err := os.WriteFile(path, data, 0); err != nil {
					t.Fatal(err)
				}
				status, stdout, stderr := sluice(t, "bench", "file", "--path", path, "--rw", "read", "--verify", "--duration", "10s", "--backend", name)
				if status != 1 || stdout != "" || !strings.Contains(stderr, "wrong data at "+c.want) {
					t.Errorf("status %d, %s%s", status, stderr, stdout)
				}
			})
		}
	}
	t.Run("another size", func(t *testing.T) {
		status, _, stderr := sluice(t, "bench", "file", "--path", made(t), "--bs", "512", "--verify", "--duration", "10s")
		if status != 1 || !strings.Contains(stderr, "a header for 4096 bytes, not 512") {
			t.Errorf("status %d, %s", status, stderr)
		}
	})
}

// TestFileBenchFindsBadWrites runs the tool on engines that write something else than they should.
func TestFileBenchFindsBadWrites(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ backend, want string }{{"rotten", "the checksum is"}, {"muddled", "data that was written for offset"}} {
		t.Run(c.backend, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), watchdog)
			defer cancel()
			cmd := exec.CommandContext(ctx, exe, "bench", "file", "--path", made(t), "--rw", "randwrite", "--overwrite", "--verify",
				"--duration", "50ms", "--backend", c.backend)
			cmd.Env = append(os.Environ(), "SLUICE_TEST_AS_TOOL=1", "SLUICE_TEST_BROKEN=1")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Run(); !errors.As(err, new(*exec.ExitError)) || !strings.Contains(stderr.String(), c.want) {
				t.Errorf("%v, %s", err, &stderr)
			}
		})
	}
}

// TestFileBenchGeneration: what is left of an earlier write is not taken for the last one.
func TestFileBenchGeneration(t *testing.T) {
	b := make([]byte, 2*pageSize)
	sealBlock(b, pageSize, 0, 7)
	for _, want := range []uint64{7, anyGeneration} {
		if err := checkSeal(b, pageSize, 0, want); err != nil {
			t.Error(err)
		}
	}
	if err := checkSeal(b, pageSize, 0, 8); err == nil || !strings.Contains(err.Error(), "another write: 7, not 8") {
		t.Error(err)
	}
}

// TestFileBenchShort: half a block, as of a file that shrinks, is an error and not a fast read.
func TestFileBenchShort(t *testing.T) {
	for rw, want := range map[string]string{
		"read": "read of 4096 bytes at offset 20480: unexpected EOF", "write": "write of 4096 bytes at offset 20480: short write",
	} {
		j := &fileJob{r: &fileRun{benchFileCmd: &benchFileCmd{rw: rw}}, bs: 4096, at: []uint64{5}}
		if err := j.finish(0, 2048, nil); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestFileBenchInterrupted(t *testing.T) {
	p := start(t, nil, "bench", "file", "--path", made(t), "--duration", "1h", "--json")
	p.interrupt()
	line := p.line()
	var r fileResult
	if err := json.Unmarshal([]byte(line), &r); err != nil || !r.Interrupted || r.Operations != 0 || r.P50 != nil {
		t.Errorf("%v: %s", err, line)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("status %d, %s", status, p.stderr.String())
	}

	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs bytes.Buffer
	if status := run(ctx, []string{"bench", "file", "--path", filepath.Join(dir, "new"), "--size", "1g"}, nil, io.Discard, &errs); status != 1 ||
		errs.String() != "sluice: interrupted\n" {
		t.Errorf("status %d, %s", status, &errs)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestSizeValue(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  int64
		shown string
	}{{"4096", 4096, "4k"}, {"4K", 4096, "4k"}, {"512", 512, "512"}, {"3m", 3 << 20, "3m"}, {"1g", 1 << 30, "1g"}, {"2t", 2 << 40, "2t"}, {"0", 0, "0"}, {"2048t", 2 << 50, "2048t"}} {
		var s sizeValue
		if err := s.Set(c.text); err != nil || int64(s) != c.want || s.String() != c.shown {
			t.Errorf("%s: %d, shown as %s, %v", c.text, s, s.String(), err)
		}
	}
	for _, text := range []string{"", "k", "4kb", "1.5k", "-1", "99999999999999999999", "9999999999999999k"} {
		if err := new(sizeValue).Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
