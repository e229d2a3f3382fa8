package conformance

import (
	"strings"
	"time"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// datagramOps are the operations of eachDatagramRead.
var datagramOps = api.Ops(api.OpRecv, api.OpRecvMsg, api.OpRead, api.OpReadv, api.OpShutdown)

// eachDatagramRead calls f for each way to receive one datagram from b, each time with new sockets: those of a connected pair, and of UDP sockets of
// which b is not connected. The group 1 is for it.
func (t *T) eachDatagramRead(f func(a, b int, op api.Op)) {
	for _, pair := range []func() (int, int){t.UDP, t.Dgrams, t.toUnconnected} {
		for n := range 6 {
			a, b := pair()
			ops := []api.Op{
				api.Recv(b, make([]byte, 8), 1), api.RecvMsg(b, &api.Msg{Bufs: bytesFor(1, 8), Control: make([]byte, 64)}, 1),
				api.Read(b, make([]byte, 8), api.CurrentPosition, 1), api.Readv(b, &api.Msg{Bufs: bytesFor(2, 4)}, api.CurrentPosition, 1),
				api.RecvBuffer(b, 1, 1), current(b, 1, 1),
			}
			f(a, b, ops[n])
			if t.Failed() {
				t.Fatalf("that was a %v with the flags %#x", ops[n].Code, ops[n].Flags)
			}
		}
	}
}

// toUnconnected is a UDP socket that is connected to one that is not.
func (t *T) toUnconnected() (a, b int) {
	b, at := t.UDPBound()
	a, _ = t.UDPBound()
	t.must("connect", unix.Connect(a, sockaddr(at)))
	return a, b
}

// stopReading shuts a datagram socket down for reading. The kernel does that, too, where it says that it is not connected.
func (t *T) stopReading(fd int) {
	if err := unix.Shutdown(fd, unix.SHUT_RD); err != unix.ENOTCONN {
		t.must("shutdown", err)
	}
}

// gets says what arrives for op, which may take a buffer of g.
func (t *T) gets(g api.BufferGroup, op api.Op, want string) {
	t.tb.Helper()
	c := t.Do(op)
	t.WantRes(&c, len(want))
	if c.Flags.Has(api.Buffer) {
		t.Release(g, c.Lease)
	}
}

// shutdownWaitCases are about shutdowns of which poll(2) says less than a call that waits.
var shutdownWaitCases = []Case{
	{
		ID: "SHU-7", Name: "receives that wait",
		Explanation: "A receive that waits on a datagram socket ends with 0 when the socket is shut down for reading, and so does each behind it.",
		Requires:    api.FeatBufferGroups,
		Ops:         datagramOps,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{ID: 1, Count: 4, Size: 16})
			t.eachDatagramRead(func(_, b int, op api.Op) {
				behind := op
				behind.Tag = 2
				if m := op.Msg; m != nil {
					m.Flags, m.ControlLen, m.Addr = -1, 7, api.UnixAddr("/stale")
				}
				t.Submit(op, behind)
				t.StillPending(1, 2)
				t.stopReading(b)
				t.Prompt(1, 0)
				t.Prompt(2, 0)
				if m := op.Msg; op.Code == api.OpRecvMsg && (m.Flags != 0 || m.ControlLen != 0 || !m.Addr.IsZero()) {
					t.Errorf("the Msg has the flags %#x, control data of %d bytes and the address %v of nothing", m.Flags, m.ControlLen, m.Addr)
				}
			})
			t.available(g, 4)
		},
	},
	{
		ID: "SHU-7", Name: "receives that come later",
		Explanation: "On a datagram socket that has been shut down for reading a receive gives what is queued, then 0, whenever the shutdown was, and EAGAIN with DontWait.",
		Requires:    api.FeatBufferGroups | api.FeatDontWait,
		Ops:         datagramOps,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{ID: 1, Count: 4, Size: 16})
			t.eachDatagramRead(func(a, b int, op api.Op) {
				t.Submit(op)
				t.StillPending(1)
				t.Put(a, "one")
				c := t.Await(1)
				t.WantRes(&c, 3)
				if c.Flags.Has(api.Buffer) {
					t.Release(g, c.Lease)
				}
				t.Put(a, "two")
				t.Put(a, "four")
				t.stopReading(b)
				t.Quiet() // whatever is told of it has been told
				t.gets(g, op, "two")
				t.gets(g, op, "four")
				for range 3 {
					t.gets(g, op, "")
				}
				t.WantErr(op.With(api.DontWait), unix.EAGAIN)
				t.gets(g, op, "")
			})
			t.available(g, 4)
		},
	},
	{
		ID: "SHU-7", Name: "buffers in pieces",
		Explanation: "A receive that ends so takes no buffer away that is filled piece by piece, however often.",
		Requires:    pieceFeats,
		Ops:         datagramOps,
		Fn: func(t *T) {
			for _, count := range []int{1, 4} {
				g := t.Group(api.BufferGroupOptions{ID: 1, Count: count, Size: 16, Incremental: true})
				a, b := t.Dgrams()
				_, shut := t.Dgrams()
				t.stopReading(shut)
				for i := range 4 * count {
					t.Put(a, "x")
					c := t.Do(api.RecvBuffer(b, 1, 1))
					t.WantRes(&c, 1)
					if i%2 == 0 {
						t.Release(g, c.Lease)
					}
					t.Want(api.RecvBuffer(shut, 1, 2), 0)
					if i%2 != 0 {
						t.Release(g, c.Lease)
					}
				}
				t.available(g, count)
				t.must("closing the group", g.Close())
			}
		},
	},
	{
		ID: "SHU-7", Name: "shut down by the engine",
		Explanation: "The engine's own Shutdown does the same as shutdown(2).",
		Ops:         datagramOps,
		Fn: func(t *T) {
			for _, pair := range []func() (int, int){t.UDP, t.Dgrams} {
				_, b := pair()
				t.Submit(api.Recv(b, make([]byte, 8), 1))
				t.StillPending(1)
				t.Want(api.Shutdown(b, api.ShutRead, 2), 0)
				t.Prompt(1, 0)
				t.Want(api.Recv(b, make([]byte, 8), 3), 0)
			}
		},
	},
	{
		ID: "SHU-7", Name: "MSG_ERRQUEUE where there is no such queue",
		Explanation: "A Unix datagram socket takes no notice of MSG_ERRQUEUE, so that such a receive gives 0 as well.",
		Ops:         datagramOps,
		Fn: func(t *T) {
			_, b := t.Dgrams()
			op := api.Recv(b, make([]byte, 8), 1)
			op.Arg = unix.MSG_ERRQUEUE
			t.Submit(op)
			t.StillPending(1)
			t.stopReading(b)
			t.Prompt(1, 0)
			t.Want(op, 0)
		},
	},
	{
		ID: "SHU-7", Name: "a datagram comes all the same",
		Explanation: "A UDP socket that has been shut down for reading receives what comes afterwards.",
		Ops:         datagramOps,
		Fn: func(t *T) {
			for _, pair := range []func() (int, int){t.UDP, t.toUnconnected} {
				a, b := pair()
				t.stopReading(b)
				buf := make([]byte, 8)
				for _, s := range []string{"one", "two"} {
					t.Want(api.Recv(b, buf, 1), 0)
					t.Put(a, s)
					t.Want(api.Recv(b, buf, 2), 3)
					t.WantBytes(buf[:3], s)
				}
			}
		},
	},
	{
		ID: "SHU-8", Name: "multishot",
		Explanation: "A multishot receive goes on waiting when its datagram socket is shut down for reading, does not turn in a circle, delivers what comes, and can be cancelled.",
		Requires:    bufferFeats,
		Ops:         recvOnly | api.Ops(api.OpCancel),
		Fn:          func(t *T) { t.shutMultishots(false, func(fd int) api.Op { return api.RecvMultishot(fd, 1, 1) }) },
	},
	{
		ID: "SHU-8", Name: "multishot into pieces",
		Explanation: "The same with a group whose buffers are filled piece by piece.",
		Requires:    pieceFeats,
		Ops:         recvOnly | api.Ops(api.OpCancel),
		Fn:          func(t *T) { t.shutMultishots(true, func(fd int) api.Op { return api.RecvMultishot(fd, 1, 1) }) },
	},
	{
		ID: "SHU-8", Name: "multishot of reads",
		Explanation: "The same with a multishot read.",
		Requires:    api.FeatMultishotRead,
		Ops:         readAndMore | api.Ops(api.OpCancel),
		Fn:          func(t *T) { t.shutMultishots(false, func(fd int) api.Op { return api.ReadMultishot(fd, 1, 1) }) },
	},
	{
		ID: "SHU-9", Name: "a send that waits",
		Explanation: "A send that waits on a Unix stream or SEQPACKET socket ends with EPIPE when the peer shuts down reading, and so does each behind it.",
		Requires:    zeroCopy,
		Ops:         sendOps,
		Fn: func(t *T) {
			for _, pair := range []func(bool) (int, int){t.Pair, t.Records} {
				for n := range 5 {
					a, b := pair(n%2 == 0)
					t.fillUnix(a)
					data := make([]byte, 64)
					op := []api.Op{
						api.Send(a, data, 1), api.SendMsg(a, vec("la", "te"), 1), api.Write(a, data, api.CurrentPosition, 1), api.Writev(a, vec("la", "te"), api.CurrentPosition, 1),
						api.SendZC(a, data, 1),
					}[n]
					behind := op
					behind.Tag = 2
					t.Submit(op, behind)
					t.StillPending(1, 2)
					t.shut(b, unix.SHUT_RD)
					t.Prompt(1, neg(unix.EPIPE))
					t.Prompt(2, neg(unix.EPIPE))
					if t.Failed() {
						t.Fatalf("that was a %v", op.Code)
					}
				}
			}
		},
	},
	{
		ID: "SHU-9", Name: "a splice that waits",
		Explanation: "The same is true of a splice to such a socket.",
		Ops:         spliceOps,
		Fn: func(t *T) {
			for _, pair := range []func(bool) (int, int){t.Pair, t.Records} {
				a, b := pair(false)
				t.fillUnix(a)
				r, w := t.Pipe(false)
				t.Put(w, "late")
				t.Submit(api.Splice(r, none, a, none, 2, 0, 1), api.Splice(r, none, a, none, 2, 0, 2))
				t.StillPending(1, 2)
				t.shut(b, unix.SHUT_RD)
				t.Prompt(1, neg(unix.EPIPE))
				t.Prompt(2, neg(unix.EPIPE))
			}
		},
	},
	{
		ID: "SHU-9", Name: "a send of which a part has gone",
		Explanation: "A send with WaitAll that has moved bytes by then completes with their number, and the next one with EPIPE.",
		Requires:    api.FeatWaitAll,
		Ops:         sendOps,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.SmallBuffers(a, b)
			t.Submit(api.Send(a, make([]byte, 1<<20), 1).With(api.WaitAll), api.Send(a, []byte("x"), 2))
			t.StillPending(1, 2)
			t.shut(b, unix.SHUT_RD)
			c := t.Await(1)
			if c.Res <= 0 || c.Res == 1<<20 || c.More() {
				t.Errorf("got %s, want what fits into the buffers", show(&c))
			}
			t.Prompt(2, neg(unix.EPIPE))
		},
	},
	{
		ID: "ENG-11", Name: "send to a Unix peer that does not read",
		Explanation: "A send that waits on a Unix stream or SEQPACKET socket does not ask again and again, and goes on as soon as there is room.",
		Ops:         sendOps,
		Fn: func(t *T) {
			for _, pair := range []func(bool) (int, int){t.Pair, t.Records} {
				a, b := pair(false)
				t.fillUnix(a)
				t.Submit(api.Send(a, []byte("late"), 1))
				t.idle()
				got := t.lastOf(b)
				t.Prompt(1, 4)
				if got += t.lastOf(b); !strings.HasSuffix(got, "late") {
					t.Errorf("what was sent does not arrive: the last that does is %q", got)
				}
			}
		},
	},
	{
		ID: "ENG-11", Name: "sends to many Unix peers that do not read",
		Explanation: "However many sends wait on Unix sockets, that costs no processor, and each of them ends when its peer shuts down reading.",
		Ops:         sendOps,
		Fn: func(t *T) {
			const n = 300
			var peers []int
			more := func() {
				a, b := t.Pair(false)
				t.SmallBuffers(a, b)
				t.fillUnix(a)
				t.Submit(api.Send(a, []byte("late"), uint64(len(peers))))
				peers = append(peers, b)
			}
			// cost is how many system calls the engine makes in 20 waits of 10 ms, with a call of do behind each.
			cost := func(do func()) uint64 {
				before := t.Engine.Stats().Enters
				for range 20 {
					t.pull(1, api.After(10*time.Millisecond))
					do()
				}
				return t.Engine.Stats().Enters - before
			}
			alone := cost(func() {})
			for range n {
				more()
			}
			t.Quiet()
			t.pull(1, api.After(2*lookTime))
			// Another that begins to wait may have the engine look more often.
			if got, most := cost(more), alone+20*(n/2); got > most {
				t.Errorf("%d system calls of %d sends that wait, want no more than %d", got, len(peers), most)
			}
			for _, b := range peers {
				t.shut(b, unix.SHUT_RD)
			}
			for i := range peers {
				t.Prompt(uint64(i), neg(unix.EPIPE))
			}
		},
	},
}

