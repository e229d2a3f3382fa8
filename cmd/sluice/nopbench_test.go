package main

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func TestNopBench(t *testing.T) {
	for _, name := range servers(t) {
		if name == netName {
			continue
		}
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := sluice(t, "bench", "nop", "--backend", name, "--batch", "7", "--duration", "20ms")
			const want = `^nop          7 at a time, \d\.\d\d s, on \w+\noperations   [1-9]\d*, \d+/s\ncpu          .+\nenters       \d\.\d+ per operation\n$`
			if status != 0 || stderr != "" || !regexp.MustCompile(want).MatchString(stdout) {
				t.Errorf("status %d, %s\n%s", status, stderr, stdout)
			}
			_, stdout, _ = sluice(t, "bench", "nop", "--backend", name, "--duration", "20ms", "--json")
			d := json.NewDecoder(strings.NewReader(stdout))
			d.DisallowUnknownFields()
			var r nopResult
			if err := d.Decode(&r); err != nil || r.Backend != name || r.Batch != 32 || r.Operations%(32*nopBatches) != 0 || r.PerSecond <= 0 || r.Interrupted {
				t.Errorf("%v: %s", err, stdout)
			}
		})
	}
}

func TestNopBenchErrors(t *testing.T) {
	for args, want := range map[string]string{
		"more": "no arguments", "--batch 0": "--batch must be from 1", "--duration 1ms": "--duration must be", "--backend net": `unknown backend "net"`,
	} {
		status, stdout, stderr := sluice(t, append([]string{"bench", "nop"}, strings.Fields(args)...)...)
		if status != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, %q, %q", args, status, stderr, stdout)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs strings.Builder
	if status := run(ctx, []string{"bench", "nop", "--duration", "1h"}, nil, &out, &errs); status != 0 || !strings.Contains(out.String(), "interrupted  after ") {
		t.Errorf("status %d, %s%s", status, errs.String(), out.String())
	}
}
