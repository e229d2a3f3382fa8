//go:build unix

package conformance

import (
	"bytes"
	"errors"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

const zeroCopy = api.FeatZeroCopy

var (
	sendZC  = api.Ops(api.OpSendZC)
	bothZC  = zeroCopyOps
	sendsZC = bothZC | api.Ops(api.OpSend)
)

// eachPair runs f with each kind of socket that the contract makes no difference between: streams and datagrams, with and
// without zero-copy sends of their own.
func (t *T) eachPair(f func(a, b int)) {
	t.EachStream(f)
	f(t.UDP())
	f(t.Dgrams())
}

// inQueue is as much as a TCP socket takes at once whose peer does not read, and more than the peer has room for: the rest waits in the memory that it
// is sent from. Linux lets a send buffer grow to 4 MiB, and a receive buffer that nobody reads not beyond 128 KiB (tcp(7)).
const inQueue = 600000

// parts cuts s into several buffers.
func parts(s string) *api.Msg {
	n := len(s) / 3
	return vec(s[:n], "", s[n:2*n+1], s[2*n+1:])
}

var zeroCopyCases = []Case{
	{
		ID: "ZCP-1", Name: "result and notification",
		Explanation: "A zero-copy send that succeeds has its result, with More, and then one completion with Notif and Res 0.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         bothZC,
		Fn: func(t *T) {
			t.eachPair(func(a, b int) {
				t.WantZC(api.SendZC(a, []byte("hello"), 1), 5)
				t.WantGet(b, "hello")
				t.WantZC(api.SendMsgZC(a, vec("one ", "", "two"), 2), 7)
				t.WantGet(b, "one two")
				t.WantZC(api.SendZC(a, []byte("lines"), 3).With(api.WaitAll), 5)
				t.WantGet(b, "lines")
			})
		},
	},
	{
		ID: "ZCP-1", Name: "nothing to send",
		Explanation: "A zero-copy send of no bytes has a result of 0 and a notification.",
		Requires:    zeroCopy,
		Ops:         bothZC,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.WantZC(api.SendZC(a, nil, 1), 0)
				t.WantZC(api.SendZC(a, []byte{}, 2), 0)
				t.WantZC(api.SendMsgZC(a, &api.Msg{}, 3), 0)
				t.WantZC(api.SendZC(a, []byte("x"), 4), 1)
				t.WantGet(b, "x")
			})
		},
	},
	{
		ID: "ZCP-1", Name: "to an address",
		Explanation: "SendMsgZC sends where Addr says, one datagram, with the control data.",
		Requires:    zeroCopy,
		Ops:         bothZC | api.Ops(api.OpRecvMsg),
		Fn: func(t *T) {
			a, _ := t.UDPBound()
			b, at := t.UDPBound()
			m := vec("to ", "whom")
			m.Addr = api.IPAddr(at)
			t.WantZC(api.SendMsgZC(a, m, 1), 7)
			t.WantGet(b, "to whom")
			data := pattern(40000)
			m = parts(data)
			m.Addr = api.IPAddr(at)
			t.WantZC(api.SendMsgZC(a, m, 2), len(data))
			t.WantGet(b, data)

			c, d := t.Pair(false)
			r, w := t.Pipe(false)
			m = vec("fd")
			m.Control = unix.UnixRights(r)
			t.WantZC(api.SendMsgZC(c, m, 3), 2)
			in := &api.Msg{Bufs: bytesFor(1, 8), Control: make([]byte, unix.CmsgSpace(4))}
			t.Want(api.RecvMsg(d, in, 4), 2)
			cmsgs, err := unix.ParseSocketControlMessage(in.Control[:in.ControlLen])
			t.must("parse the control message", err)
			fds, err := unix.ParseUnixRights(&cmsgs[0])
			t.must("parse the rights", err)
			t.Put(w, "through")
			t.WantGet(t.Own(fds[0]), "through")
		},
	},
	{
		ID: "ZCP-2", Name: "failures",
		Explanation: "A zero-copy send that fails has one completion, with the errno of send, and neither More nor Notif.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         bothZC,
		Fn: func(t *T) {
			buf := []byte("hello")
			try := func(fd int, errno unix.Errno) {
				t.WantErr(api.SendZC(fd, buf, 1), errno)
				t.WantErr(api.SendMsgZC(fd, vec("hel", "lo"), 2), errno)
				t.WantErr(api.SendZC(fd, buf, 3).With(api.WaitAll), errno)
			}
			for _, fd := range t.badFDs() {
				try(fd, unix.EBADF)
			}
			try(t.File("x"), unix.ENOTSOCK)
			_, w := t.Pipe(false)
			try(w, unix.ENOTSOCK)
			try(t.Socket(unix.AF_INET, unix.SOCK_DGRAM), unix.EDESTADDRREQ)
			t.EachStream(func(a, b int) {
				t.must("shutdown", unix.Shutdown(a, unix.SHUT_WR))
				try(a, unix.EPIPE)
			})
			a, b := t.UDP()
			t.WantErr(api.SendZC(a, make([]byte, 70000), 4), unix.EMSGSIZE)
			m := &api.Msg{Bufs: bytesFor(1025, 1)}
			t.WantErr(api.SendMsgZC(a, m, 5), unix.EMSGSIZE)
			op := api.SendMsgZC(a, nil, 6)
			t.WantErr(op, unix.EFAULT)
			t.WantZC(api.SendZC(a, buf, 7), 5)
			t.WantGet(b, "hello")
		},
	},
	{
		ID: "ZCP-2", Name: "no room",
		Explanation: "With DontWait a zero-copy send that would have to wait is EAGAIN, and has no notification.",
		Requires:    zeroCopy | api.FeatDontWait,
		Ops:         bothZC,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Fill(a)
				t.WantErr(api.SendZC(a, []byte("x"), 1).With(api.DontWait), unix.EAGAIN)
				t.WantErr(api.SendMsgZC(a, vec("x"), 2).With(api.DontWait), unix.EAGAIN)
				t.Quiet()
			})
		},
	},
	{
		ID: "ZCP-2", Name: "flags that it does not know",
		Explanation: "Flags of other operations, and SkipSuccess, are EINVAL.",
		Requires:    zeroCopy,
		Ops:         sendsZC,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			for _, f := range []api.OpFlags{api.SkipSuccess, api.Multishot, api.BufferSelect, api.EOF, api.Bundle, api.Level} {
				t.WantErr(api.SendZC(a, []byte("x"), 1).With(f), unix.EINVAL)
				t.WantErr(api.SendMsgZC(a, vec("x"), 2).With(f), unix.EINVAL)
			}
			t.WantErr(api.Send(a, []byte("x"), 3).With(api.ReportUsage), unix.EINVAL)
			t.WantZC(api.SendZC(a, []byte("y"), 4), 1)
			t.WantGet(b, "y")
		},
	},
	{
		ID: "ZCP-3", Name: "the memory until the notification",
		Explanation: "What arrives is what was in the memory when it was sent, also when that is changed right after the notification.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         bothZC,
		Fn: func(t *T) {
			for _, op := range []func(int, string) (api.Op, [][]byte){
				func(fd int, s string) (api.Op, [][]byte) {
					b := []byte(s)
					return api.SendZC(fd, b, 1).With(api.WaitAll), [][]byte{b}
				},
				func(fd int, s string) (api.Op, [][]byte) {
					m := parts(s)
					return api.SendMsgZC(fd, m, 1).With(api.WaitAll), m.Bufs
				},
			} {
				for _, make := range []func() (int, int){func() (int, int) { return t.TCP(false) }, func() (int, int) { return t.Pair(false) }} {
					a, b := make()
					data := pattern(1 << 20)
					got := t.getLater(b, len(data))
					o, bufs := op(a, data)
					t.WantZC(o, len(data))
					for _, b := range bufs {
						clear(b)
					}
					t.WantBytes(<-got, data)
				}
			}
		},
	},
	{
		ID: "ZCP-3", Name: "a send that goes on",
		Explanation: "A zero-copy send with WaitAll has one notification, however often it had to wait for room.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         bothZC,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a)
				data := pattern(1 << 18)
				t.Submit(api.SendZC(a, t.patternSent(len(data)), 1).With(api.WaitAll), api.SendMsgZC(a, parts(data), 2).With(api.WaitAll))
				t.StillPending(1, 2)
				got := t.getLater(b, 2*len(data))
				t.AwaitMore(1, len(data))
				t.AwaitMore(2, len(data))
				t.AwaitNotif(1)
				t.AwaitNotif(2)
				t.WantBytes(<-got, data+data)
				t.Quiet()
			})
		},
	},
	{
		ID: "ZCP-4", Name: "what comes behind",
		Explanation: "The next operation of the fd and direction begins after the result, and does not wait for the notification.",
		Requires:    zeroCopy | api.FeatWaitAll | api.FeatOrdered,
		Ops:         sendsZC,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			data := pattern(inQueue)
			t.Submit(api.SendZC(a, t.patternSent(len(data)), 1).With(api.WaitAll), api.Send(a, []byte("then"), 2), api.SendMsgZC(a, parts(data), 3).With(api.WaitAll), api.Send(a, []byte("end"), 4))
			t.AwaitMore(1, len(data))
			t.AwaitRes(2, 4)
			t.AwaitMore(3, len(data))
			t.AwaitRes(4, 3)
			t.WantGet(b, data+"then"+data+"end")
			t.AwaitNotif(1)
			t.AwaitNotif(3)
		},
	},
	{
		ID: "ZCP-4", Name: "chains",
		Explanation: "A chain goes on after the result of a zero-copy send, and ends when that has failed.",
		Requires:    zeroCopy | api.FeatWaitAll | api.FeatChains,
		Ops:         sendZC | api.Ops(api.OpNop, api.OpLinkTimeout),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			data := pattern(inQueue)
			t.Chain(api.SendZC(a, t.patternSent(len(data)), 1).With(api.WaitAll), api.LinkTimeout(farAway, 2), api.Nop(3))
			t.AwaitMore(1, len(data))
			t.AwaitRes(2, neg(unix.ECANCELED))
			t.AwaitRes(3, 0)
			t.WantGet(b, data)
			t.AwaitNotif(1)

			t.must("shutdown", unix.Shutdown(a, unix.SHUT_WR))
			t.Chain(api.SendZC(a, t.patternSent(len(data)), 1), api.Nop(2), api.Nop(3))
			t.Sequence(result{1, neg(unix.EPIPE)}, result{2, neg(unix.ECANCELED)}, result{3, neg(unix.ECANCELED)})
			t.Submit(linked(api.HardLink, api.SendZC(a, t.patternSent(len(data)), 1), api.Nop(2))...)
			t.Sequence(result{1, neg(unix.EPIPE)}, result{2, 0})
			t.Chain(api.Nop(1), api.SendZC(b, []byte("x"), 2), api.Nop(3))
			t.AwaitRes(1, 0)
			t.AwaitMore(2, 1)
			t.AwaitRes(3, 0)
			t.AwaitNotif(2)
			t.WantGet(a, "x")
		},
	},
	{
		ID: "ZCP-5", Name: "cut short before the result",
		Explanation: "A zero-copy send that is cancelled, or runs out of time, has one completion; if it has moved bytes, their number, and then the notification.",
		Requires:    zeroCopy | api.FeatWaitAll | api.FeatDeadlines,
		Ops:         bothZC | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				sent := t.Fill(a)
				for _, op := range []api.Op{api.SendZC(a, []byte("hello"), 1), api.SendMsgZC(a, vec("hel", "lo"), 1)} {
					id := t.Submit(op)[0]
					t.StillPending(1)
					t.Want(api.Cancel(id, 2), 0)
					t.AwaitRes(1, neg(unix.ECANCELED))
					t.Submit(op.Until(api.After(lookTime)))
					t.AwaitRes(1, -int(api.ETime))
				}
				_ = t.Get(b, sent)
			})
		},
	},
	{
		ID: "ZCP-5", Name: "cut short on the way",
		Explanation: "A zero-copy send with WaitAll that is cancelled after it has moved bytes has their number, with More, and then the notification.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         bothZC | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a)
				data := pattern(8 << 20)
				id := t.Submit(api.SendZC(a, t.patternSent(len(data)), 1).With(api.WaitAll))[0]
				t.StillPending(1)
				t.Submit(api.Cancel(id, 2))
				t.Await(2)
				c := t.Await(1)
				if c.Res <= 0 || int(c.Res) >= len(data) || !c.More() {
					t.Fatalf("got %s, want some of the bytes, with More", show(&c))
				}
				got := t.getLater(b, int(c.Res))
				t.AwaitNotif(1)
				t.WantBytes(<-got, data[:c.Res])
			})
		},
	},
	{
		ID: "ZCP-6", Name: "cancelled too late",
		Explanation: "After its result a zero-copy send is not found by any cancel.",
		Requires:    zeroCopy | api.FeatCancelFD | api.FeatDeadlines | api.FeatWaitAll,
		Ops:         sendZC | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			data := pattern(inQueue)
			id := t.Submit(api.SendZC(a, t.patternSent(len(data)), 1).With(api.WaitAll).Until(api.After(20 * lookTime)))[0]
			t.AwaitMore(1, len(data))
			t.WantErr(api.Cancel(id, 2), unix.ENOENT)
			t.Want(api.CancelFD(a, 3), 0)
			t.Want(api.CancelOp(api.OpSendZC, 4), 0)
			if n, err := t.Engine.CancelSync(api.CancelAny(5), farAway); n != 0 || err != nil {
				t.Errorf("CancelSync of any has cancelled %d: %v", n, err)
			}
			t.WantGet(b, data)
			t.AwaitNotif(1)
		},
	},
	{
		ID: "ZCP-7", Name: "the fd is closed",
		Explanation: "A Close of the fd waits for results and not for notifications. The data still arrives, and the notification comes.",
		Requires:    zeroCopy | api.FeatSafeClose | api.FeatWaitAll,
		Ops:         sendZC | api.Ops(api.OpClose),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			data := pattern(inQueue)
			t.Submit(api.SendZC(a, t.patternSent(len(data)), 1).With(api.WaitAll), api.Close(a, 2))
			c := t.Await(1)
			t.AwaitRes(2, 0)
			if !c.More() {
				t.WantRes(&c, neg(unix.ECANCELED)) // the close came first
				return
			}
			t.WantGet(b, data[:c.Res])
			t.WantEnd(b)
			t.AwaitNotif(1)
		},
	},
	{
		ID: "ZCP-7", Name: "the fd is closed after the result",
		Explanation: "After a Close the number can be another file's; the notification comes all the same, and nothing of it reaches that file.",
		Requires:    zeroCopy | api.FeatSafeClose | api.FeatWaitAll,
		Ops:         sendZC | api.Ops(api.OpClose, api.OpPoll, api.OpCancel),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			data := pattern(inQueue)
			t.Submit(api.SendZC(a, t.patternSent(len(data)), 1).With(api.WaitAll))
			t.AwaitMore(1, len(data))
			t.Want(api.Close(a, 2), 0)
			c, d := t.TCP(false)
			id := t.Submit(api.Poll(c, api.PollIn|api.PollPri, 3))[0]
			t.StillPending(3)
			t.WantGet(b, data)
			t.WantEnd(b)
			t.AwaitNotif(1)
			t.StillPending(3)
			t.WantZC(api.SendZC(c, []byte("new"), 4), 3)
			t.WantGet(d, "new")
			t.Want(api.Cancel(id, 5), 0)
			t.AwaitRes(3, neg(unix.ECANCELED))
		},
	},
	{
		ID: "ZCP-8", Name: "a drain",
		Explanation: "An operation with Drain waits for the notification.",
		Requires:    zeroCopy | api.FeatDrain | api.FeatWaitAll,
		Ops:         sendZC | api.Ops(api.OpNop),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			data := pattern(inQueue)
			t.Submit(api.SendZC(a, t.patternSent(len(data)), 1).With(api.WaitAll), api.Nop(2).With(api.Drain))
			t.AwaitMore(1, len(data))
			got := t.getLater(b, len(data))
			seen := map[uint64]bool{}
			for _, c := range t.Wait(2) {
				seen[c.Tag] = true
				if c.Tag == 2 && !seen[1] {
					t.Errorf("the operation with Drain completed before the notification")
				}
			}
			t.WantBytes(<-got, data)
		},
	},
	{
		ID: "ZCP-9", Name: "usage",
		Explanation: "With ReportUsage the notification has Copied when the data was copied, which over the loopback it is; without ReportUsage never.",
		Requires:    zeroCopy,
		Ops:         bothZC,
		Fn: func(t *T) {
			t.eachPair(func(a, b int) {
				for _, op := range []api.Op{api.SendZC(a, []byte("hello"), 1), api.SendMsgZC(a, vec("hel", "lo"), 1)} {
					c := t.WantZC(op.With(api.ReportUsage), 5)
					if !c.Flags.Has(api.Copied) {
						t.Errorf("got %s, want it with Copied", show(&c))
					}
					t.WantZC(op, 5) // that there is no Copied is checked for all
					t.WantGet(b, "hello")
					t.WantGet(b, "hello")
				}
			})
		},
	},
	{
		ID: "ZCP-10", Name: "in flight",
		Explanation: "A zero-copy send is in flight until its notification has been delivered.",
		Requires:    zeroCopy,
		Ops:         sendZC,
		Tune:        func(o *api.Options) { o.MaxInFlight = 2 },
		Fn: func(t *T) {
			a, b := t.TCP(false)
			t.Submit(api.SendZC(a, []byte("x"), 1), api.SendZC(a, []byte("y"), 2))
			dst := make([]api.Completion, 1)
			n, err := t.Engine.Complete(dst, api.Wait{Min: 1, Deadline: t.deadline()})
			if n != 1 || err != nil || dst[0].Tag != 1 || !dst[0].More() {
				t.Fatalf("Complete: %d %s, %v", n, show(&dst[0]), err)
			}
			t.check(&dst[0])
			if n := t.Engine.Stats().InFlight; n != 2 {
				t.Errorf("InFlight is %d after the result and before the notification, want 2", n)
			}
			if n, err := t.Engine.Submit([]api.Op{api.Nop(3)}); n != 0 || err != api.ErrQueueFull {
				t.Errorf("Submit took %d: %v", n, err)
			}
			t.AwaitMore(2, 1)
			t.AwaitNotif(1)
			t.AwaitNotif(2)
			t.WantGet(b, "xy")
			if n := t.Engine.Stats().InFlight; n != 0 {
				t.Errorf("InFlight is %d after the notifications, want 0", n)
			}
		},
	},
	{
		ID: "ZCP-11", Name: "the peer is gone",
		Explanation: "When the connection is reset, the notifications of what it had yet to send come, and further sends fail.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         bothZC,
		Fn: func(t *T) {
			a, b := t.TCP(false)
			data := pattern(inQueue)
			t.Submit(api.SendZC(a, t.patternSent(len(data)), 1).With(api.WaitAll|api.ReportUsage), api.SendMsgZC(a, parts(data), 2).With(api.WaitAll))
			t.AwaitMore(1, len(data))
			t.AwaitMore(2, len(data))
			t.Submit(api.SendZC(a, t.patternSent(8<<20), 3).With(api.WaitAll))
			t.StillPending(3)
			t.Reset(b)
			t.AwaitNotif(1)
			t.AwaitNotif(2)
			if c := t.Await(3); c.More() {
				t.AwaitNotif(3)
			} else if c.Res != int32(neg(unix.ECONNRESET)) && c.Res != int32(neg(unix.EPIPE)) {
				t.Errorf("got %s, want ECONNRESET", show(&c))
			}
			c := t.Do(api.SendZC(a, []byte("x"), 4))
			if c.Res != int32(neg(unix.EPIPE)) && c.Res != int32(neg(unix.ECONNRESET)) {
				t.Errorf("a send after the reset: %s", show(&c))
			}
		},
	},
	{
		ID: "ZCP-12", Name: "the engine is closed",
		Explanation: "The engine's Close returns a HeldError when memory is not free within CloseLimit, takes nothing from then on but another Close, and succeeds when it is.",
		Requires:    zeroCopy | api.FeatWaitAll,
		Ops:         sendZC | api.Ops(api.OpNop),
		Fn: func(t *T) {
			a, b := t.TCP(false)
			data := []byte(pattern(inQueue))
			t.Submit(api.SendZC(a, data, 1).With(api.WaitAll))
			t.AwaitMore(1, len(data))
			t.closed = true
			began := api.Now()
			err := t.Engine.Close()
			if err != nil {
				var held *api.HeldError
				if !errors.As(err, &held) || held.Sends != 1 || !errors.Is(err, api.ErrHeld) {
					t.Fatalf("Close: %v, want a HeldError of one operation", err)
				}
				if took := api.Now().Sub(began); took < api.CloseLimit {
					t.Errorf("Close gave up after %v, want no sooner than %v", took, api.CloseLimit)
				}
				if n := t.Engine.Stats().InFlight; n != 1 {
					t.Errorf("InFlight is %d, want 1", n)
				}
				if _, err := t.Engine.Submit([]api.Op{api.Nop(2)}); err != api.ErrClosed {
					t.Errorf("Submit: %v, want ErrClosed", err)
				}
				if err := t.Engine.Wake(); err != api.ErrClosed {
					t.Errorf("Wake: %v, want ErrClosed", err)
				}
				if err := t.Engine.Post(3, 4); err != api.ErrClosed {
					t.Errorf("Post: %v, want ErrClosed", err)
				}
				if _, err := t.Engine.InstallFile(a, api.AnySlot); err != api.ErrClosed {
					t.Errorf("InstallFile: %v, want ErrClosed", err)
				}
				if !bytes.Equal(data, []byte(pattern(len(data)))) {
					t.Errorf("the memory has changed")
				}
				t.Reset(b)
				if err := t.Engine.Close(); err != nil {
					t.Errorf("Close after the connection is gone: %v", err)
				}
			} else {
				clear(data) // it is free
				t.WantGet(b, pattern(len(data)))
			}
			if err := t.Engine.Close(); err != api.ErrClosed {
				t.Errorf("another Close: %v, want ErrClosed", err)
			}
		},
	},
	{
		ID: "ZCP-13", Name: "registered buffers",
		Explanation: "SendZCFixed is SendZC of memory that lies in the registered buffer, and EFAULT for any other; the buffer may be unregistered before the notification.",
		Requires:    zeroCopy | api.FeatFixedBuffers | api.FeatWaitAll,
		Ops:         bothZC,
		Fn: func(t *T) {
			mem, data := bytesFor(3, 1<<16), pattern(1<<16)
			for _, m := range mem {
				copy(m, data)
			}
			a, b := t.TCP(false)
			t.WantErr(api.SendZCFixed(a, 0, mem[0], 1), unix.EFAULT)
			t.must("RegisterBuffers", t.Engine.RegisterBuffers([][]byte{mem[0], nil, mem[1]}))
			for _, i := range []int{-1, 1, 3, api.NoIndex, 1 << 20} {
				t.WantErr(api.SendZCFixed(a, i, mem[0], 1), unix.EFAULT)
			}
			t.WantErr(api.SendZCFixed(a, 0, mem[1], 1), unix.EFAULT)
			t.WantErr(api.SendZCFixed(a, 2, mem[2], 1), unix.EFAULT)
			t.WantErr(api.SendMsgZC(a, vec("x"), 1).With(api.FixedBuffer), unix.EINVAL)
			t.eachPair(func(a, b int) {
				t.WantZC(api.SendZCFixed(a, 2, mem[1][7:12], 1), 5)
				t.WantGet(b, data[7:12])
				t.WantZC(api.SendZCFixed(a, 0, mem[0][:1], 2).With(api.ReportUsage), 1)
				t.WantGet(b, data[:1])
			})
			t.EachStream(func(a, b int) {
				t.WantZC(api.SendZCFixed(a, 0, mem[0][5:5], 1), 0)
				t.SmallBuffers(a)
				t.Submit(api.SendZCFixed(a, 0, mem[0], 1).With(api.WaitAll))
				got := t.getLater(b, len(data))
				t.AwaitMore(1, len(data))
				t.WantBytes(<-got, data)
				t.AwaitNotif(1)
			})
			big := []byte(pattern(inQueue))
			if n, err := t.Engine.UpdateBuffers(1, [][]byte{big}); n != 1 || err != nil {
				t.Fatalf("UpdateBuffers: %d, %v", n, err)
			}
			t.Submit(api.SendZCFixed(a, 1, big, 1).With(api.WaitAll))
			t.AwaitMore(1, inQueue)
			t.must("UnregisterBuffers", t.Engine.UnregisterBuffers())
			t.WantErr(api.SendZCFixed(a, 1, big, 2), unix.EFAULT)
			t.WantGet(b, pattern(inQueue))
			t.AwaitNotif(1)
		},
	},
	{
		ID: "ZCP-12", Name: "the engine is closed while it fails",
		Explanation: "The engine's Close cancels a zero-copy send that waits for room.",
		Requires:    zeroCopy,
		Ops:         bothZC,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Fill(a)
				t.Submit(api.SendZC(a, []byte("x"), 1), api.SendMsgZC(a, vec("y"), 2))
				t.StillPending(1, 2)
			})
			t.CloseEngine()
		},
	},
}

// getLater reads n bytes from fd in a goroutine. The channel gives nil when that fails.
func (t *T) getLater(fd, n int) <-chan []byte {
	got := make(chan []byte, 1)
	t.spawn(func() {
		defer close(got) // getInto ends its goroutine when nothing comes
		buf := make([]byte, n)
		got <- buf[:t.getInto(fd, buf)]
	})
	return got
}
