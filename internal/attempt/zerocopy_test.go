package attempt

import (
	"syscall"
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/core"
)

// TestSentZC: what is made of the result of one send with MSG_ZEROCOPY.
func TestSentZC(t *testing.T) {
	for _, c := range []struct {
		name    string
		counted bool // the numbers of the sends are known
		n       int
		errno   syscall.Errno

		want   syscall.Errno
		goesOn bool // without copying
		notifs int32
		copied bool
	}{
		{name: "the first", n: 5, notifs: 1},
		{name: "another", counted: true, n: 5, notifs: 1, goesOn: true},
		{name: "no memory for notifications", counted: true, errno: syscall.ENOBUFS, want: errCopy},
		{name: "another protocol on top, as TLS", errno: syscall.EOPNOTSUPP, want: errCopy},
		{name: "no room", counted: true, errno: syscall.EAGAIN, want: syscall.EAGAIN},
		{name: "broken", errno: syscall.EPIPE, want: syscall.EPIPE},
		{name: "nothing", counted: true, copied: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tries, s := &Tries{}, &core.Slot{Op: api.SendZC(1, nil, 1)}
			r := &sender{fd: -1, cookie: 7, counted: c.counted, next: 3}
			tries.ZC.list = map[uint64]*sender{7: r}
			next, errno := tries.sentZC(r, s, c.n, c.errno)
			if errno != c.want || (next != nil) != c.goesOn || s.Notifs != c.notifs || s.Copied != c.copied {
				t.Errorf("%v, goes on %v, %d notifications, copied %v", errno, next != nil, s.Notifs, s.Copied)
			}
			if len(r.out) != int(c.notifs) || int(r.next) != 3+len(r.out) {
				t.Errorf("%d are in use, the next is number %d", len(r.out), r.next)
			}
			if kept := len(tries.ZC.list) == 1; kept != (c.counted || c.notifs > 0) {
				t.Errorf("it is kept: %v", kept)
			}
		})
	}
	s := &core.Slot{Op: api.SendZC(1, nil, 1)}
	if _, errno := (&Tries{}).sentZC(nil, s, 5, 0); errno != 0 || !s.Copied || s.Notifs != 0 {
		t.Errorf("a send that copies: %v, %+v", errno, s)
	}
}
