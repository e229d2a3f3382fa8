package conformance

import (
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// rights are the fds in control data, which the case owns.
func (t *T) rights(control []byte) []int {
	t.tb.Helper()
	return t.received(&api.Msg{Control: control, ControlLen: len(control)})
}

// partsControlCases are about control data in provided buffers.
var partsControlCases = []Case{
	{
		ID: "RMM-6", Name: "fds",
		Explanation: "File descriptors that are passed to a RecvMsgMultishot or RecvMsgBuffer arrive, are close-on-exec, and the flags say nothing of that.",
		Requires:    recvMsgFeats,
		Ops:         recvMsgOnly,
		Fn: func(t *T) {
			t.unixPairs(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 4, Size: 512})
				m := &api.Msg{Control: make([]byte, unix.CmsgSpace(8))}
				send := func(text string) {
					r, w := t.Pipe(false)
					t.must("sendmsg", unix.Sendmsg(b, []byte(text), unix.UnixRights(w, r), nil, 0))
				}
				check := func(fds []int) {
					if len(fds) != 2 {
						t.Fatalf("%d fds have come, want 2", len(fds))
					}
					t.wantCloexec(fds[0])
					t.wantCloexec(fds[1])
					t.Put(fds[0], "x")
					t.WantGet(fds[1], "x")
					t.CloseNow(fds[0])
					t.CloseNow(fds[1])
				}
				send("one")
				t.into(g, api.RecvMsgBuffer(a, 0, m, 1), "one")
				if m.Flags != 0 {
					t.Errorf("the flags are %#x", m.Flags)
				}
				check(t.received(m))
				t.Submit(api.RecvMsgMultishot(a, 0, m, 2))
				for range 5 {
					t.StillPending(2)
					send("again")
					c := t.Await(2)
					check(t.rights(t.wantParts(&c, m, "again", 0).Control))
					t.Release(g, c.Lease)
				}
				t.must("close the group", g.Close())
				t.AwaitRes(2, ecanceled)
			})
		},
	},
	{
		ID: "RMM-3", Name: "too much control data",
		Explanation: "Control data that has no room is cut, the flags have MSG_CTRUNC, and no fd is lost or left open.",
		Requires:    recvMsgFeats,
		Ops:         recvMsgOnly | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			t.unixPairs(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 4, Size: 512})
				for i, room := range []int{0, 8, unix.CmsgLen(0), unix.CmsgLen(4)} {
					r, w := t.Pipe(false)
					m := &api.Msg{Control: make([]byte, room)}
					id := t.Submit(api.RecvMsgMultishot(a, 0, m, 1))[0]
					t.Perform()
					t.must("sendmsg", unix.Sendmsg(b, []byte("x"), unix.UnixRights(w, w), nil, 0))
					c := t.Await(1)
					p := t.wantParts(&c, m, "x", unix.MSG_CTRUNC)
					fds := t.rights(p.Control)
					if want := i / 3; len(fds) != want {
						t.Errorf("with room for %d bytes %d fds have come, want %d", room, len(fds), want)
					}
					for _, fd := range fds {
						t.CloseNow(fd)
					}
					t.CloseNow(w)
					t.WantEnd(r)
					t.Release(g, c.Lease)
					t.Want(api.Cancel(id, 2), 0)
					t.AwaitRes(1, ecanceled)
				}
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "RMM-6", Name: "nobody sees the fds",
		Explanation: "File descriptors in messages whose completions nobody reaps because the engine is closed are closed.",
		Requires:    recvMsgFeats,
		Ops:         recvMsgOnly,
		Fn: func(t *T) {
			for _, reaped := range []int{0, 1, 3} {
				a, b := t.Pair(false)
				e := t.Open(nil)
				g, err := e.NewBufferGroup(api.BufferGroupOptions{Count: 16, Size: 512})
				t.must("NewBufferGroup", err)
				m := &api.Msg{Control: make([]byte, unix.CmsgSpace(8))}
				if n, err := e.Submit([]api.Op{api.RecvMsgMultishot(a, 0, m, 1)}); n != 1 || err != nil {
					t.Fatalf("Submit: %d, %v", n, err)
				}
				var rs []int
				for range 6 {
					r, w := t.Pipe(false)
					t.must("sendmsg", unix.Sendmsg(b, []byte("x"), unix.UnixRights(w), nil, 0))
					t.CloseNow(w)
					rs = append(rs, r)
				}
				dst := make([]api.Completion, 1)
				for range reaped {
					n, err := e.Complete(dst, api.Wait{Min: 1, Deadline: t.deadline()})
					if n != 1 || err != nil {
						t.Fatalf("Complete: %d, %v", n, err)
					}
					p := t.wantParts(&dst[0], m, "x", 0)
					for _, fd := range t.rights(p.Control) {
						t.CloseNow(fd)
					}
				}
				t.must("close", e.Close())
				t.CloseNow(a) // with the messages that have not been received
				for _, r := range rs {
					t.WantEnd(r)
				}
				if reaped > 0 {
					t.must("release", g.Release(dst[0].Lease))
				}
			}
		},
	},
	{
		ID: "SBN-8", Name: "MSG_ZEROCOPY",
		Explanation: "Asking for MSG_ZEROCOPY has no effect on a SendBundle, whose buffers are used anew when it has ended.",
		Requires:    sendBundleFeats,
		Ops:         sendOnly,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			t.set(a, unix.SOL_SOCKET, unix.SO_ZEROCOPY, 1)
			g := t.senders(0, 2, 1<<15)
			for i := range 20 {
				want := strings.Repeat(string(rune('a'+i)), 1<<15)
				t.queue(g, want, want)
				t.Want(arg(api.SendBundle(a, 0, 1), unix.MSG_ZEROCOPY), 1<<16)
				t.WantGet(b, want+want)
			}
			if _, _, _, _, err := unix.Recvmsg(a, nil, make([]byte, 128), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT); err != unix.EAGAIN {
				t.Errorf("the socket has notifications of zero-copy sends: %v", err)
			}
		},
	},
	{
		ID: "RMM-1", Name: "credentials",
		Explanation: "A RecvMsgBuffer that waits gets the credentials of who has sent, time and again.",
		Requires:    api.FeatBufferGroups,
		Ops:         recvMsgOnly,
		Fn: func(t *T) {
			t.unixPairs(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 2, Size: 64})
				t.set(a, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
				m := &api.Msg{Control: make([]byte, unix.CmsgSpace(unix.SizeofUcred))}
				for range 3 {
					t.Submit(api.RecvMsgBuffer(a, 0, m, 1))
					t.StillPending(1)
					_, err := unix.Write(b, []byte("x"))
					t.must("write", err)
					t.AwaitBuffer(g, 1, "x")
					all, err := unix.ParseSocketControlMessage(m.Control[:m.ControlLen])
					t.must("parse the control data", err)
					if len(all) != 1 || m.Flags != 0 {
						t.Fatalf("%d messages of control data, flags %#x", len(all), m.Flags)
					}
					if cred, err := unix.ParseUnixCredentials(&all[0]); err != nil || int(cred.Pid) != unix.Getpid() {
						t.Errorf("the credentials are %+v, %v", cred, err)
					}
				}
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "RMM-5", Name: "empty message with fds",
		Explanation: "An empty datagram or record with file descriptors ends a RecvMsgMultishot with a buffer that has them.",
		Requires:    recvMsgFeats,
		Ops:         msgOps,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 512})
			for _, typ := range []int{unix.SOCK_DGRAM, unix.SOCK_SEQPACKET} {
				a, b := t.pairOf(typ, false)
				r, w := t.Pipe(false)
				m := &api.Msg{Control: make([]byte, unix.CmsgSpace(4))}
				t.Submit(api.RecvMsgMultishot(a, 0, m, 1))
				t.Perform()
				t.Want(api.SendMsg(b, &api.Msg{Control: unix.UnixRights(w)}, 2), 0)
				c := t.Await(1)
				p := t.wantParts(&c, m, "", 0)
				fds := t.rights(p.Control)
				if c.More() || len(fds) != 1 {
					t.Fatalf("%s with %d fds", show(&c), len(fds))
				}
				t.CloseNow(w)
				t.CloseNow(fds[0])
				t.WantEnd(r)
				t.Release(g, c.Lease)
			}
			t.available(g, 4)
		},
	},
	{
		ID: "RMM-5", Name: "end of records",
		Explanation: "A RecvMsgMultishot ends with 0, without a buffer, when the peer of its record or stream socket has gone, with SO_PASSCRED too.",
		Requires:    recvMsgFeats,
		Ops:         recvMsgOnly,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 512})
			for _, typ := range []int{unix.SOCK_STREAM, unix.SOCK_SEQPACKET} {
				for _, creds := range []int{0, 1} {
					a, b := t.pairOf(typ, false)
					t.set(a, unix.SOL_SOCKET, unix.SO_PASSCRED, creds)
					m := &api.Msg{Control: make([]byte, 64)}
					t.Submit(api.RecvMsgMultishot(a, 0, m, 1))
					for range 3 {
						t.StillPending(1)
						_, err := unix.Write(b, []byte("x"))
						t.must("write", err)
						c := t.Await(1)
						p := t.wantParts(&c, m, "x", 0)
						if n := creds * unix.CmsgSpace(unix.SizeofUcred); len(p.Control) != n {
							t.Errorf("%d bytes of control data, want %d", len(p.Control), n)
						}
						t.Release(g, c.Lease)
					}
					t.CloseNow(b)
					c := t.Await(1)
					if c.Res != 0 || c.Flags != 0 {
						t.Errorf("at the end: %s", show(&c))
					}
				}
			}
			t.available(g, 4)
		},
	},
}
