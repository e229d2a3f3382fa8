//go:build unix

package conformance

import (
	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

func platformAllocs() []allocCase {
	all := append(systemAllocs(), fileAllocs()...)
	for i := range all {
		if all[i].needs == NeedNothing {
			all[i].needs = NeedFiles
		}
	}
	return all
}

func fileAllocs() []allocCase {
	return []allocCase{
		{name: "fsync", ops: api.Ops(api.OpFsync), prepare: func(t *T) func() {
			fd := t.File("content")
			u := &turner{t: t}
			return func() { u.want(u.do(api.Fsync(fd, 1)), 0) }
		}},
		{name: "recv", needs: NeedStreams, ops: recvOnly, prepare: func(t *T) func() {
			a, b := t.TCP(false)
			u := &turner{t: t}
			buf, out := make([]byte, 64), make([]byte, 16)
			return func() {
				u.put(b, out)
				u.want(u.do(api.Recv(a, buf, 1)), 16)
			}
		}},
		{name: "recv that waits", needs: NeedStreams, ops: streamOps, prepare: func(t *T) func() {
			a, b := t.TCP(false)
			u := &turner{t: t}
			buf, out := make([]byte, 64), make([]byte, 16)
			return func() {
				u.op[0] = api.Recv(a, buf, 1)
				if n, err := t.Engine.Submit(u.op[:]); n != 1 || err != nil {
					t.Fatalf("Submit: %d, %v", n, err)
				}
				if n, err := t.Engine.Complete(u.dst[:1], api.Wait{}); n != 0 || err != nil {
					t.Fatalf("Complete: %d, %v", n, err)
				}
				u.put(b, out)
				u.want(u.one(), 16)
			}
		}},
		{name: "send", needs: NeedStreams, ops: streamOps, prepare: func(t *T) func() {
			a, b := t.TCP(false)
			u := &turner{t: t}
			buf, in := make([]byte, 16), make([]byte, 16)
			return func() {
				u.want(u.do(api.Send(a, buf, 1)), 16)
				u.get(b, in)
			}
		}},
		{name: "zero-copy send", ops: sendZC, requires: zeroCopy, prepare: func(t *T) func() {
			a, b := t.UDP() // on TCP the notification waits for an acknowledgement, which may take 40 ms
			u := &turner{t: t}
			buf, in := make([]byte, 16), make([]byte, 16)
			return func() {
				u.want(u.do(api.SendZC(a, buf, 1).With(api.ReportUsage)), 16)
				u.want(u.one(), 0)
				if n, err := unix.Read(b, in); n != 16 || err != nil {
					t.Fatalf("read: %d, %v", n, err)
				}
			}
		}},
		{name: "zero-copy message", ops: bothZC, requires: zeroCopy, prepare: func(t *T) func() {
			a, _ := t.UDPBound()
			b, bt := t.UDPBound()
			u := &turner{t: t}
			out := &api.Msg{Bufs: bytesFor(2, 8), Addr: api.IPAddr(bt)}
			in := make([]byte, 16)
			return func() {
				u.want(u.do(api.SendMsgZC(a, out, 1)), 16)
				u.want(u.one(), 0)
				if n, err := unix.Read(b, in); n != 16 || err != nil {
					t.Fatalf("read: %d, %v", n, err)
				}
			}
		}},
		{name: "recvmsg and sendmsg", ops: msgOps, prepare: func(t *T) func() {
			a, _ := t.UDPBound()
			b, bt := t.UDPBound()
			u := &turner{t: t}
			out := &api.Msg{Bufs: bytesFor(2, 8), Addr: api.IPAddr(bt)}
			in := &api.Msg{Bufs: bytesFor(2, 8)}
			return func() {
				u.want(u.do(api.SendMsg(a, out, 1)), 16)
				u.want(u.do(api.RecvMsg(b, in, 2)), 16)
			}
		}},
		{name: "options of a socket", ops: optionOps, prepare: func(t *T) func() {
			a, _ := t.TCP(false)
			u := &turner{t: t}
			value, buf := cint(1), make([]byte, 4)
			return func() {
				u.want(u.do(api.Setsockopt(a, unix.IPPROTO_TCP, unix.TCP_NODELAY, value, 1)), 0)
				u.want(u.do(api.Getsockopt(a, unix.IPPROTO_TCP, unix.TCP_NODELAY, buf, 2)), 4)
				u.want(u.do(api.Getsockopt(a, unix.SOL_SOCKET, unix.SO_TYPE, buf, 3)), 4)
				u.want(u.do(api.SocketOutQ(a, 4)), 0)
			}
		}},
		{name: "message with control data", ops: msgOps, prepare: func(t *T) func() {
			a, b := t.Pair(false)
			u := &turner{t: t}
			out, in := vec("x"), &api.Msg{Bufs: bytesFor(1, 8), Control: make([]byte, 64)}
			return func() {
				u.want(u.do(api.SendMsg(a, out, 1)), 1)
				u.want(u.do(api.RecvMsg(b, in, 2)), 1)
			}
		}},
		{name: "read of a pipe", ops: fileOps, prepare: func(t *T) func() {
			r, w := t.Pipe(false)
			u := &turner{t: t}
			buf, out := make([]byte, 64), make([]byte, 16)
			return func() {
				u.put(w, out)
				u.want(u.do(api.Read(r, buf, api.CurrentPosition, 1)), 16)
			}
		}},
		{name: "read of a file in the page cache", ops: fileOps, prepare: func(t *T) func() {
			fd := t.File(pattern(1 << 16))
			u := &turner{t: t}
			buf := make([]byte, 4096)
			off := int64(0)
			return func() {
				u.want(u.do(api.Read(fd, buf, off, 1)), 4096)
				off = (off + 4096) % (1 << 16)
			}
		}},
		{name: "write of a file", ops: fileOps, prepare: func(t *T) func() {
			fd := t.File(pattern(1 << 12))
			u := &turner{t: t}
			buf := make([]byte, 4096)
			return func() { u.want(u.do(api.Write(fd, buf, 0, 1)), 4096) }
		}},
		{name: "registered file", ops: streamOps, requires: fixedFiles, prepare: func(t *T) func() {
			a, b := t.TCP(false)
			t.register(t.Engine, a)
			u := &turner{t: t}
			buf, out := make([]byte, 64), make([]byte, 16)
			return func() {
				u.put(b, out)
				u.want(u.do(fixed(api.Recv(0, buf, 1))), 16)
				u.want(u.do(fixed(api.Send(0, out, 2))), 16)
				u.get(b, buf[:16])
			}
		}},
		{name: "into a slot and closed", ops: api.Ops(api.OpSocket, api.OpClose, api.OpFilesUpdate), requires: directFiles, prepare: func(t *T) func() {
			a, _ := t.Pair(false)
			t.slots(4)
			u := &turner{t: t}
			fds := []int32{0}
			update := api.FilesUpdate(api.AnySlot, fds, 3)
			return func() {
				u.want(u.do(api.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 1).Into(api.AnySlot)), 0)
				u.want(u.do(api.CloseSlot(0, 2)), 0)
				fds[0] = int32(a)
				u.want(u.do(update), 1)
				u.want(u.do(api.CloseSlot(int(fds[0]), 4)), 0)
			}
		}},
		{name: "registered buffer", ops: fixedPlain | fixedVector, requires: fixedBuffers, prepare: func(t *T) func() {
			fd := t.File(pattern(1 << 16))
			u := &turner{t: t}
			mem := make([]byte, 1<<16)
			t.registerBuffers(t.Engine, mem)
			m := &api.Msg{Bufs: [][]byte{mem[:100], mem[4096:5000]}}
			return func() {
				u.want(u.do(api.ReadFixed(fd, 0, mem[8192:12288], 4096, 1)), 4096)
				u.want(u.do(api.WriteFixed(fd, 0, mem[8192:12288], 0, 2)), 4096)
				u.want(u.do(api.ReadvFixed(fd, 0, m, 0, 3)), 1004)
				u.want(u.do(api.WritevFixed(fd, 0, m, 0, 4)), 1004)
			}
		}},
		{name: "poll", ops: pollOps, prepare: func(t *T) func() {
			a, b := t.Pair(false)
			u := &turner{t: t}
			out, in := make([]byte, 1), make([]byte, 1)
			return func() {
				u.put(b, out)
				u.want(u.do(api.Poll(a, api.PollIn, 1)), api.PollIn)
				if n, err := unix.Read(a, in); n != 1 || err != nil {
					t.Fatalf("read: %d, %v", n, err)
				}
			}
		}},
		{name: "deadline", needs: NeedStreams, ops: recvOnly, requires: api.FeatDeadlines, prepare: func(t *T) func() {
			a, b := t.Pair(false)
			u := &turner{t: t}
			buf, out := make([]byte, 64), make([]byte, 16)
			return func() {
				u.put(b, out)
				u.want(u.do(api.Recv(a, buf, 1).Until(api.After(farAway))), 16)
			}
		}},
		{name: "read into a provided buffer", ops: readOnly, requires: api.FeatBufferGroups, prepare: func(t *T) func() {
			fd := t.File(pattern(1 << 12))
			r, w := t.Pipe(false)
			g := t.Group(api.BufferGroupOptions{Count: 8, Size: 64})
			u := &turner{t: t}
			out := make([]byte, 16)
			return func() {
				c := u.do(api.ReadBuffer(fd, 0, 64, 1))
				u.want(c, 64)
				u.release(g, c)
				u.put(w, out)
				c = u.do(current(r, 0, 2))
				u.want(c, 16)
				u.release(g, c)
			}
		}},
		{name: "multishot read", ops: readAndMore, requires: readMultishotFeats, prepare: func(t *T) func() {
			r, w := t.Pipe(false)
			g := t.Group(api.BufferGroupOptions{Count: 8, Size: 64})
			t.Submit(api.ReadMultishot(r, 0, 1))
			return leased(t, w, g)
		}},
		{name: "pieces of an incremental buffer, and low water", ops: recvOnly, requires: pieceFeats, prepare: func(t *T) func() {
			a, b := t.TCP(false)
			calls := 0
			g := t.Group(api.BufferGroupOptions{Count: 4, Size: 100, Incremental: true, LowWater: 4, OnLow: func(api.BufferGroup) { calls++ }})
			u := &turner{t: t}
			t.Submit(api.RecvMultishot(a, 0, 1))
			out := make([]byte, 10)
			var held [10]api.Lease
			return func() {
				before := calls
				for i := range held { // a buffer
					u.put(b, out)
					c := u.one()
					u.want(c, 10)
					held[i] = c.Lease
				}
				for _, l := range held {
					if err := g.Release(l); err != nil {
						t.Fatalf("Release: %v", err)
					}
				}
				if calls != before+1 {
					t.Fatalf("OnLow has been called %d times", calls-before)
				}
			}
		}},
		{name: "bundles", ops: recvOnly, requires: bundleFeats, prepare: func(t *T) func() {
			a, b := t.TCP(false)
			c, d := t.TCP(false)
			g := t.Group(api.BufferGroupOptions{Count: 32, Size: 16})
			u := &turner{t: t}
			t.Submit(bundled(api.RecvMultishot(a, 0, 1)))
			out := make([]byte, 100)
			release := func(c *api.Completion) bool {
				if err := g.Release(c.Lease); err != nil {
					t.Fatalf("Release: %v", err)
				}
				return c.Res == 4 // of 100 bytes, the last
			}
			return func() {
				u.put(b, out)
				for !release(u.one()) {
				}
				u.put(d, out)
				for c := u.do(bundled(api.RecvBuffer(c, 0, 2))); !release(c); c = u.one() {
				}
			}
		}},
		{name: "messages into provided buffers", ops: recvMsgOnly, requires: recvMsgFeats, prepare: func(t *T) func() {
			a, _ := t.UDPBound()
			b, bt := t.UDPBound()
			c, d := t.Pair(false)
			g := t.Group(api.BufferGroupOptions{Count: 8, Size: 512})
			u := &turner{t: t}
			t.must("connect", unix.Connect(a, &unix.SockaddrInet4{Port: int(bt.Port()), Addr: bt.Addr().As4()}))
			m, one := &api.Msg{Control: make([]byte, 64)}, new(api.Msg)
			t.Submit(api.RecvMsgMultishot(b, 0, m, 1))
			out := make([]byte, 16)
			return func() {
				u.put(a, out)
				got := u.one()
				p, ok := api.PartsOf(got.Buf, m)
				if !ok || len(p.Payload) != 16 || len(p.Name) != unix.SizeofSockaddrInet4 {
					t.Fatalf("got %v, %v", p, ok)
				}
				u.release(g, got)
				u.put(d, out)
				got = u.do(api.RecvMsgBuffer(c, 0, one, 2))
				u.want(got, 16)
				u.release(g, got)
			}
		}},
		{name: "bundle that is sent", ops: sendOnly, requires: sendBundleFeats, prepare: func(t *T) func() {
			a, b := t.TCP(false)
			g := t.senders(0, 64, 64)
			u := &turner{t: t}
			in := make([]byte, 40*64)
			return func() {
				for range 40 {
					_, l, ok := g.Get()
					if err := g.Queue(l, 64); !ok || err != nil {
						t.Fatalf("Queue: %v, %v", ok, err)
					}
				}
				u.want(u.do(api.SendBundle(a, 0, 1)), 40*64)
				for n := 0; n < len(in); {
					k, err := unix.Read(b, in[n:])
					if err != nil {
						t.Fatalf("read: %v", err)
					}
					n += k
				}
			}
		}},
		{name: "multishot recv", needs: NeedStreams, ops: recvOnly, requires: bufferFeats, prepare: func(t *T) func() {
			a, b := t.TCP(false)
			g := t.Group(api.BufferGroupOptions{Count: 8, Size: 64})
			t.Submit(api.RecvMultishot(a, 0, 1))
			return leased(t, b, g)
		}},
		{name: "recv zc", ops: recvZC, requires: recvZCFeats, prepare: func(t *T) func() {
			a, b := t.TCP(false)
			g := t.ZCGroup(0, 8)
			t.Submit(api.RecvZC(a, 0, 1))
			return leased(t, b, g)
		}},
	}
}

// leased is a turn of a multishot operation that gives what the peer sends in a buffer of g.
func leased(t *T, peer int, g api.BufferGroup) func() {
	u := &turner{t: t}
	out := make([]byte, 16)
	return func() {
		u.put(peer, out)
		c := u.one()
		u.want(c, 16)
		u.release(g, c)
	}
}

// release gives back the buffer of a completion.
func (u *turner) release(g api.BufferGroup, c *api.Completion) {
	if err := g.Release(c.Lease); err != nil {
		u.t.Fatalf("Release: %v", err)
	}
}

func (u *turner) put(fd int, b []byte) {
	write := unix.Write
	if u.t.streams != nil {
		write = u.t.streams.Write
	}
	if n, err := write(fd, b); n != len(b) || err != nil {
		u.t.Fatalf("write: %d, %v", n, err)
	}
}

func (u *turner) get(fd int, b []byte) {
	read := unix.Read
	if u.t.streams != nil {
		read = u.t.streams.Read
	}
	if n, err := read(fd, b); n != len(b) || err != nil {
		u.t.Fatalf("read: %d, %v", n, err)
	}
}