// sendOps are those that wait for room.
var sendOps = api.Ops(api.OpSend, api.OpSendMsg, api.OpWrite, api.OpWritev, api.OpSendZC)

// lastOf takes all there is in a socket, and gives the last bytes of it.
func (t *T) lastOf(fd int) (last string) {
	t.nonblock(true, fd)
	defer t.nonblock(false, fd)
	for b := make([]byte, 1<<16); ; {
		n, err := readNow(fd, b)
		if err != nil {
			return last
		}
		last = string(b[max(n-4, 0):n])
	}
}

// fillUnix fills the buffer of a Unix socket, or the queue of its peer.
func (t *T) fillUnix(fd int) {
	if typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || typ == unix.SOCK_STREAM {
		t.Fill(fd)
		return
	}
	t.fillRecords(fd)
}

// shutMultishots is for a multishot that waits while its socket is shut down, and for one that begins afterwards.
func (t *T) shutMultishots(pieces bool, make func(fd int) api.Op) {
	g := t.Group(api.BufferGroupOptions{ID: 1, Count: 4, Size: 64, Incremental: pieces})
	for _, pair := range []func() (int, int){t.UDP, t.toUnconnected, t.Dgrams} {
		for _, later := range []bool{false, true} {
			a, b := pair()
			var id api.OpID
			if !later {
				id = t.Submit(make(b))[0]
				t.StillPending(1)
			}
			t.stopReading(b)
			if later {
				id = t.Submit(make(b))[0]
			}
			t.idle()
			if t.now(b)&unix.POLLRDHUP == 0 {
				t.Fatalf("the socket is not shut down")
			}
			if unix.Send(a, []byte("late"), unix.MSG_NOSIGNAL) == nil { // to a Unix socket it is EPIPE
				c := t.Await(1)
				t.WantMore(&c, 4)
				t.Release(g, c.Lease)
			}
			t.Submit(api.Cancel(id, 2))
			t.AwaitRes(2, 0)
			t.AwaitRes(1, neg(unix.ECANCELED))
		}
	}
}
