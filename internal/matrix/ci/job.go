package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// job is one process of a test binary.
type job struct {
	name  string
	build *build
	run   string // -test.run
	skip  string // -test.skip
	count int
	cases bool     // it is a column of TestConformance
	usual string   // the backend whose usual column it is; "": of none
	env   []string // besides that of this process

	book *book
	err  error // of the process, beyond tests that have failed
	took time.Duration
}

// pattern is the -test.run of one test and what is below it.
func pattern(test string) string {
	parts := strings.Split(test, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// args are the arguments of the test binary. more are added.
func (j *job) args(more ...string) []string {
	a := []string{"-test.v=test2json", "-test.shuffle=on", "-test.timeout=30m", fmt.Sprint("-test.count=", j.count)}
	if j.run != "" {
		a = append(a, "-test.run="+j.run)
	}
	if j.skip != "" {
		a = append(a, "-test.skip="+j.skip)
	}
	return append(a, more...)
}

// start runs the job until its end.
func (j *job) start(more ...string) {
	begun := time.Now()
	j.book = newBook()
	j.err = j.exec(more)
	j.took = time.Since(begun)
	j.book.end()
	switch b := j.book; {
	case j.err == nil && b.failed > 0:
		j.err = fmt.Errorf("tests have failed, and the process has succeeded")
	case j.err == nil && b.passed+b.skipped == 0:
		j.err = fmt.Errorf("nothing has run")
	case len(b.unended) == 0 && b.failed > 0 && exitStatus(j.err) == 1:
		j.err = nil // the tests say it all
	}
}

func exitStatus(err error) int {
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	return -1
}

// drainTime is how long the converter may take for what is left when the process has ended. Something that the process has started may still
// have its output open.
const drainTime = time.Minute

// exec runs the test binary, its output through Go's own converter into the book.
func (j *job) exec(more []string) error {
	suite := exec.Command(j.build.binary, j.args(more...)...)
	suite.Env = append(append(os.Environ(), "SLUICE_MATRIX=full"), j.env...)
	if dir := filepath.Join(".", "conformance"); isDir(dir) {
		suite.Dir = dir // as go test does
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	suite.Stdout, suite.Stderr = w, w
	converter := exec.Command("go", "tool", "test2json", "-t", "-p", pkg)
	converter.Stdin, converter.Stderr = r, os.Stderr
	converter.WaitDelay = drainTime
	events, err := converter.StdoutPipe()
	if err != nil {
		return err
	}
	if err := converter.Start(); err != nil {
		return err
	}
	r.Close()
	err = suite.Start()
	w.Close()
	read := make(chan error, 1)
	go func() { read <- j.book.read(events) }()
	if err == nil {
		err = suite.Wait()
	}
	late := time.AfterFunc(drainTime, func() { _ = converter.Process.Kill() }) // what was read until then counts
	defer late.Stop()
	if bad := <-read; err == nil {
		err = bad
	}
	if bad := converter.Wait(); err == nil {
		err = bad
	}
	return err
}

func isDir(name string) bool {
	i, err := os.Stat(name)
	return err == nil && i.IsDir()
}

// summary is a line on the job, which has ended.
func (j *job) summary() string {
	s := fmt.Sprintf("%d passed, %d skipped, %d failed, %.1f s", j.book.passed, j.book.skipped, j.book.failed, j.took.Seconds())
	if j.err != nil {
		s += ", " + j.err.Error()
	}
	return s
}

// event is what test2json says (go doc test2json).
type event struct {
	Time   time.Time
	Action string
	Test   string
	Output string
}

// read takes down all events.
func (b *book) read(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if bad := json.Unmarshal(line, &e); bad != nil {
				return fmt.Errorf("test2json wrote %q: %w", line, bad)
			}
			b.take(&e)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
