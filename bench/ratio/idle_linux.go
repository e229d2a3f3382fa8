package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	perAddr   = 4000                   // connections from one address of the loopback, of the 28,000 ports that it has
	settle    = 200 * time.Millisecond // between two looks at the memory
	settleMax = 50                     // looks, until it must be the same twice
	warmup    = 2000                   // messages, to touch the memory that a server has for all of its connections
	echoMax   = 10 * time.Second       // for a message to come back
)

// idle is what connections cost on which nothing happens, in bytes of each.
type idle struct {
	resident float64 // of the server
	kernel   float64 // of both ends
}

func (r idle) figures() [4]float64 { return [4]float64{r.resident, r.kernel} }

// compareIdle runs both servers in turn, with connections that are idle, and prints what one costs.
func compareIdle(ctx context.Context, s *settings, out io.Writer) error {
	var runs [2][]idle
	for range s.reps {
		for i, command := range s.commands {
			r, err := measureIdle(ctx, s, command)
			if err != nil {
				return fmt.Errorf("%c: %w", 'A'+i, err)
			}
			runs[i] = append(runs[i], r)
		}
	}
	for i, command := range s.commands {
		m := medians(runs[i], idle.figures)
		fmt.Fprintf(out, "%c  %d idle connections: %5.0f B resident each  kernel, both ends, %5.0f B  %s\n", 'A'+i, s.idle, m[0], m[1], command)
	}
	return nil
}

// measureIdle runs a server, makes the connections, has each send a message back if there is a size, and looks at what memory that has taken.
func measureIdle(ctx context.Context, s *settings, command string) (idle, error) {
	addr, err := freeAddr()
	if err != nil {
		return idle{}, err
	}
	srv, err := start(ctx, s, command, addr)
	if err != nil {
		return idle{}, err
	}
	defer srv.end()
	if err = srv.listens(ctx, addr); err != nil {
		return idle{}, err
	}
	held := holder{addr: addr, message: make([]byte, s.size)}
	defer held.close()
	if err = held.warm(); err != nil {
		return idle{}, fmt.Errorf("%w%s", err, srv.said())
	}
	before, err := srv.memory(ctx)
	if err != nil {
		return idle{}, err
	}
	if err = held.more(s.idle); err != nil {
		return idle{}, fmt.Errorf("%w%s", err, srv.said())
	}
	after, err := srv.memory(ctx)
	if err != nil {
		return idle{}, err
	}
	n := float64(s.idle)
	return idle{(after.resident - before.resident) / n, (after.kernel - before.kernel) / n}, nil
}

// memory is what there is when it has stopped to change, in bytes per process and per machine.
func (v *server) memory(ctx context.Context) (idle, error) {
	var last idle
	for range settleMax {
		now, err := v.memoryNow()
		if err != nil {
			return idle{}, err
		}
		if now.resident == last.resident {
			return now, nil
		}
		last = now
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return idle{}, ctx.Err()
		}
	}
	return last, nil
}

func (v *server) memoryNow() (m idle, err error) {
	resident, err := status(v.cmd.Process.Pid, "VmRSS")
	if err != nil {
		return m, err
	}
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Slab:" {
			kib, err := strconv.ParseFloat(f[1], 64)
			return idle{resident * 1024, kib * 1024}, err
		}
	}
	return m, errors.New("/proc/meminfo has no Slab")
}

// holder has the connections.
type holder struct {
	addr    netip.AddrPort
	message []byte
	conns   []net.Conn
}

func (h *holder) close() {
	for _, c := range h.conns {
		_ = c.(*net.TCPConn).SetLinger(0) // the next run needs the port
		c.Close()
	}
}

// warm has the server make what it makes once, and not for each connection.
func (h *holder) warm() error {
	if err := h.more(1); err != nil {
		return err
	}
	for range warmup {
		if err := h.exchange(h.conns[0]); err != nil {
			return err
		}
	}
	return nil
}

// more makes n more connections.
func (h *holder) more(n int) error {
	for range n {
		from := net.IPv4(127, 0, 0, byte(2+len(h.conns)/perAddr%200))
		d := net.Dialer{Timeout: echoMax, LocalAddr: &net.TCPAddr{IP: from}}
		c, err := d.Dial("tcp", h.addr.String())
		if err != nil {
			return fmt.Errorf("connection %d: %w", len(h.conns), err)
		}
		h.conns = append(h.conns, c)
		if err := h.exchange(c); err != nil {
			return fmt.Errorf("connection %d: %w", len(h.conns)-1, err)
		}
	}
	return nil
}

func (h *holder) exchange(c net.Conn) error {
	if len(h.message) == 0 {
		return nil
	}
	if err := c.SetDeadline(time.Now().Add(echoMax)); err != nil {
		return err
	}
	if _, err := c.Write(h.message); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, len(h.message)))
	return err
}
