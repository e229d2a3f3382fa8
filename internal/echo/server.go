package echo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

// The defaults of Options.
const (
	DefaultBuffers    = 256
	DefaultBufferSize = 8192
	DefaultSlots      = 16384
)

// Options configure a Server. The zero Options stand for the defaults.
type Options struct {
	// Loops is how many goroutines serve, each with an engine and, if there are several, a listener of its
	// own on the same port. Default: 1.
	Loops int
	// Buffers is how many buffers each loop receives into, a power of two. They bound what is under way at a
	// time, not the number of connections. Default: DefaultBuffers.
	Buffers int
	// BufferSize is the size of each in bytes. Default: DefaultBufferSize.
	BufferSize int
	// FixedFiles accepts connections into the engine's table of registered files rather than as fds. Default: no.
	FixedFiles bool
	// Slots is how many there are, for each loop: it takes no more connections at a time. Default: DefaultSlots.
	Slots int
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	for _, f := range []struct {
		p   *int
		def int
	}{{&d.Loops, 1}, {&d.Buffers, DefaultBuffers}, {&d.BufferSize, DefaultBufferSize}, {&d.Slots, DefaultSlots}} {
		if *f.p == 0 {
			*f.p = f.def
		}
	}
	return d
}

// Server is an echo server that runs.
type Server struct {
	addr net.Addr
	stop context.CancelFunc
	done chan struct{} // closed when all loops have ended

	mu    sync.Mutex
	loops []*loop // those that run; guarded by mu
	stats Stats   // of those that have ended; guarded by mu
	err   error   // why the loops ended; guarded by mu
}

// Stats are counters of a server, over all its loops.
type Stats struct {
	Accepted     uint64    // connections taken up
	AcceptFailed uint64    // times that a listener had to rest, for want of fds say
	Rearmed      uint64    // receives that had ended, and were begun again on the same connection
	Engine       api.Stats // the sum of the engines'
}

// Start listens on addr and serves until ctx is done. It returns when every loop accepts connections. open
// makes one engine per loop, in the goroutine of the loop, which closes it. o may be nil. Errors
// are those of net.Listen, of open, of NewBufferGroup, and of RegisterFiles.
func Start(ctx context.Context, addr string, open func() (api.Engine, error), o *Options) (*Server, error) {
	opt := o.withDefaults()
	fds, bound, err := listenAll(addr, opt.Loops)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	s := &Server{addr: bound, stop: stop, done: make(chan struct{})}
	ready := make(chan error, len(fds))
	var wg sync.WaitGroup
	for _, fd := range fds {
		wg.Go(func() { s.serve(ctx, fd, open, &opt, ready) })
	}
	go func() {
		wg.Wait()
		stop()
		close(s.done)
	}()
	for range fds {
		err = errors.Join(err, <-ready)
	}
	if err != nil {
		stop()
		<-s.done
		return nil, err
	}
	return s, nil
}

// listenAll opens n listeners on one address.
func listenAll(addr string, n int) (fds []int32, bound net.Addr, err error) {
	if n < 1 {
		return nil, nil, fmt.Errorf("echo: %d loops", n)
	}
	fd, bound, err := Listen(addr, false)
	if err != nil {
		return nil, nil, err
	}
	// A port that another server shares out would be joined without a word. To the first, which is bound without
	// SO_REUSEPORT, it is taken.
	if n > 1 && !sysx.ShareBound(fd) {
		CloseFD(fd) // somebody may be faster now
		if fd, bound, err = Listen(bound.String(), true); err != nil {
			return nil, nil, err
		}
	}
	for fds = append(fds, fd); len(fds) < n; fds = append(fds, fd) {
		if fd, _, err = Listen(bound.String(), true); err != nil {
			for _, fd := range fds {
				CloseFD(fd)
			}
			return nil, nil, err
		}
	}
	return fds, bound, nil
}

// serve is the goroutine of one loop. It sends to ready once: nil when it accepts connections.
func (s *Server) serve(ctx context.Context, listener int32, open func() (api.Engine, error), o *Options, ready chan<- error) {
	engine, err := open()
	if err != nil {
		CloseFD(listener)
		ready <- err
		return
	}
	l, err := newLoop(engine, listener, o)
	if err != nil {
		CloseFD(listener)
		ready <- errors.Join(err, engine.Close())
		return
	}
	s.mu.Lock()
	s.loops = append(s.loops, l)
	s.mu.Unlock()
	woken := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(woken)
		l.stop()
	})

	// The kernel takes connections into the backlog already; the loop will accept them.
	ready <- nil
	err = l.run()
	s.stop() // the others, after an error
	<-woken  // nobody uses the engine any more
	s.ended(l)
	err = errors.Join(err, engine.Close())
	l.abandon()
	s.mu.Lock()
	s.err = errors.Join(s.err, err)
	s.mu.Unlock()
}

// ended moves the counters of a loop to those of the server.
func (s *Server) ended(l *loop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.add(l)
	for i := range s.loops {
		if s.loops[i] == l {
			s.loops = append(s.loops[:i], s.loops[i+1:]...)
			return
		}
	}
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.addr }

// Stop makes the loops close their connections and end; Wait waits for that.
func (s *Server) Stop() { s.stop() }

// Wait waits until the context of Start is done or Stop was called, and all connections are closed; or until
// an engine has failed, which is the error.
func (s *Server) Wait() error {
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Stats reads the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.stats
	for _, l := range s.loops {
		t.add(l)
	}
	return t
}

func (t *Stats) add(l *loop) {
	t.Accepted += l.accepted.Load()
	t.AcceptFailed += l.failed.Load()
	t.Rearmed += l.rearmed.Load()
	e := l.engine.Stats()
	for _, f := range []struct{ sum, more *uint64 }{
		{&t.Engine.Submitted, &e.Submitted}, {&t.Engine.Completions, &e.Completions},
		{&t.Engine.InFlight, &e.InFlight}, {&t.Engine.Enters, &e.Enters}, {&t.Engine.Waits, &e.Waits},
		{&t.Engine.Wakes, &e.Wakes}, {&t.Engine.Overflows, &e.Overflows}, {&t.Engine.Blocking, &e.Blocking},
		{&t.Engine.PoolDepth, &e.PoolDepth}, {&t.Engine.PoolQueued, &e.PoolQueued}, {&t.Engine.Stale, &e.Stale},
	} {
		*f.sum += *f.more
	}
}
