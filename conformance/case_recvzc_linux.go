package conformance

import (
	"errors"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var recvZCCardCases = []Case{
	{
		ID: "ZCR-11", Name: "an interface that cannot",
		Explanation: "A group for an interface that cannot write into it, as the loopback cannot, receives by copying; with Require it is an UnavailableError that says why and what would help, and nothing is made.",
		Requires:    recvZCFeats,
		Ops:         recvZC,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			o := api.BufferGroupOptions{Count: 4, ZeroCopy: &api.ZeroCopyOptions{Interface: "lo", Refill: 64, Require: true}}
			for range 2 {
				var u *api.UnavailableError
				g, err := t.Engine.NewBufferGroup(o)
				if g != nil || !errors.As(err, &u) || u.Backend != t.Engine.Name() || u.Reason == "" || u.Hint == "" {
					t.Fatalf("with Require: %v, %#v", g, err)
				}
				t.WantErr(api.RecvZC(a, 0, 1), unix.EINVAL)
			}
			o.ZeroCopy.Require = false
			g := t.Group(o)
			t.Submit(api.RecvZC(a, 0, 1))
			t.Put(b, "data")
			if c := t.Await(1); string(c.Buf) != "data" || !c.Flags.Has(api.Copied) {
				t.Errorf("got %s with %q, want the data with Copied", show(&c), c.Buf)
			} else {
				t.Release(g, c.Lease)
			}
			t.WantCount(g, 4, 4)
		},
	},
	{
		ID: "ZCR-11", Name: "no fd to look with",
		Explanation: "A group for an interface that cannot be looked for, for want of an fd, is EMFILE and no wrong option, and nothing is made.",
		Requires:    recvZCFeats,
		Fn: func(t *T) {
			o := api.BufferGroupOptions{Count: 2, ZeroCopy: &api.ZeroCopyOptions{Interface: "lo"}}
			t.WantCount(t.ZCGroup(1, 4), 4, 4) // what the engine opens at first it has by now
			t.withoutFDs(func() {
				if g, err := t.Engine.NewBufferGroup(o); g != nil || !errors.Is(err, unix.EMFILE) || errors.Is(err, api.ErrInvalidOption) {
					t.Errorf("without an fd: %v, %v", g, err)
				}
			})
			t.WantCount(t.Group(o), 2, 2)
		},
	},
	{
		ID: "ZCR-3", Name: "protocols of Linux",
		Explanation: "A RecvZC of a raw socket of TCP's number, of multipath TCP, of netlink and of sequenced packets is EPROTONOSUPPORT; TCP over IPv6 will do.",
		Requires:    recvZCFeats,
		Ops:         recvZC,
		Fn: func(t *T) {
			g := t.ZCGroup(0, 2)
			for _, s := range [][3]int{
				{unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_TCP}, {unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP},
				{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE}, {unix.AF_UNIX, unix.SOCK_SEQPACKET, 0}, {unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP},
			} {
				fd, err := unix.Socket(s[0], s[1]|unix.SOCK_CLOEXEC, s[2])
				if err != nil {
					continue // not in this kernel, or not for this user; the rest are there
				}
				t.WantErr(api.RecvZC(t.Own(fd), 0, 1), unix.EPROTONOSUPPORT)
			}
			t.wantAvailable(g, 2)
			fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err == nil {
				t.WantErr(api.RecvZC(t.Own(fd), 0, 2), unix.ENOTCONN)
			}
		},
	},
}
