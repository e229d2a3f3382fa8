package reactor

import (
	"context"
	"errors"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
)

// Server is a reactor that runs. All methods may be called from any goroutine.
type Server struct {
	cfg     Config
	handler Handler
	backend string
	addrs   []net.Addr
	done    chan struct{} // closed when all has ended

	conns   atomic.Int64 // open, or being dialled
	wanted  atomic.Int32 // connections that wait because of Config.MaxConns
	turn    atomic.Uint32
	stopped sync.Once

	loops    []*loop   // constant once Start has returned
	pool     *pool     // nil where callbacks run in the loops
	blocking *blocking // in their stead, where each connection has a goroutine; constant, too
	mu       sync.Mutex
	err      error // why it ended; guarded by mu
}

// Serve listens and serves until ctx is done, or an engine fails, which is the error. It then shuts down as Server.Shutdown does, within Config.ShutdownTimeout.
func Serve(ctx context.Context, cfg Config, h Handler) error {
	s, err := Start(cfg, h)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-s.done:
		return s.Wait()
	}
	limit, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout)
	defer cancel()
	if err := s.Shutdown(limit); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// Start listens, and returns when connections are accepted. The server runs until Shutdown. Errors: *ConfigError, those of net.Listen,
// of backend.Open and of NewBufferGroup.
func Start(cfg Config, h Handler) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if h == nil {
		return nil, errNoHandler
	}
	s := &Server{cfg: cfg, handler: h, done: make(chan struct{})}
	if err := s.checkPackets(); err != nil {
		return nil, err
	}
	if cfg.Variant.blocking() {
		if err := s.startBlocking(); err != nil {
			return nil, err
		}
		return s, nil
	}
	if err := s.chooseBackend(); err != nil {
		return nil, err
	}
	listeners, err := s.listen()
	if err != nil {
		return nil, err
	}
	return s, s.startLoops(listeners)
}

// chooseBackend turns auto into a name, so that all loops have the same.
func (s *Server) chooseBackend() error {
	opt := s.cfg.engineOptions()
	e, rep, err := backend.OpenWithReport(s.cfg.Backend, &opt)
	if err != nil {
		return err
	}
	s.backend = rep.Chosen
	return e.Close()
}

// engineOptions are those of the engine of a loop.
func (c *Config) engineOptions() api.Options {
	var opt api.Options
	if c.Engine != nil {
		opt = *c.Engine
	}
	opt.Strategy = c.Wait
	if opt.MaxInFlight == 0 {
		opt.MaxInFlight = api.MaxMaxInFlight // memory is taken as they are used
	}
	return opt
}

// startLoops starts the loops, and returns when all of them accept connections, or have ended again.
func (s *Server) startLoops(listeners [][]listener) error {
	type started struct {
		l   *loop
		err error
	}
	if s.cfg.Variant.pooled() {
		s.pool = newPool(s.cfg.Workers)
	}
	ready := make(chan started, s.cfg.Loops)
	begin := make(chan bool)
	var wg sync.WaitGroup
	for i := range s.cfg.Loops {
		wg.Go(func() {
			l, err := newLoop(s, i, listeners[i])
			ready <- started{l, err}
			if err == nil {
				s.runLoop(l, <-begin)
			}
		})
	}
	s.loops = make([]*loop, s.cfg.Loops)
	var err error
	for range s.cfg.Loops {
		r := <-ready
		err = errors.Join(err, r.err)
		if r.l != nil {
			s.loops[r.l.index] = r.l
		}
	}
	// Each loop may hand a connection to any other, so that they begin when all are there.
	for _, l := range s.loops {
		if l != nil {
			begin <- err == nil
		}
	}
	go func() {
		wg.Wait()
		if s.pool != nil {
			s.pool.close()
		}
		close(s.done)
	}()
	if err != nil {
		<-s.done
	}
	return err
}

// runLoop is the goroutine of a loop. With ok false it only ends it.
func (s *Server) runLoop(l *loop, ok bool) {
	var err error
	if ok {
		err = l.run()
	}
	rest := l.inbox.close()
	l.quit, l.stopping = true, true
	for n := rest; n != nil; n = n.next {
		if n.do != nil {
			l.protect(func() { n.do(l) })
		}
	}
	l.up.quiet()
	err = errors.Join(err, l.engine.Close())
	l.abandon()
	l.closeLanes()
	l.up.wait()
	if err != nil {
		s.mu.Lock()
		s.err = errors.Join(s.err, err)
		s.mu.Unlock()
		s.stop()
	}
}

// stop begins the end of all loops.
func (s *Server) stop() {
	s.stopped.Do(func() {
		if s.blocking != nil {
			s.blocking.stop()
		}
		for _, l := range s.loops {
			if l != nil { // one that could not be opened
				_ = l.tell((*loop).stop) // ErrClosed: it has ended
			}
		}
	})
}

// Shutdown stops accepting, tells the handlers of all open connections by OnShutdown, and waits until they are closed. When ctx
// is done before, those that are left are aborted (ErrShutdown), and the error is that of ctx. Else it is as that of Wait. A callback that runs is waited for
// in any case, so that no callback may wait for Shutdown; it may have another goroutine call it.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	select {
	case <-s.done:
		return s.Wait()
	case <-ctx.Done():
	}
	for _, l := range s.loops {
		_ = l.tell((*loop).abort) // ErrClosed: it has ended
	}
	if s.blocking != nil {
		s.blocking.abort()
	}
	if err := s.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// Wait waits until the server has ended. The error is why, if it was not by Shutdown: an engine that has failed.
func (s *Server) Wait() error {
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Addrs are where it listens, in the order of Config.Listen.
func (s *Server) Addrs() []net.Addr { return s.addrs }

// Backend is the name of the backend that the loops use, "" if the variant uses none.
func (s *Server) Backend() string { return s.backend }

// Dial begins a connection from one of the loops, in turn, to "tcp://host:port" or "unix:///path", with a handler and a context of its own: h.OnOpen is called when
// it is there, or h.OnClose with the error and without an OnOpen. ctx bounds the look-up of a host's name. Errors: ErrClosed, ErrMaxConns (ThreadPerConn alone), *net.AddrError,
// those of the look-up, ErrInvalidConfig for a nil handler.
func (s *Server) Dial(ctx context.Context, addr string, h Handler, value any) error {
	if h == nil {
		return errNoHandler
	}
	to, err := Resolve(ctx, addr)
	if err != nil {
		return err
	}
	if s.blocking != nil {
		return s.blocking.dial(to, h, value)
	}
	return s.loops[int(s.turn.Add(1)-1)%len(s.loops)].dial(to, h, value)
}

// acquire counts a new connection, unless there are as many as may be.
func (s *Server) acquire() bool {
	if s.cfg.MaxConns == 0 {
		s.conns.Add(1)
		return true
	}
	for {
		n := s.conns.Load()
		if n >= int64(s.cfg.MaxConns) {
			return false
		}
		if s.conns.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release counts a connection out. Loops that have one waiting take it up.
func (s *Server) release() {
	s.conns.Add(-1)
	if s.wanted.Load() == 0 {
		return
	}
	for _, l := range s.loops {
		_ = l.tell((*loop).unpark) // ErrClosed: it takes none any more
	}
	if s.blocking != nil {
		s.blocking.released()
	}
}

// panicked logs a panic of a handler and makes an error of it.
func (s *Server) panicked(v any) *PanicError {
	e := &PanicError{Value: v, Stack: debug.Stack()}
	s.cfg.Log.Error("reactor: a handler has panicked", "panic", v, "stack", string(e.Stack))
	return e
}
