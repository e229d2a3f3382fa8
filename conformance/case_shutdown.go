//go:build unix

package conformance

import (
	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

var shutdownOps = api.Ops(api.OpShutdown, api.OpRecv, api.OpSend)

var shutdownCases = []Case{
	{
		ID: "SHU-1", Name: "no more sending",
		Explanation: "Shutdown of writing ends the stream for the peer; sending is then EPIPE, receiving goes on.",
		Needs:       NeedStreams,
		Ops:         shutdownOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Want(api.Shutdown(a, api.ShutWrite, 1), 0)
				t.WantEnd(b)
				t.WantErr(api.Send(a, []byte("x"), 2), unix.EPIPE)
				t.Put(b, "still")
				buf := make([]byte, 8)
				t.Want(api.Recv(a, buf, 3), 5)
			})
		},
	},
	{
		ID: "SHU-2", Name: "behind queued sends",
		Explanation: "Shutdown of writing takes effect behind the sends that were submitted before it.",
		Needs:       NeedStreams,
		Requires:    api.FeatOrdered | api.FeatWaitAll,
		Ops:         shutdownOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a, b)
				data := pattern(1 << 18)
				t.Submit(api.Send(a, t.patternSent(len(data)), 1).With(api.WaitAll), api.Send(a, []byte("tail"), 2).With(api.WaitAll), api.Shutdown(a, api.ShutWrite, 3))
				t.StillPending(1, 2, 3)
				got := t.getLater(b, len(data)+100)
				t.AwaitRes(1, len(data))
				t.AwaitRes(2, 4)
				t.AwaitRes(3, 0)
				t.WantBytes(<-got, data+"tail")
			})
		},
	},
	{
		ID: "SHU-2", Name: "behind a send that is in no order",
		Explanation: "Shutdown of writing does not overtake an Unordered send of the same batch.",
		Needs:       NeedStreams,
		Requires:    api.FeatOrdered,
		Ops:         shutdownOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Submit(api.Send(a, []byte("hello"), 1).With(api.Unordered), api.Shutdown(a, api.ShutWrite, 2))
				t.AwaitRes(1, 5)
				t.AwaitRes(2, 0)
				t.WantGet(b, "hello")
				t.WantEnd(b)
			})
		},
	},
	{
		ID: "SHU-3", Name: "no more receiving",
		Explanation: "Shutdown of reading takes effect at once: receives that wait give 0, and so do later ones.",
		Needs:       NeedStreams,
		Ops:         shutdownOps,
		Fn: func(t *T) {
			t.EachStream(func(a, _ int) {
				t.Submit(api.Recv(a, make([]byte, 1), 1), api.Recv(a, make([]byte, 1), 2))
				t.StillPending(1, 2)
				t.Want(api.Shutdown(a, api.ShutRead, 3), 0)
				t.AwaitRes(1, 0)
				t.AwaitRes(2, 0)
				t.Want(api.Recv(a, make([]byte, 1), 4), 0)
			})
		},
	},
	{
		ID: "SHU-4", Name: "both",
		Explanation: "Shutdown of both directions takes effect at once: receives that wait give 0, sends that wait EPIPE or what they have moved.",
		Needs:       NeedStreams,
		Ops:         shutdownOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.SmallBuffers(a, b)
				t.Fill(a)
				t.Submit(api.Recv(a, make([]byte, 1), 1), api.Send(a, []byte("x"), 2))
				t.StillPending(1, 2)
				t.Want(api.Shutdown(a, api.ShutBoth, 3), 0)
				t.AwaitRes(1, 0)
				t.AwaitRes(2, neg(unix.EPIPE))
			})
		},
	},
	{
		ID: "SHU-5", Name: "what cannot be shut down",
		Explanation: "Shutdown with an unknown how is EINVAL, of a socket that is not connected ENOTCONN, of another file ENOTSOCK.",
		Ops:         shutdownOps,
		Fn: func(t *T) {
			a, _ := t.TCP(false)
			for _, how := range []int{99, -1, 3} {
				t.WantErr(api.Shutdown(a, how, 1), unix.EINVAL)
			}
			t.WantErr(api.Shutdown(t.Socket(unix.AF_INET, unix.SOCK_STREAM), api.ShutWrite, 2), unix.ENOTCONN)
			t.WantErr(api.Shutdown(t.Socket(unix.AF_INET, unix.SOCK_STREAM), api.ShutBoth, 3), unix.ENOTCONN)
			t.WantErr(api.Shutdown(t.File("x"), api.ShutRead, 4), unix.ENOTSOCK)
		},
	},
	{
		ID: "SHU-6", Name: "data before the end",
		Explanation: "What was sent before a shutdown of both directions still arrives at the peer.",
		Needs:       NeedStreams,
		Ops:         shutdownOps,
		Fn: func(t *T) {
			t.EachStream(func(a, b int) {
				t.Want(api.Send(a, []byte("last words"), 1), 10)
				t.Want(api.Shutdown(a, api.ShutBoth, 2), 0)
				t.WantGet(b, "last words")
				t.WantEnd(b)
			})
		},
	},
}
