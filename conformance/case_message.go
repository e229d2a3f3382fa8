package conformance

import (
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/sluiceio/sluice/api"
)

var messageOps = api.Ops(api.OpMsgRing)

// post posts to the engine of the case.
func (t *T) post(tag uint64, res int32) {
	if err := t.Engine.Post(tag, res); err != nil {
		t.Errorf("Post: %v", err)
	}
}

// posted fails the case unless c is a completion that was posted with tag and res.
func (t *T) posted(c *api.Completion, tag uint64, res int32) {
	t.tb.Helper()
	if c.Code != api.OpMsgRing || c.ID != 0 || c.Flags != 0 || c.Tag != tag || c.Res != res {
		t.Errorf("got %s with the id %#x, want what was posted with the tag %d and the result %d", show(c), uint64(c.ID), tag, res)
	}
}

// take reaps up to n completions of another engine, with at least one.
func (t *T) take(e api.Engine, n int) []api.Completion {
	dst := make([]api.Completion, n)
	got, err := e.Complete(dst, api.Wait{Min: 1, Deadline: t.deadline()})
	if err != nil || got == 0 {
		t.Fatalf("Complete of another engine: %d, %v", got, err)
	}
	return dst[:got]
}

// wrapped is an engine around another, as a program may have one.
type wrapped struct {
	api.Engine
	posts []uint64
	err   error
}

func (w *wrapped) Post(tag uint64, res int32) error {
	w.posts = append(w.posts, tag)
	if w.err != nil {
		return w.err
	}
	return w.Engine.Post(tag, res)
}

