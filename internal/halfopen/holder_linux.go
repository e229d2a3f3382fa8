package halfopen

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// envTask has a task, as JSON, for a process that is to hold connections.
const envTask = "SLUICE_HALFOPEN"

// lifetime bounds that of a process whose test has forgotten it, or hangs.
const lifetime = 5 * time.Minute

// gotMax is how much of what comes on a connection is kept.
const gotMax = 1 << 10

// sourcesMax is how many addresses more a process connects from when it finds no port.
const sourcesMax = 8

// task is what one process does.
type task struct {
	Port   int
	Source [4]byte // the address that it connects from: each has ports of its own
	Count  int
	Send   []string // connection i sends Send[i%len(Send)]
}

// result is how the connections of one process have ended.
type result struct {
	Err   string         `json:",omitempty"`
	Ended map[string]int // by what End gives
	Anew  int            // how many the kernel of the server had forgotten, so that they were made anew
}

// Main does what a process that holds connections is there for, and ends it. In every other process it returns at once.
func Main() {
	text := os.Getenv(envTask)
	if text == "" {
		return
	}
	time.AfterFunc(lifetime, func() { os.Exit(3) })
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil { // until all the processes are there
		os.Exit(2)
	}
	go func() { // the end of its input is that of the test
		_, _ = in.ReadByte()
		os.Exit(2)
	}()
	var t task
	var r result
	err := json.Unmarshal([]byte(text), &t)
	if err == nil {
		r, err = t.hold()
	}
	if err != nil {
		r.Err = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// held is a connection.
type held struct {
	fd   int
	send string
	sent bool
	got  []byte
}

// holding are the connections of a process.
type holding struct {
	task *task
	ep   int
	all  []held
	open int
	result
}

// hold makes the connections, and returns when all have ended.
func (t *task) hold() (result, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return result{}, fmt.Errorf("epoll_create1: %w", err)
	}
	defer unix.Close(ep)
	h := holding{task: t, ep: ep, all: make([]held, t.Count), result: result{Ended: map[string]int{}}}
	for i := range h.all {
		if err := h.connect(i); err != nil {
			return h.result, err
		}
		if i%64 == 0 { // so that those which are there send meanwhile
			if err := h.turns(0); err != nil {
				return h.result, err
			}
		}
	}
	for h.open > 0 {
		if err := h.turns(-1); err != nil {
			return h.result, err
		}
	}
	return h.result, nil
}

// turns does what connections are ready for.
func (h *holding) turns(wait int) error {
	var events [128]unix.EpollEvent
	n, err := unix.EpollWait(h.ep, events[:], wait)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("epoll_wait: %w", err)
	}
	for _, e := range events[:max(n, 0)] {
		c := &h.all[e.Fd]
		end := c.turn()
		if end == "" {
			continue
		}
		// With a reset, the server's kernel keeps nothing of a connection that has ended: thousands of them would take the ports of tests to come.
		if err := unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
			return fmt.Errorf("SO_LINGER: %w", err)
		}
		unix.Close(c.fd)
		h.open--
		if forgotten(end) && len(c.got) == 0 {
			h.Anew++
			if err := h.connect(int(e.Fd)); err != nil {
				return err
			}
			continue
		}
		h.Ended[End(c.send, string(c.got), end)]++
	}
	return nil
}

// forgotten says whether an end may be that of a connection which the server has never had. When its backlog is full, the kernel answers with SYN
// cookies, and keeps nothing: if it drops what the client answers, as there is still no room, the client takes the connection for made, and is the only one
// who knows of it, until it sends something or looks whether the other is still there. Then it is told with a reset. Whether the server has reset
// one that it did have shows in how many it has had.
func forgotten(end string) bool { return end == "ECONNRESET" || end == "EPIPE" }

// connect begins a connection. It does not wait for the server, whose backlog may be full.
func (h *holding) connect(i int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("socket %d: %w", i, err)
	}
	h.all[i] = held{fd: fd, send: h.task.Send[i%len(h.task.Send)]}
	h.open++
	if err := h.options(fd); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: h.task.Source}); err != nil {
		return fmt.Errorf("bind %d: %w", i, err)
	}
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: h.task.Port, Addr: [4]byte{127, 0, 0, 1}})
	if errors.Is(err, unix.EADDRNOTAVAIL) && h.task.Source[2] < sourcesMax {
		h.task.Source[2]++ // somebody else has used up the ports of this one
		unix.Close(fd)
		h.open--
		return h.connect(i)
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("connect %d: %w", i, err)
	}
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff, Fd: int32(i)}
	if err := unix.EpollCtl(h.ep, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// options has connect choose the port, so that one that is in use with another peer will do, and the connection look every now and then
// whether the other end is there, for the sake of those that are forgotten.
func (h *holding) options(fd int) error {
	for _, o := range []struct {
		name              string
		level, opt, value int
	}{
		{"IP_BIND_ADDRESS_NO_PORT", unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1},
		{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 2},
		{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 2},
		{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 100}, // it has ended before that
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.opt, o.value); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return nil
}

// turn does what a connection is ready for. It returns how it has ended, "" if it has not.
func (c *held) turn() (end string) {
	if !c.sent && c.send != "" {
		// It takes all of it: it is short, and nothing was sent before.
		switch _, err := unix.Write(c.fd, []byte(c.send)); {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOTCONN):
			return "" // not connected yet
		case errors.Is(err, unix.EPIPE): // what has come says more
		case err != nil:
			return unix.ErrnoName(errnoOf(err))
		}
		c.sent = true
	}
	var b [gotMax]byte
	for {
		switch n, err := unix.Read(c.fd, b[:]); {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOTCONN):
			return ""
		case err != nil:
			return unix.ErrnoName(errnoOf(err))
		case n == 0:
			return "EOF"
		default:
			c.got = append(c.got, b[:min(n, gotMax-len(c.got))]...)
		}
	}
}

func errnoOf(err error) (e unix.Errno) {
	errors.As(err, &e)
	return e
}

// End describes an end: what was sent and what came, and what came last, EOF or the name of an error.
func End(sent, got, end string) string {
	return fmt.Sprintf("sent %q, got %q and %s", sent, strings.ToValidUTF8(got, "?"), end)
}
