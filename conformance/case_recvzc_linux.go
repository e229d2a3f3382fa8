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
}