var messageCases = []Case{
	{
		ID: "MSG-1", Name: "as given",
		Explanation: "Post delivers one completion with the tag and the result that were given, the code OpMsgRing, and no id.",
		Requires:    api.FeatPost,
		Fn: func(t *T) {
			for i, res := range []int32{0, 1, -1, 1<<31 - 1, -1 << 31, -int32(syscall.ENOENT)} {
				tag := uint64(i)<<60 + 5
				t.post(tag, res)
				c := t.One()
				t.posted(&c, tag, res)
			}
			if c := (api.Completion{Res: -int32(syscall.ENOENT), Code: api.OpMsgRing}); c.Err() != syscall.ENOENT {
				t.Errorf("the error of a posted completion is %v", c.Err())
			}
			t.Quiet()
			if s := t.Engine.Stats(); s.InFlight != 0 || s.Submitted != 0 || s.Completions != 6 {
				t.Errorf("after 6 completions that no operation stands behind: %+v", s)
			}
		},
	},
	{
		ID: "MSG-2", Name: "to another engine",
		Explanation: "A Message completes with 0 and makes the other engine complete as Post does.",
		Requires:    api.FeatPost,
		Ops:         messageOps,
		Fn: func(t *T) {
			other := t.Open(nil)
			for i := range uint64(10) {
				t.Want(api.Message(other, int32(i)-5, 100+i, i), 0)
				c := t.take(other, 4)
				if len(c) != 1 {
					t.Fatalf("%d completions of one message", len(c))
				}
				t.posted(&c[0], 100+i, int32(i)-5)
			}
			t.Quiet()
		},
	},
	{
		ID: "MSG-2", Name: "there and back",
		Explanation: "Two engines, each in a goroutine of its own, answer each other's messages.",
		Requires:    api.FeatPost,
		Ops:         messageOps,
		Fn: func(t *T) {
			const rounds = 200
			var other api.Engine
			opened, done := make(chan error), make(chan error, 1)
			go func() {
				o := t.opt
				e, err := t.f(&o)
				other = e
				opened <- err
				if err == nil {
					done <- t.echoMessages(e, t.Engine, rounds)
				}
			}()
			if err := <-opened; err != nil {
				t.Fatalf("opening another engine: %v", err)
			}
			for i := range uint64(rounds) {
				t.Want(api.Message(other, int32(i), i, 1<<32), 0)
				c := t.Await(i)
				t.posted(&c, i, int32(i)+1)
			}
			if err := <-done; err != nil {
				t.Errorf("the other engine: %v", err)
			}
		},
	},
	{
		ID: "MSG-3", Name: "wakes",
		Explanation: "A Post from any goroutine ends a wait for one completion.",
		Requires:    api.FeatPost,
		Ops:         api.Ops(api.OpTimeout),
		Fn: func(t *T) {
			t.Submit(api.Timeout(farAway, 1))
			for i := range uint64(40) {
				done := make(chan struct{})
				go func() {
					defer close(done)
					// They come ever later, so that some find the owner on its way to sleep.
					end := api.Now() + api.Instant(i)*50_000
					within(t.timeout, func() bool { return api.Now() >= end })
					t.post(100+i, 0)
				}()
				c := t.One()
				<-done
				t.posted(&c, 100+i, 0)
			}
			t.StillPending(1)
		},
	},
	{
		ID: "MSG-3", Name: "counts for Min",
		Explanation: "A wait for several completions counts those that were posted, and goes on until it has as many.",
		Requires:    api.FeatPost,
		Fn: func(t *T) {
			t.untaken = true
			const n = 30
			done := make(chan struct{})
			go func() {
				defer close(done)
				for i := range uint64(n) {
					t.post(i, 0)
				}
			}()
			dst := make([]api.Completion, n)
			if got := t.complete(dst, api.Wait{Min: n, Deadline: t.deadline()}); got != n {
				t.Errorf("%d completions, want %d", got, n)
			}
			<-done
		},
	},
	{
		ID: "MSG-4", Name: "many to one",
		Explanation: "What any number of goroutines post arrives, all of it, once, and that of each goroutine in order.",
		Requires:    api.FeatPost,
		Ops:         api.Ops(api.OpNop),
		Fn: func(t *T) {
			const senders, each = 8, 500
			var wg sync.WaitGroup
			for s := range uint64(senders) {
				wg.Go(func() {
					for i := range int32(each) {
						t.post(1000+s, i)
					}
				})
			}
			next := [senders]int32{}
			nops := 0
			for got := 0; got < senders*each; {
				if got%7 == 0 && nops == 0 {
					t.Submit(api.Nop(1))
					nops++
				}
				c := t.One()
				if c.Code == api.OpNop {
					nops--
					continue
				}
				s := c.Tag - 1000
				if s >= senders || c.Res != next[s] {
					t.Fatalf("got %s, %v come next", show(&c), next)
				}
				next[s]++
				got++
			}
			wg.Wait()
			if nops > 0 {
				t.Await(1)
			}
			t.Quiet()
		},
	},
	{
		ID: "MSG-5", Name: "to itself",
		Explanation: "An engine can send messages to itself, and its owner can post to it.",
		Requires:    api.FeatPost,
		Ops:         messageOps,
		Fn: func(t *T) {
			t.post(1, 1)
			t.Submit(api.Message(t.Engine, 2, 2, 3), api.Message(t.Engine, 4, 4, 5))
			for range 5 {
				switch c := t.One(); c.Tag {
				case 1, 2, 4:
					t.posted(&c, c.Tag, int32(c.Tag))
				case 3, 5:
					t.WantRes(&c, 0)
				default:
					t.Errorf("got %s", show(&c))
				}
			}
			t.Quiet()
		},
	},
	{
		ID: "MSG-6", Name: "closed and nil",
		Explanation: "A Message to no engine, or to one that is closed, is EBADF; Post to a closed one is ErrClosed.",
		Requires:    api.FeatPost,
		Ops:         messageOps,
		Fn: func(t *T) {
			other := t.Open(nil)
			t.Want(api.Message(other, 0, 1, 2), 0) // it is dropped
			if err := other.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			t.Want(api.Message(other, 0, 1, 3), -int(syscall.EBADF))
			t.Want(api.Message(nil, 0, 1, 4), -int(syscall.EBADF))
			if err := other.Post(1, 0); err != api.ErrClosed {
				t.Errorf("Post to a closed engine: %v", err)
			}
			t.CloseEngine()
			if err := t.Engine.Post(1, 0); err != api.ErrClosed {
				t.Errorf("Post after Close: %v", err)
			}
		},
	},
	{
		ID: "MSG-7", Name: "full",
		Explanation: "With MaxInFlight completions waiting, Post is ErrQueueFull and a Message EOVERFLOW; nothing that was taken is lost, and there is room again when they have been reaped.",
		Requires:    api.FeatPost,
		Ops:         messageOps,
		Tune:        func(o *api.Options) { o.MaxInFlight = 16 },
		Fn: func(t *T) {
			other := t.Open(nil)
			for round := range 3 {
				for i := range uint64(16) {
					if err := other.Post(i, int32(round)); err != nil {
						t.Fatalf("the post %d of 16: %v", i, err)
					}
				}
				if err := other.Post(99, 0); err != api.ErrQueueFull {
					t.Errorf("the post 17 of 16: %v", err)
				}
				t.Want(api.Message(other, 0, 99, 1), -int(syscall.EOVERFLOW))
				for next := uint64(0); next < 16; {
					for _, c := range t.take(other, 5) {
						t.posted(&c, next, int32(round))
						next++
					}
				}
			}
			if n, err := other.Complete(make([]api.Completion, 4), api.Wait{}); n != 0 || err != nil {
				t.Errorf("%d completions that were refused have come: %v", n, err)
			}
		},
	},
	{
		ID: "MSG-7", Name: "room bit by bit",
		Explanation: "Each completion that is reaped makes room for one more, however slowly the target reaps.",
		Requires:    api.FeatPost,
		Tune:        func(o *api.Options) { o.MaxInFlight = 4 },
		Fn: func(t *T) {
			t.untaken = true
			next, put := uint64(0), uint64(0)
			dst := make([]api.Completion, 1)
			for next < 10_000 {
				for put <= next+4 && t.Engine.Post(put, 0) == nil {
					put++
				}
				if put != next+4 {
					t.Fatalf("%d could be posted with %d reaped", put, next)
				}
				if n := t.complete(dst, api.Wait{Min: 1, Deadline: t.deadline()}); n != 1 {
					t.Fatalf("no completion")
				}
				t.posted(&dst[0], next, 0)
				next++
			}
		},
	},
	{
		ID: "MSG-8", Name: "neither starves",
		Explanation: "Operations complete although others post all the time, and what is posted arrives although operations fill dst.",
		Requires:    api.FeatPost,
		Ops:         api.Ops(api.OpNop, api.OpTimeout),
		Tune:        func(o *api.Options) { o.MaxInFlight = 100 },
		Fn: func(t *T) {
			t.untaken = true
			for _, size := range []int{1, 2, 7} {
				t.Submit(api.Timeout(0, 2))
				dst := make([]api.Completion, size)
				posts, nops, flying := 0, 0, 0
				for timeout := false; posts < 50 || nops < 50 || !timeout; {
					if api.Now() > t.deadline() {
						t.Errorf("with %d in dst: %d posts, %d nops, timeout %v", size, posts, nops, timeout)
						break
					}
					for ; flying <= 2*size; flying++ { // more than dst holds
						t.Submit(api.Nop(3))
					}
					for n := 0; t.Engine.Post(1, 0) == nil; n++ { // the queue is full each time
						if n > 100 {
							t.Fatalf("%d completions could be posted with MaxInFlight 100", n)
						}
					}
					for _, c := range dst[:t.complete(dst, api.Wait{Min: 1})] {
						switch c.Tag {
						case 1:
							posts++
						case 2:
							timeout = true
						case 3:
							nops++
							flying--
						}
					}
				}
				t.drain()
			}
		},
	},
	{
		ID: "MSG-9", Name: "races with close",
		Explanation: "Post may be called while Close runs: it succeeds or returns ErrClosed.",
		Requires:    api.FeatPost,
		Ops:         api.Ops(api.OpTimeout),
		Fn: func(t *T) {
			t.Submit(api.Timeout(farAway, 1))
			t.Perform()
			e := t.Engine
			var wg sync.WaitGroup
			begun := make(chan struct{}, 4)
			for range 4 {
				wg.Go(func() {
					begun <- struct{}{}
					for !t.spent() {
						switch err := e.Post(1, 0); {
						case errors.Is(err, api.ErrClosed):
							return
						case err != nil && !errors.Is(err, api.ErrQueueFull):
							t.Errorf("Post: %v", err)
							return
						}
					}
				})
			}
			for range 4 {
				<-begun
			}
			t.CloseEngine()
			wg.Wait()
		},
	},
	{
		ID: "MSG-10", Name: "any engine",
		Explanation: "The target of a Message may be any Engine: its Post is called, and an error that is not ErrQueueFull is EBADF.",
		Requires:    api.FeatPost,
		Ops:         messageOps,
		Fn: func(t *T) {
			w := &wrapped{Engine: t.Open(nil)}
			t.Want(api.Message(w, 7, 8, 1), 0)
			c := t.take(w, 2)
			t.posted(&c[0], 8, 7)
			w.err = api.ErrQueueFull
			t.Want(api.Message(w, 7, 9, 2), -int(syscall.EOVERFLOW))
			w.err = errors.New("of its own")
			t.Want(api.Message(w, 7, 10, 3), -int(syscall.EBADF))
			if len(w.posts) != 3 || w.posts[2] != 10 {
				t.Errorf("Post was called for the tags %v", w.posts)
			}
		},
	},
	{
		ID: "MSG-11", Name: "bad input",
		Explanation: "A Message without Args is EFAULT, with a flag that it does not know EINVAL, and nothing is delivered.",
		Requires:    api.FeatPost,
		Ops:         messageOps,
		Fn: func(t *T) {
			op := api.Message(t.Engine, 0, 1, 2)
			op.Args = nil
			t.Want(op, -int(syscall.EFAULT))
			for _, f := range []api.OpFlags{api.Multishot, api.DontWait, api.WaitAll, api.Unordered, api.EOF, api.Abs, api.Shared} {
				op := api.Message(t.Engine, 0, 1, 3)
				op.Flags = f
				t.Want(op, -int(eInval))
			}
			t.Quiet()
		},
	},
}

// drain reaps what is left of a case that reaps by itself.
func (t *T) drain() {
	dst := make([]api.Completion, 256)
	for t.complete(dst, api.Wait{}) > 0 || t.open > 0 {
		if api.Now() > t.deadline() {
			t.Fatalf("there is no end to it: %s", t.state())
		}
	}
}

// echoMessages answers rounds messages of an engine by one to another, and closes the engine.
func (t *T) echoMessages(e, to api.Engine, rounds int) error {
	var dst [4]api.Completion
	for rounds > 0 {
		n, err := e.Complete(dst[:], api.Wait{Min: 1, Deadline: t.deadline()})
		if err == nil && t.spent() {
			err = fmt.Errorf("%d messages have not come", rounds)
		}
		if err != nil {
			return errors.Join(err, e.Close())
		}
		for _, c := range dst[:n] {
			if c.ID != 0 {
				continue // its own message has been delivered
			}
			rounds--
			if _, err := e.Submit([]api.Op{api.Message(to, c.Res+1, c.Tag, 0)}); err != nil {
				return errors.Join(err, e.Close())
			}
		}
	}
	_, err := e.Complete(dst[:], api.Wait{Min: 1, Deadline: t.deadline()})
	return errors.Join(err, e.Close())
}
