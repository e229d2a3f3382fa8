//go:build unix

package conformance

import (
	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// undeclaredFileOps are operations on files. Each would have to wait, or would do what the feature says.
func undeclaredFileOps() []undeclared {
	receive := func(flags api.OpFlags) func(*T) []api.Op {
		return func(t *T) []api.Op {
			a, _ := t.Pair(false)
			return []api.Op{api.Recv(a, make([]byte, 8), 1).With(flags)}
		}
	}
	// grouped has data, and a group to take a buffer from.
	grouped := func(make func(fd int, group uint16) api.Op) func(*T) []api.Op {
		return func(t *T) []api.Op {
			a, b := t.Pair(false)
			t.Put(b, "data")
			g := t.Group(api.BufferGroupOptions{Count: 2, Size: 16})
			t.Cleanup(func() { _ = g.Close() }) // the engine is closed by then
			return []api.Op{make(a, g.ID())}
		}
	}
	return []undeclared{
		{feat: api.FeatMultishotAccept, ops: api.Ops(api.OpAccept), op: func(t *T) []api.Op {
			l, _ := t.Listener()
			return []api.Op{api.AcceptMultishot(l, 1)}
		}},
		{feat: api.FeatMultishotPoll, ops: api.Ops(api.OpPoll), op: func(t *T) []api.Op {
			a, _ := t.Pair(false)
			return []api.Op{api.PollMultishot(a, unix.POLLIN, 1)}
		}},
		{feat: api.FeatWaitAll, ops: recvOnly, op: receive(api.WaitAll)},
		{feat: api.FeatDontWait, ops: recvOnly, op: receive(api.DontWait)},
		{feat: api.FeatMultishotRecv, among: api.FeatBufferGroups, ops: recvOnly,
			op: grouped(func(fd int, g uint16) api.Op { return api.RecvMultishot(fd, g, 1) })},
		{feat: api.FeatMultishotRecvMsg, among: api.FeatBufferGroups, ops: api.Ops(api.OpRecvMsg),
			op: grouped(func(fd int, g uint16) api.Op { return api.RecvMsgMultishot(fd, g, &api.Msg{}, 1) })},
		{feat: api.FeatMultishotRead, among: api.FeatBufferGroups, ops: api.Ops(api.OpReadMultishot),
			op: grouped(func(fd int, g uint16) api.Op { return api.ReadMultishot(fd, g, 1) })},
		{feat: api.FeatBundles, among: api.FeatBufferGroups, ops: recvOnly,
			op: grouped(func(fd int, g uint16) api.Op { return api.RecvBuffer(fd, g, 1).With(api.Bundle) })},
		{feat: api.FeatDirectFiles, among: api.FeatFixedFiles, ops: api.Ops(api.OpSocket), op: func(t *T) []api.Op {
			t.slots(2)
			t.Cleanup(func() { _ = t.Engine.UnregisterFiles() }) // it is closed by then
			return []api.Op{api.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 1).Into(0)}
		}},
		{feat: api.FeatZeroCopy, ops: api.Ops(api.OpSendZC), op: func(t *T) []api.Op {
			a, _ := t.UDP()
			return []api.Op{api.SendZC(a, []byte("data"), 1)}
		}},
	}
}
