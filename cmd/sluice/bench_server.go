package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"time"
)

// childMax bounds how long a server takes to start, and to end.
const childMax = 10 * time.Second

// child is an echo server in a process of its own. It ends when this process closes its input, and so also
// when this process ends in whatever way.
type child struct {
	addr   netip.AddrPort
	cmd    *exec.Cmd
	cancel context.CancelFunc
	stdin  io.Closer
	lines  <-chan string // of its output
	stderr *strings.Builder
	waited bool
}

func startServer(ctx context.Context, name, wait string) (*child, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &child{cancel: cancel, stderr: &strings.Builder{}}
	c.cmd = exec.CommandContext(ctx, exe, "serve", "raw-echo", "--addr", "127.0.0.1:0", "--backend", name,
		"--wait", wait, "--stats", "--until-eof")
	c.cmd.Stderr = c.stderr
	c.cmd.WaitDelay = childMax
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	c.stdin = stdin
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	c.lines = readLines(stdout)
	line, err := c.line()
	if err != nil {
		c.kill()
		return nil, err
	}
	var addr string
	if _, err := fmt.Sscanf(line, "listening on %s ", &addr); err == nil {
		c.addr, err = netip.ParseAddrPort(addr)
		if err == nil {
			return c, nil
		}
	}
	c.kill()
	return nil, fmt.Errorf("the server printed %q", line)
}

func readLines(r io.Reader) <-chan string {
	lines := make(chan string, 2) // as many as the server prints
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return lines
}

// line is the next line that the server prints.
func (c *child) line() (string, error) {
	select {
	case line, ok := <-c.lines:
		if ok {
			return line, nil
		}
		err := c.wait()
		if msg := strings.TrimSpace(c.stderr.String()); msg != "" {
			return "", errors.New(strings.TrimPrefix(msg, "sluice: "))
		}
		return "", fmt.Errorf("the server ended early: %v", err)
	case <-time.After(childMax):
		return "", fmt.Errorf("the server said nothing within %v", childMax)
	}
}

func (c *child) wait() error {
	c.waited = true
	return c.cmd.Wait()
}

// stop ends the server and returns what it has done.
func (c *child) stop() (*serveStats, error) {
	if err := c.stdin.Close(); err != nil {
		return nil, err
	}
	line, err := c.line()
	if err != nil {
		return nil, err
	}
	st := &serveStats{}
	if err := json.Unmarshal([]byte(line), st); err != nil {
		return nil, fmt.Errorf("the server printed %q: %w", line, err)
	}
	return st, c.wait()
}

// kill ends the server if it has not ended.
func (c *child) kill() {
	c.cancel()
	if !c.waited {
		_ = c.wait() // that it was killed is no news
	}
}
