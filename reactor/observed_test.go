//go:build unix

package reactor_test

import (
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/reactor"
)

// observer notes what a server does with its engines.
type observer struct {
	wakes atomic.Int64

	mu     sync.Mutex
	waits  []api.Strategy // that engines were opened with
	gather int            // the most buffers that one operation has sent
	leased map[*byte]bool // where the buffers that were received into begin
}

func (o *observer) note(do func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	do()
}

// observing is who notes. Tests that use it do not run at the same time.
var observing atomic.Pointer[observer]

// observed is a backend whose engines are those of another one, and tell.
type observed struct{ on string }

func (d observed) Name() string                 { return d.on + "-observed" }
func (d observed) Probe() (api.Features, error) { return api.Features{}, nil }
func (d observed) Open(opt *api.Options) (api.Engine, error) {
	e, err := backend.Open(d.on, opt)
	o := observing.Load()
	if err != nil || o == nil {
		return e, err
	}
	o.note(func() { o.waits = append(o.waits, opt.Strategy) })
	return &telling{e, o}, nil
}

type telling struct {
	api.Engine
	o *observer
}

func (e *telling) Wake() error {
	e.o.wakes.Add(1)
	return e.Engine.Wake()
}

func (e *telling) Submit(ops []api.Op) (int, error) {
	e.o.note(func() {
		for i := range ops {
			if ops[i].Code == api.OpSendMsg {
				e.o.gather = max(e.o.gather, len(ops[i].Msg.Bufs))
			}
		}
	})
	return e.Engine.Submit(ops)
}

func (e *telling) Complete(dst []api.Completion, w api.Wait) (int, error) {
	n, err := e.Engine.Complete(dst, w)
	e.o.note(func() {
		for i := range dst[:n] {
			if len(dst[i].Buf) > 0 {
				e.o.leased[&dst[i].Buf[0]] = true
			}
		}
	})
	return n, err
}

// observable registers the backends, once.
var observable = sync.OnceFunc(func() {
	for _, on := range []string{"uring", "epoll", "poll", "select"} {
		backend.Register(observed{on})
	}
})

// eachObserved is eachEngine with what happens noted.
func eachObserved(t *testing.T, f func(t *testing.T, cfg reactor.Config, o *observer)) {
	observable()
	eachEngine(t, func(t *testing.T, cfg reactor.Config) {
		o := &observer{leased: map[*byte]bool{}}
		observing.Store(o)
		t.Cleanup(func() { observing.Store(nil) })
		cfg.Backend += "-observed"
		f(t, cfg, o)
	})
}

// TestNothingCopied wants a handler to see input where the kernel, or the engine, has received it: in a buffer of the group.
func TestNothingCopied(t *testing.T) {
	eachObserved(t, func(t *testing.T, cfg reactor.Config, o *observer) {
		r := newRecorder()
		r.onData = func(c *reactor.Conn) {
			in := c.Peek(-1)
			o.note(func() {
				if !o.leased[&in[0]] {
					t.Errorf("%d bytes of input are not in a buffer of the group", len(in))
				}
			})
			if next := c.Next(1); &next[0] != &in[0] {
				t.Error("Next copies")
			}
			c.Discard(-1)
			c.WriteString("x")
		}
		c := dial(t, serve(t, cfg, r))
		for _, size := range []int{1, 100, 8192, 5} {
			send(t, c, string(make([]byte, size)))
			for got := 0; got < size; {
				got += len(r.wait(t, "data").data)
			}
		}
	})
}

// TestOneWake posts much while the loop is busy: it is woken once, by the first of those who post, or where there are workers by the first that has something to be sent.
func TestOneWake(t *testing.T) {
	const posters, posts, conns = 4, 250, 3
	eachObserved(t, func(t *testing.T, cfg reactor.Config, o *observer) {
		cfg.Loops = 1
		h := remotes{to: make(chan reactor.Remote, conns)}
		s := serve(t, cfg, h)
		var list []reactor.Remote
		for range conns {
			dial(t, s)
			list = append(list, within(t, h.to))
		}
		release := reactor.Hold(s)
		before := o.wakes.Load()
		var called atomic.Int64
		var all sync.WaitGroup
		for range posters {
			all.Go(func() {
				for i := range posts {
					if err := list[i%conns].Post(func(c *reactor.Conn) { c.WriteString("x"); called.Add(1) }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		done := func() bool { return called.Load() == posters*posts }
		most := int64(1)
		if cfg.Variant.Pooled() {
			until(t, "not all functions are called", done) // which takes no loop
			until(t, "the loop is not woken", func() bool { return o.wakes.Load() > before })
			most++ // a worker may have told of an OnOpen just now
		}
		if n := o.wakes.Load() - before; n < 1 || n > most {
			t.Errorf("the loop is woken %d times for %d functions", n, posters*posts)
		}
		release()
		until(t, "not all functions are called", done)
	})
}

// TestGathered has much output written at once, which is sent by operations of several buffers.
func TestGathered(t *testing.T) {
	const size, n = 40 << 10, 12
	eachObserved(t, func(t *testing.T, cfg reactor.Config, o *observer) {
		r := newRecorder()
		r.onData = func(c *reactor.Conn) {
			c.Discard(-1)
			for i := range n {
				c.Write(make([]byte, size+i))
			}
			c.Close()
		}
		c := dial(t, serve(t, cfg, r))
		send(t, c, "x")
		if got, err := io.ReadAll(c); err != nil || len(got) != n*size+n*(n-1)/2 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		o.note(func() {
			if o.gather < 2 {
				t.Errorf("an operation has sent %d buffers, want several", o.gather)
			}
		})
	})
}

// TestWait wants the engines to be opened with the strategy of the variant, or that of Config.Wait, and all to work with it.
func TestWait(t *testing.T) {
	for _, tc := range []struct {
		name string
		wait api.Strategy
	}{
		{"default", api.Strategy{}},
		{"block", api.Block()},
		{"park", api.Park()},
		{"spin, then block", api.Spin(20, api.Block())},
		{"spin, then park", api.Spin(20, api.Park())},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eachObserved(t, func(t *testing.T, cfg reactor.Config, o *observer) {
				want := tc.wait
				if want == (api.Strategy{}) {
					want = api.Block()
					if cfg.Variant.Pooled() {
						want = api.Park()
					}
				}
				cfg.Wait = tc.wait
				r := newRecorder()
				r.onData = func(c *reactor.Conn) { c.Write(c.Next(-1)) }
				s := serve(t, cfg, r)
				o.note(func() {
					for _, got := range o.waits {
						if got != want {
							t.Errorf("an engine waits by %+v, want %+v", got, want)
						}
					}
					if len(o.waits) == 0 {
						t.Error("no engine was opened")
					}
				})
				c := dial(t, s)
				remote := r.wait(t, "open").remote
				for range 3 {
					send(t, c, "x")
					wantBytes(t, c, "x")
					if err := remote.Post(func(c *reactor.Conn) { c.WriteString("posted") }); err != nil {
						t.Fatal(err)
					}
					wantBytes(t, c, "posted")
				}
			})
		})
	}
}

// wantBytes wants text to come.
func wantBytes(t *testing.T, c io.Reader, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Errorf("got %q, %v, want %q", got, err, text)
	}
}
