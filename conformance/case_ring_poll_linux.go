package conformance

import (
	"errors"
	"fmt"
	"os"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// withPolling makes of one case two, one for each way to poll devices.
func withPolling(c Case) []Case {
	c.Refusable = true
	busy, hybrid := c, c
	busy.Name += " busy"
	busy.Tune = func(o *api.Options) { o.Ring.IOPoll = api.IOPollBusy }
	hybrid.Name += " hybrid"
	hybrid.Tune = func(o *api.Options) { o.Ring.IOPoll = api.IOPollHybrid }
	return []Case{busy, hybrid}
}

var polledDirect = withPolling(Case{
	ID: "RNG-6", Name: "reads and writes",
	Explanation: "With IOPoll, reads and writes around the page cache do what they do without, among operations on other files.",
	Ops:         fileOps | api.Ops(api.OpReadv, api.OpWritev, api.OpNop, api.OpRecv),
	Fn: func(t *T) {
		const n = 100
		data := numbered(n)
		name := t.FilePath("")
		fd := t.direct(name, unix.O_RDWR)
		cached := t.OpenFile(name, unix.O_RDWR)
		a, b := t.Pair(false)
		t.Submit(api.Recv(a, make([]byte, 1), 1000))
		out := t.pages(n * block)
		copy(out, data)
		for i := range n {
			t.Submit(api.Write(fd, out[i*block:][:block], int64(i*block), uint64(i)), api.Nop(uint64(n+i)))
		}
		for i := range n {
			t.AwaitRes(uint64(i), block)
			t.AwaitRes(uint64(n+i), 0)
		}
		t.WantGet(t.OpenFile(name, unix.O_RDONLY), data)
		in, vec := t.pages(n*block), t.pages(2*block)
		m := &api.Msg{Bufs: [][]byte{vec[block:], vec[:block]}}
		for i := range n {
			t.Submit(api.Read(fd, in[i*block:][:block], int64(i*block), uint64(i)))
		}
		some := make([]byte, 10)
		t.Submit(api.Readv(fd, m, 2*block, n), api.Read(cached, some, 3*block, n+1))
		for i := range n {
			t.AwaitRes(uint64(i), block)
		}
		t.AwaitRes(n, 2*block)
		t.AwaitRes(n+1, len(some))
		t.WantBytes(in, data)
		t.WantBytes(vec, data[3*block:4*block]+data[2*block:3*block])
		t.WantBytes(some, data[3*block:3*block+len(some)])
		t.Want(api.Read(fd, in[:block], n*block, 1), 0)
		t.Want(api.Read(t.OpenFile(name, unix.O_WRONLY|unix.O_DIRECT), in[:block], 0, 1), -int(unix.EBADF))
		t.StillPending(1000)
		t.Put(b, "x")
		t.AwaitRes(1000, 1)
	},
})

var polledNumber = withPolling(Case{
	ID: "RNG-6", Name: "the number of another file",
	Explanation: "With IOPoll a number that the program has given to another file behind the engine's back is that file's.",
	Ops:         fileOps,
	Fn: func(t *T) {
		data := numbered(2)
		fd := t.direct(t.FilePath(data), unix.O_RDWR)
		mem := t.pages(block)
		t.Want(api.Write(fd, mem, 0, 1), block)
		t.Want(api.Read(fd, mem, block, 2), block)
		t.WantBytes(mem, data[block:])
		for _, other := range []int{t.File("other"), t.direct(t.FilePath(data), unix.O_RDWR), t.File("again")} {
			t.must("dup3", unix.Dup3(other, fd, unix.O_CLOEXEC))
			want, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", other))
			t.must("read", err)
			got := t.pages(block)
			n := min(len(want), block)
			t.Want(api.Read(fd, got, 0, 3), n)
			t.WantBytes(got[:n], string(want[:n]))
		}
		r, w := t.Pipe(false)
		t.must("dup3", unix.Dup3(r, fd, unix.O_CLOEXEC))
		t.Put(w, "pipe")
		t.Want(api.Read(fd, mem[:4], 0, 4), 4)
		t.WantBytes(mem[:4], "pipe")
	},
})

var polledEnds = withPolling(Case{
	ID: "RNG-6", Name: "cancels, deadlines and Close",
	Requires:    api.FeatDeadlines,
	Explanation: "With IOPoll, what is polled for ends before or in spite of a cancel or its Deadline, once; and Close waits for it.",
	Ops:         fileOps | api.Ops(api.OpCancel),
	Fn: func(t *T) {
		const n = 64
		fd := t.direct(t.FilePath(numbered(n)), unix.O_RDWR)
		mem := t.pages(n * block)
		for i := range n {
			w := api.Write(fd, mem[i*block:][:block], int64(i*block), uint64(i))
			if i%4 == 0 {
				w.Deadline = api.Now() + 1
			}
			id := t.Submit(w)[0]
			if i%4 == 1 {
				t.Perform()
			}
			if i%2 == 1 {
				t.Submit(api.Cancel(id, uint64(n+i)))
			}
		}
		for i := range n {
			c := t.Await(uint64(i))
			if err := c.Err(); c.Res != block && !errors.Is(err, api.ErrCanceled) && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("write %d: %s", i, show(&c))
			}
			if i%2 == 0 {
				continue
			}
			answer := t.Await(uint64(n + i))
			if r := int(answer.Res); r != 0 && r != enoent && r != neg(unix.EALREADY) || (r == 0) != (int(c.Res) == ecanceled) {
				t.Errorf("write %d: %s, its cancel %s", i, show(&c), show(&answer))
			}
		}
		for i := range n {
			t.Submit(api.Write(fd, mem[i*block:][:block], int64(i*block), uint64(i)))
		}
		t.Perform()
		t.CloseEngine()
	},
})
