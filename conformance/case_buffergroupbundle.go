//go:build unix

package conformance

import (
	"strings"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

const bundleFeats = bufferFeats | api.FeatBundles

// bundled makes a receive one that may fill several buffers at a time.
func bundled(op api.Op) api.Op { return op.With(api.Bundle) }

// WantBundle waits for the completions of a receive with Bundle that is no multishot: data, in buffers of size bytes. It returns the leases.
func (t *T) WantBundle(tag uint64, data string, size int) (leases []api.Lease) {
	t.tb.Helper()
	for len(data) > 0 {
		n := min(size, len(data))
		c := t.Await(tag)
		if !c.Flags.Has(api.Buffer) || string(c.Buf) != data[:n] || c.More() != (len(data) > n) {
			t.Fatalf("got %s with %s, want %s, and after it %d bytes", show(&c), quote(string(c.Buf)), quote(data[:n]), len(data)-n)
		}
		leases = append(leases, c.Lease)
		data = data[n:]
	}
	return leases
}

var bundleCases = []Case{
	{
		ID: "BUF-19", Name: "multishot",
		Explanation: "A multishot receive with Bundle completes as one without: once for each buffer, with More.",
		Requires:    bundleFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 16, Size: 4})
				t.Submit(bundled(api.RecvMultishot(a, 0, 1)))
				t.Perform()
				var out []api.Lease
				for _, s := range []string{"abcdefghij", "k", "lmno", "pqrstuvwxyz"} {
					t.Put(b, s)
					for ; len(s) > 4; s = s[4:] {
						out = append(out, t.WantBuffer(1, s[:4]))
					}
					out = append(out, t.WantBuffer(1, s))
				}
				t.WantCount(g, 16, 8)
				for _, l := range out {
					t.Release(g, l)
				}
				t.must("shutdown", unix.Shutdown(b, unix.SHUT_WR))
				t.AwaitRes(1, 0)
				t.WantCount(g, 16, 16)
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "BUF-19", Name: "multishot and an empty group",
		Explanation: "The last buffer of a group comes with More; only data for which there is none ends the multishot, with ENOBUFS, and stays.",
		Needs:       NeedStreams,
		Requires:    bundleFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 4, Size: 4})
				t.WantErr(bundled(api.RecvMultishot(a, 5, 1)), unix.ENOBUFS)
				t.Submit(bundled(api.RecvMultishot(a, 0, 1)))
				t.Perform()
				t.Put(b, "abcd")
				l := t.WantBuffer(1, "abcd")
				t.Put(b, "efghijklmnop")
				for _, s := range []string{"efgh", "ijkl", "mnop"} {
					t.WantBuffer(1, s)
				}
				t.StillPending(1)
				t.Put(b, "qrst")
				t.AwaitRes(1, neg(unix.ENOBUFS))
				t.WantErr(bundled(api.RecvMultishot(a, 0, 2)), unix.ENOBUFS)
				t.Release(g, l)
				t.Submit(bundled(api.RecvMultishot(a, 0, 3)))
				t.WantBuffer(3, "qrst")
				t.must("close the group", g.Close())
				t.AwaitRes(3, ecanceled)
			})
		},
	},
	{
		ID: "BUF-20", Name: "all that is there",
		Explanation: "A receive with Bundle takes all that is there, one buffer after the other; all of its completions but the last have More.",
		Needs:       NeedStreams,
		Requires:    bundleFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				for _, n := range []int{1, 3, 4, 5, 8, 40, 41, 63} {
					g := t.Group(api.BufferGroupOptions{Count: 32, Size: 4})
					s := pattern(n)
					t.Put(b, s)
					t.ready(a, unix.POLLIN)
					t.Submit(bundled(api.RecvBuffer(a, 0, 1)))
					for _, l := range t.WantBundle(1, s, 4) {
						t.Release(g, l)
					}
					t.WantCount(g, 32, 32)
					t.Quiet()
					t.must("close the group", g.Close())
				}
			})
		},
	},
	{
		ID: "BUF-20", Name: "waits for the first byte only",
		Explanation: "A receive with Bundle waits until there is data, and then no more; what comes later is the next operation's.",
		Needs:       NeedStreams,
		Requires:    bundleFeats | api.FeatDontWait,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 8, Size: 4})
				t.Submit(bundled(api.RecvBuffer(a, 0, 1)), bundled(api.RecvBuffer(a, 0, 2)))
				t.StillPending(1, 2)
				t.Put(b, "abcdefgh")
				t.WantBundle(1, "abcdefgh", 4)
				t.StillPending(2)
				t.Put(b, "ijklmnopq")
				t.WantBundle(2, "ijklmnopq", 4)
				t.WantErr(bundled(api.RecvBuffer(a, 0, 3)).With(api.DontWait), unix.EAGAIN)
				t.Put(b, "rstuv")
				t.ready(a, unix.POLLIN)
				t.Submit(bundled(api.RecvBuffer(a, 0, 4)).With(api.DontWait))
				t.WantBundle(4, "rstuv", 4)
				t.WantCount(g, 8, 1)
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "BUF-20", Name: "more than there are buffers for",
		Explanation: "A receive with Bundle that fills the last buffer of the group ends with that, and what is left stays.",
		Needs:       NeedStreams,
		Requires:    bundleFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 4, Size: 4})
				s := pattern(30)
				t.Put(b, s)
				t.ready(a, unix.POLLIN)
				t.Submit(bundled(api.RecvBuffer(a, 0, 1)))
				out := t.WantBundle(1, s[:16], 4)
				t.WantErr(bundled(api.RecvBuffer(a, 0, 2)), unix.ENOBUFS)
				for _, l := range out[:3] {
					t.Release(g, l)
				}
				t.Submit(bundled(api.RecvBuffer(a, 0, 3)))
				t.WantBundle(3, s[16:28], 4)
				t.Release(g, out[3])
				t.Submit(bundled(api.RecvBuffer(a, 0, 4)))
				t.WantBundle(4, s[28:], 4)
				t.must("close the group", g.Close())
			})
		},
	},
	{
		ID: "BUF-20", Name: "a thousand buffers",
		Explanation: "A receive with Bundle goes on for as many buffers as there is data for, also when Complete takes few completions at a time.",
		Needs:       NeedStreams,
		Requires:    bundleFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 1024, Size: 16})
			data := pattern(16000)
			t.Put(b, data)
			t.Submit(bundled(api.RecvBuffer(a, 0, 1)))
			t.WantBundle(1, data, 16)
			t.WantCount(g, 1024, 24)
			t.must("close the group", g.Close())
			g = t.Group(api.BufferGroupOptions{Count: 1024, Size: 16})
			t.Put(b, data)
			ops := []api.Op{bundled(api.RecvBuffer(a, 0, 2))}
			if n, err := t.Engine.Submit(ops); n != 1 || err != nil {
				t.Fatalf("Submit: %d, %v", n, err)
			}
			var dst [3]api.Completion
			for got := 0; got < len(data); {
				n, err := t.Engine.Complete(dst[:], api.Wait{Min: 1, Deadline: t.deadline()})
				if n == 0 || err != nil {
					t.Fatalf("Complete: %d, %v", n, err)
				}
				for _, c := range dst[:n] {
					if string(c.Buf) != data[got:got+16] || c.More() != (got+16 < len(data)) {
						t.Fatalf("at %d of %d bytes: %s with %q", got, len(data), show(&c), c.Buf)
					}
					got += 16
					t.Release(g, c.Lease)
				}
			}
			t.WantCount(g, 1024, 1024)
		},
	},
	{
		ID: "BUF-21", Name: "end and failure",
		Explanation: "At the end of a stream a receive with Bundle is 0, without a buffer; an error comes behind all data, in a completion of its own.",
		Requires:    bundleFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			g := t.Group(api.BufferGroupOptions{Count: 16, Size: 4})
			t.EachStream(func(a, b int) {
				t.Put(b, "abcdefgh")
				t.CloseNow(b)
				t.ready(a, unix.POLLIN)
				t.Submit(bundled(api.RecvBuffer(a, 0, 1)))
				for _, l := range t.WantBundle(1, "abcdefgh", 4) {
					t.Release(g, l)
				}
				t.Want(bundled(api.RecvBuffer(a, 0, 2)), 0)
				t.Want(bundled(api.RecvMultishot(a, 0, 3)), 0)
			})
			a, b := t.TCP(false)
			t.Submit(bundled(api.RecvBuffer(a, 0, 4)))
			t.StillPending(4)
			t.Reset(b)
			t.AwaitRes(4, neg(unix.ECONNRESET))
			t.WantErr(bundled(api.RecvBuffer(t.Socket(unix.AF_INET, unix.SOCK_STREAM), 0, 5)), unix.ENOTCONN)
			r, _ := t.Pipe(false)
			t.WantErr(bundled(api.RecvBuffer(r, 0, 6)), unix.ENOTSOCK)
			t.WantCount(g, 16, 16)
		},
	},
	{
		ID: "BUF-21", Name: "ended early",
		Explanation: "A receive with Bundle that waits is ended by a cancel, its deadline, and the close of its group, and has taken nothing.",
		Needs:       NeedStreams,
		Requires:    bundleFeats | api.FeatDeadlines,
		Ops:         recvOnly | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 4})
			id := t.Submit(bundled(api.RecvBuffer(a, 0, 1)))[0]
			t.StillPending(1)
			t.Want(api.Cancel(id, 2), 0)
			t.AwaitRes(1, ecanceled)
			t.Want(bundled(api.RecvBuffer(a, 0, 3)).Until(api.After(lookTime)), etime)
			t.Submit(bundled(api.RecvBuffer(a, 0, 4)), bundled(api.RecvMultishot(a, 0, 5)))
			t.StillPending(4, 5)
			t.must("close the group", g.Close())
			t.AwaitRes(4, ecanceled)
			t.AwaitRes(5, ecanceled)
			t.Put(b, "kept")
			t.Group(api.BufferGroupOptions{Count: 4, Size: 4})
			t.Submit(bundled(api.RecvBuffer(a, 0, 6)))
			t.WantBundle(6, "kept", 4)
		},
	},
	{
		ID: "BUF-21", Name: "ended on the way",
		Explanation: "A receive with Bundle that is ended while it takes what is there has a last completion, and each byte is either in a buffer or left in the socket.",
		Needs:       NeedStreams,
		Requires:    bundleFeats | api.FeatDeadlines,
		Ops:         recvOnly | api.Ops(api.OpCancel),
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				for how := range 4 {
					g := t.Group(api.BufferGroupOptions{Count: 64, Size: 4})
					data := pattern(202)
					t.Put(b, data)
					t.ready(a, unix.POLLIN)
					op := bundled(api.RecvBuffer(a, 0, 1))
					if how == 3 {
						op = op.Until(api.Now())
					}
					id := t.Submit(op)[0]
					if how != 3 {
						t.Perform()
					}
					switch how {
					case 1:
						t.Do(api.Cancel(id, 2)) // it may have ended
					case 2:
						t.must("close the group", g.Close())
					}
					got := ""
					for more := true; more; {
						c := t.Await(1)
						if c.Res < 0 && (got != "" || int(c.Res) != ecanceled && int(c.Res) != etime) {
							t.Fatalf("got %s after %d bytes", show(&c), len(got))
						}
						got += string(c.Buf)
						more = c.More()
						if c.Lease != 0 {
							t.Release(g, c.Lease)
						}
					}
					rest := make([]byte, len(data))
					n := 0
					if len(got) < len(data) {
						var err error
						n, err = readNow(a, rest)
						t.must("read", err)
					}
					t.WantBytes([]byte(got+string(rest[:n])), data)
					if how == 0 {
						t.WantBytes([]byte(got), data)
					}
					if how != 2 {
						t.WantCount(g, 64, 64)
						t.must("close the group", g.Close())
					}
				}
			})
		},
	},
	{
		ID: "BUF-21", Name: "in a chain",
		Explanation: "The next operation of a chain starts behind the last completion of a receive with Bundle.",
		Needs:       NeedStreams,
		Requires:    bundleFeats | api.FeatChains,
		Ops:         recvOnly | api.Ops(api.OpNop),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			t.Group(api.BufferGroupOptions{Count: 16, Size: 4})
			data := pattern(41)
			t.Put(b, data)
			t.Submit(bundled(api.RecvBuffer(a, 0, 1)).With(api.Link), api.Nop(2))
			for i, c := range t.Wait(12) {
				switch {
				case i == 11:
					if c.Tag != 2 {
						t.Errorf("the last completion is %s", show(&c))
					}
				case c.Tag != 1 || c.More() != (i < 10) || string(c.Buf) != data[4*i:min(4*i+4, 41)]:
					t.Errorf("completion %d is %s with %q", i, show(&c), c.Buf)
				}
			}
			t.Submit(bundled(api.RecvBuffer(a, 5, 3)).With(api.Link), api.Nop(4))
			t.AwaitRes(3, neg(unix.ENOBUFS))
			t.AwaitRes(4, ecanceled)
		},
	},
	{
		ID: "BUF-22", Name: "datagrams and records",
		Explanation: "On other than streams Bundle has no effect: a datagram or record is in one buffer, cut to its size.",
		Requires:    bundleFeats,
		Ops:         recvOnly,
		Fn: func(t *T) {
			for _, pair := range []func() (int, int){t.UDP, t.Dgrams} {
				// A stream before, so that what the engine, or the kernel, keeps of its bundle would be used.
				c, d := t.TCP(false)
				g := t.Group(api.BufferGroupOptions{Count: 16, Size: 4})
				t.Put(d, "0123456789")
				t.Submit(bundled(api.RecvBuffer(c, 0, 1)))
				t.WantBundle(1, "0123456789", 4)
				a, b := pair()
				t.Put(b, "abcdefghij")
				t.Put(b, "klmnopqrst")
				t.Submit(bundled(api.RecvBuffer(a, 0, 2)))
				t.WantBundle(2, "abcd", 4)
				t.Submit(bundled(api.RecvMultishot(a, 0, 1)))
				t.WantBuffer(1, "klmn")
				t.Put(b, "uvwxyz")
				t.WantBuffer(1, "uvwx")
				t.must("write", writeNothing(b))
				t.AwaitRes(1, 0)
				t.WantCount(g, 16, 10)
				t.must("close the group", g.Close())
			}
		},
	},
	{
		ID: "BUF-23", Name: "where it makes no sense",
		Explanation: "Bundle without BufferSelect, with WaitAll, with MSG_PEEK, and for messages and reads is EINVAL.",
		Needs:       NeedStreams,
		Requires:    bundleFeats,
		Ops:         recvOnly | api.Ops(api.OpRecvMsg, api.OpRead),
		Fn: func(t *T) {
			a, b := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 4})
			t.Put(b, "data")
			peek := bundled(api.RecvBuffer(a, 0, 1))
			peek.Arg = unix.MSG_PEEK
			for _, op := range []api.Op{
				peek,
				bundled(api.Recv(a, make([]byte, 8), 1)),
				bundled(api.RecvBuffer(a, 0, 1)).With(api.WaitAll),
				bundled(api.RecvMultishot(a, 0, 1)).With(api.WaitAll),
				bundled(api.RecvMsg(a, vec("12345678"), 1)),
				bundled(api.Read(a, make([]byte, 8), api.CurrentPosition, 1)),
			} {
				t.WantErr(op, unix.EINVAL)
			}
			t.WantCount(g, 4, 4)
		},
	},
	{
		ID: "BUF-24", Name: "bundles of pieces",
		Explanation: "In an incremental group a bundle begins with the rest of the buffer, and what it leaves of its last one is where the next piece goes.",
		Needs:       NeedStreams,
		Requires:    bundleFeats | api.FeatIncremental,
		Ops:         recvOnly,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				g := t.Group(api.BufferGroupOptions{Count: 8, Size: 8, Incremental: true})
				put := func(s string) {
					t.Put(b, s)
					t.ready(a, unix.POLLIN)
				}
				put("abc")
				t.Submit(bundled(api.RecvBuffer(a, 0, 1)))
				t.Piece(1, "abc", true)
				put("defgh" + "ijklmnop" + "qr")
				t.Submit(bundled(api.RecvBuffer(a, 0, 1)))
				t.Piece(1, "defgh", false)
				t.Piece(1, "ijklmnop", false)
				last := t.Piece(1, "qr", true)
				if last.More() {
					t.Errorf("the last completion has More: %s", show(&last))
				}
				put("stuvwx" + "yzABCDEF" + "G")
				t.Submit(bundled(api.RecvMultishot(a, 0, 2)))
				next := t.Piece(2, "stuvwx", false)
				t.WantNext(&last, &next)
				t.Piece(2, "yzABCDEF", false)
				last = t.Piece(2, "G", true)
				t.WantCount(g, 8, 4)
				t.Put(b, "H")
				next = t.Piece(2, "H", true)
				t.WantNext(&last, &next)
				t.must("close the group", g.Close())
				t.AwaitRes(2, ecanceled)
			})
		},
	},
	{
		ID: "BUF-24", Name: "bundles from a group that is used all round",
		Explanation: "Bundles find their buffers in whatever order they came back, and give none of them twice.",
		Needs:       NeedStreams,
		Requires:    bundleFeats | api.FeatGroupResize,
		Ops:         recvOnly,
		Fn: func(t *T) {
			a, b := t.Pair(false)
			c, d := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 32, Max: 64, Size: 4})
			t.Submit(bundled(api.RecvMultishot(a, 0, 1)), bundled(api.RecvMultishot(c, 0, 2)))
			t.Perform()
			var held []api.Completion
			var want []string
			letters := pattern(400)
			seed := uint32(1)
			next := func(n int) int {
				seed = seed*1664525 + 1013904223
				return int(seed>>16) % n
			}
			for i := range 600 {
				tag, fd := uint64(1), b
				if next(2) == 0 {
					tag, fd = 2, d
				}
				s := letters[next(200):][:1+next(30)]
				for len(held) > 0 && g.Available()*4 < len(s)+4 {
					k := next(len(held))
					t.WantBytes(held[k].Buf, want[k])
					t.Release(g, held[k].Lease)
					held[k], want[k] = held[len(held)-1], want[len(want)-1]
					held, want = held[:len(held)-1], want[:len(want)-1]
				}
				if i%50 == 49 {
					t.Resize(g, 16+next(48))
				}
				t.Put(fd, s)
				for len(s) > 0 {
					c := t.Await(tag)
					if !c.More() || len(c.Buf) > len(s) || string(c.Buf) != s[:len(c.Buf)] {
						t.Fatalf("got %s with %q, want %q", show(&c), c.Buf, s)
					}
					held, want = append(held, c), append(want, strings.Clone(s[:len(c.Buf)]))
					s = s[len(c.Buf):]
				}
			}
		},
	},
}
