//go:build unix

package conformance

import (
	"errors"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// fewWorkers leaves little room in the pool.
func fewWorkers(o *api.Options) { o.Workers, o.WorkQueue = 2, 3 }

// oneWorker has all work done one after the other.
func oneWorker(o *api.Options) { o.Workers = 1 }

// toTheWorkers says whether fsync, which stands for all that is sure to need one, goes to a worker here.
func (t *T) toTheWorkers() bool { return t.Engine.Features().Op(api.OpFsync) == api.Emulated }

// fsyncs are n of them, with tags from 0.
func fsyncs(fd, n int) []api.Op {
	ops := make([]api.Op, n)
	for i := range ops {
		ops[i] = api.Fsync(fd, uint64(i))
	}
	return ops
}

var workerCases = []Case{
	{
		ID: "WRK-1", Name: "full",
		Explanation: "Submit takes as many operations that are sure to need a worker as there are Workers and places in the WorkQueue, and any number of those that the kernel performs.",
		Ops:         api.Ops(api.OpFsync, api.OpNop),
		Tune:        fewWorkers,
		Fn: func(t *T) {
			fd := t.File("abc")
			const room = 2 + 3
			want, wantErr := 10, error(nil)
			if t.toTheWorkers() {
				want, wantErr = room, api.ErrQueueFull
			}
			for range 3 {
				ops := fsyncs(fd, 10)
				n, err := t.Engine.Submit(ops)
				t.track(ops[:max(min(n, 10), 0)])
				if n != want || !errors.Is(err, wantErr) {
					t.Fatalf("Submit of 10 fsyncs with 2 workers and a queue of 3: %d, %v; want %d, %v", n, err, want, wantErr)
				}
				for i := range uint64(n) {
					t.AwaitRes(i, 0)
				}
			}
		},
	},
	{
		ID: "WRK-2", Name: "others are taken",
		Explanation: "Nops, receives and reads of files are taken although no more fsyncs are.",
		Ops:         api.Ops(api.OpFsync, api.OpNop, api.OpRecv, api.OpRead),
		Tune:        fewWorkers,
		Fn: func(t *T) {
			fd := t.File("abc")
			a, b := t.Pair(false)
			ops := fsyncs(fd, 10)
			n, _ := t.Engine.Submit(ops)
			t.track(ops[:n])
			const more = 20
			t.Put(b, pattern(more))
			for i := range uint64(more) {
				t.Submit(api.Nop(100+i), api.Recv(a, make([]byte, 1), 200+i), api.Read(fd, make([]byte, 3), 0, 300+i))
			}
			for i := range uint64(more) {
				t.AwaitRes(100+i, 0)
				t.AwaitRes(200+i, 1)
				t.AwaitRes(300+i, 3)
			}
			for i := range uint64(n) {
				t.AwaitRes(i, 0)
			}
		},
	},
	{
		ID: "WRK-2", Name: "reads that have to wait for the disk",
		Explanation: "Reads of a file that is not in memory are all taken, however few workers there are and however short their queue.",
		Ops:         fileOps,
		Tune:        func(o *api.Options) { o.Workers, o.WorkQueue = 1, 1 },
		Fn: func(t *T) {
			const n, size = 64, 4096
			data := pattern(n * size)
			fd := t.File(data)
			t.Evict(fd)
			bufs := bytesFor(n, size)
			for i := range n {
				t.Submit(api.Read(fd, bufs[i], int64(i*size), uint64(i)))
			}
			for i := range uint64(n) {
				t.AwaitRes(i, size)
			}
			t.WantBytes([]byte(join(bufs)), data)
		},
	},
	{
		ID: "WRK-3", Name: "nothing is lost",
		Explanation: "What was refused is taken when one of those before has completed, and each of those that were taken completes once.",
		Ops:         api.Ops(api.OpFsync),
		Tune:        fewWorkers,
		Fn: func(t *T) {
			const n = 300
			ops := fsyncs(t.File("abc"), n)
			inFlight := 0
			for sent := 0; sent < n || inFlight > 0; {
				m, err := t.Engine.Submit(ops[sent:])
				if m < 0 || m > n-sent || err != nil && !errors.Is(err, api.ErrQueueFull) {
					t.Fatalf("Submit with %d in flight: %d, %v", inFlight, m, err)
				}
				if m == 0 && sent < n && inFlight < 2+3 {
					t.Fatalf("Submit takes no fsync with %d in flight", inFlight)
				}
				t.track(ops[sent : sent+m])
				sent, inFlight = sent+m, inFlight+m
				t.One()
				inFlight--
			}
		},
	},
	{
		ID: "WRK-4", Name: "cancel of work",
		Explanation: "A cancel of work that waits for a worker, or is with one, answers 0 if and only if the work ends by it.",
		Ops:         api.Ops(api.OpFsync, api.OpCancel),
		Tune:        oneWorker,
		Fn: func(t *T) {
			const n = 64
			ops := fsyncs(t.File("abc"), n)
			ids := t.Submit(ops...)
			t.Perform()
			for i := n - 1; i >= 0; i-- {
				t.Submit(api.Cancel(ids[i], uint64(1000+i)))
			}
			for i := range uint64(n) {
				work, answer := t.Await(i), t.Await(1000+i)
				switch {
				case answer.Res == 0 && errors.Is(work.Err(), api.ErrCanceled):
				case work.Res == 0 && (int(answer.Res) == enoent || answer.Res == -int32(unix.EALREADY)):
				default:
					t.Errorf("the cancel of %s gave %s", show(&work), show(&answer))
				}
			}
		},
	},
	{
		ID: "WRK-4", Name: "deadline of work",
		Explanation: "Work that still waits for a worker at its deadline ends with it, and work that has begun ends by itself.",
		Requires:    api.FeatDeadlines,
		Ops:         api.Ops(api.OpFsync),
		Tune:        oneWorker,
		Fn: func(t *T) {
			const n = 64
			ops := fsyncs(t.File("abc"), n)
			at := api.After(lookTime / 4)
			for i := range ops {
				ops[i] = ops[i].Until(at)
			}
			t.Submit(ops...)
			for i := range uint64(n) {
				if c := t.Await(i); c.Res != 0 && int(c.Res) != etime {
					t.Errorf("an fsync with a deadline gave %s", show(&c))
				}
			}
		},
	},
	{
		ID: "WRK-5", Name: "counters of the pool",
		Explanation: "Stats counts what has gone to the pool, what is there, and what of that waits for a worker.",
		Ops:         api.Ops(api.OpFsync),
		Tune:        fewWorkers,
		Fn: func(t *T) {
			const n = 5
			before := t.Engine.Stats()
			ids := t.Submit(fsyncs(t.File("abc"), n)...)
			t.Perform()
			if s := t.Engine.Stats(); s.PoolQueued > s.PoolDepth || s.PoolDepth > n || s.PoolDepth > s.PoolQueued+2 {
				t.Errorf("of %d fsyncs with 2 workers: %+v", n, s)
			}
			for i := range ids {
				t.AwaitRes(uint64(i), 0)
			}
			want := uint64(0)
			if t.toTheWorkers() {
				want = n
			}
			if s := t.Engine.Stats(); s.Blocking-before.Blocking != want || s.PoolDepth != 0 || s.PoolQueued != 0 {
				t.Errorf("after %d fsyncs, of which %d need a worker: %+v", n, want, s)
			}
		},
	},
	{
		ID: "ENG-3", Name: "work that waits for a worker",
		Explanation: "Close ends what still waits for a worker, and waits for what a worker has begun.",
		Ops:         api.Ops(api.OpFsync),
		Tune:        oneWorker,
		Fn: func(t *T) {
			ops := fsyncs(t.File("abc"), 300)
			t.Submit(ops[:200]...)
			t.Perform()
			t.Submit(ops[200:]...)
			t.CloseEngine()
			if s := t.Engine.Stats(); s.InFlight != 0 || s.PoolDepth != 0 || s.PoolQueued != 0 {
				t.Errorf("after Close: %+v", s)
			}
		},
	},
	{
		ID: "STR-4", Name: "write to a file",
		Explanation: "A write with DontWait over what is in memory does not have to wait, whether the file system can tell or not.",
		Requires:    api.FeatDontWait,
		Ops:         api.Ops(api.OpWrite, api.OpWritev),
		Fn: func(t *T) {
			f := t.File("0123456789")
			t.Want(api.Write(f, []byte("ab"), 0, 1).With(api.DontWait), 2)
			t.Want(api.Writev(f, &api.Msg{Bufs: [][]byte{[]byte("c"), []byte("d")}}, 4, 2).With(api.DontWait), 2)
			t.WantGet(f, "ab23cd6789")
		},
	},
	{
		ID: "ORD-2", Name: "reads that have to wait for the disk",
		Explanation: "Reads at the current position are in order although the file is not in memory and there are many workers.",
		Ops:         fileOps,
		Fn: func(t *T) {
			const n, size = 64, 4096
			data := pattern(n * size)
			fd := t.File(data)
			t.Evict(fd)
			_, err := unix.Seek(fd, 0, 0)
			t.must("seek", err)
			bufs := bytesFor(n, size)
			for i := range n {
				t.Submit(api.Read(fd, bufs[i], api.CurrentPosition, uint64(i)))
			}
			for i := range uint64(n) {
				t.AwaitRes(i, size)
			}
			t.WantBytes([]byte(join(bufs)), data)
		},
	},
}
