//go:build unix

package conformance

import (
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

const (
	// idleTime is how long idle looks on.
	idleTime = 100 * time.Millisecond
	// idleEnters is how many system calls an engine may make in that time. One that asks again after a pause of a
	// millisecond, doubled up to ten, makes some dozens, and a Spin some more; one that turns in a circle ten thousands.
	idleEnters = 400
)

// idle waits for a while in which nothing can complete, and fails the case if the engine keeps asking meanwhile.
func (t *T) idle() {
	t.tb.Helper()
	t.Quiet() // what is to be registered is
	t.pull(1, api.After(2*lookTime))
	before := t.Engine.Stats().Enters
	for end := api.After(idleTime); api.Now() < end; {
		t.pull(1, end)
	}
	if len(t.stash) > 0 {
		t.Fatalf("completions that should not be: %s", showAll(t.stash))
	}
	if n := t.Engine.Stats().Enters - before; n > idleEnters {
		t.Errorf("%d system calls in %v of waiting for what does not come", n, idleTime)
	}
}

// idleCases are about waits that must not turn in a circle.
var idleCases = []Case{
	{
		ID: "ENG-11", Name: "poll for a hang-up where there is data",
		Explanation: "A poll for nothing but a hang-up waits without asking again and again, although there is unread data.",
		Needs:       NeedStreams,
		Ops:         pollOps,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			t.Put(b, "unread")
			t.ready(a, unix.POLLIN)
			t.Submit(api.Poll(a, 0, 1))
			t.idle()
		},
	},
	{
		ID: "ENG-11", Name: "datagram to a full queue",
		Explanation: "A message to a Unix datagram socket that takes no more waits without asking again and again, and is sent when there is room.",
		Ops:         api.Ops(api.OpSendMsg),
		Fn: func(t *T) {
			peer, path := t.fullDatagram()
			s := t.Socket(unix.AF_UNIX, unix.SOCK_DGRAM)
			m := vec("late")
			m.Addr = api.UnixAddr(path)
			t.Submit(api.SendMsg(s, m, 1))
			t.idle()
			t.drainDatagrams(peer)
			t.Prompt(1, 4)
		},
	},
	{
		ID: "ENG-11", Name: "accepted number with data",
		Explanation: "Data on a new connection whose number the engine knew as another's does not keep the engine busy while nothing is in flight.",
		Ops:         acceptOps | recvOnly,
		Fn: func(t *T) {
			l, addr := t.Listener()
			first, second := t.Dial(addr), t.Dial(addr)
			t.Put(second, "data")
			n := int(t.Do(api.Accept(l, 1)).Res)
			t.Submit(api.Recv(n, make([]byte, 8), 2))
			t.StillPending(2)
			t.Put(first, "x")
			t.AwaitRes(2, 1)
			t.CloseNow(n)
			if m := int(t.Do(api.Accept(l, 3)).Res); m != n {
				t.Skipf("the accepted connection got the number %d, not %d again", m, n)
			}
			t.ready(n, unix.POLLIN)
			t.idle()
			t.Submit(api.Recv(n, make([]byte, 8), 4))
			t.Prompt(4, 4)
		},
	},
}

// fullDatagram is a Unix datagram socket whose queue takes no more.
func (t *T) fullDatagram() (fd int, path string) {
	path = t.socketPath()
	fd = t.Socket(unix.AF_UNIX, unix.SOCK_DGRAM)
	t.must("bind", unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	t.fillDatagram(path)
	return fd, path
}

// fillDatagram sends to a Unix datagram socket until it takes no more.
func (t *T) fillDatagram(path string) {
	s := t.Socket(unix.AF_UNIX, unix.SOCK_DGRAM)
	t.nonblock(true, s)
	for range 1 << 16 {
		switch err := unix.Sendto(s, []byte("x"), 0, &unix.SockaddrUnix{Name: path}); err {
		case nil, unix.EINTR:
		case unix.EAGAIN:
			return
		default:
			t.Skipf("a full queue of datagrams is told as %v here", err)
		}
	}
	t.Skipf("the queue of a datagram socket has no bound here")
}

// drainDatagrams takes all datagrams that there are.
func (t *T) drainDatagrams(fd int) (all string) {
	t.nonblock(true, fd)
	for b := make([]byte, 8); ; {
		n, err := readNow(fd, b)
		if err != nil || t.spent() { // at the end of what has one there are empty ones for ever
			break
		}
		all += string(b[:n])
	}
	t.nonblock(false, fd)
	return all
}
