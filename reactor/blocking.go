package reactor

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/api"
)

// blocking serves each connection by a goroutine of its own, which for ThreadPerConn has a thread of its own: no loop and no engine. It is what
// a loop is for the other variants.
type blocking struct {
	srv       *Server
	cfg       *Config
	acceptors []*acceptor
	quit      chan struct{}   // closed when no new connections are wanted any more
	dialling  context.Context // done when all connections are to end
	abandon   context.CancelFunc
	work      sync.WaitGroup // all goroutines but that of OnTick
	nudges    nudger

	mu       sync.Mutex // guards what follows
	room     *sync.Cond // there may be fewer connections than Config.MaxConns, or no new ones are wanted
	runners  map[*runner]struct{}
	stopping bool

	accepted, closed, failed atomic.Uint64
}

// acceptor accepts on one address.
type acceptor struct {
	from connSource
	addr net.Addr
}

// connSource is a listening socket.
type connSource interface {
	// accept waits for a connection.
	accept() (stream, error)
	// interrupt ends an accept that waits, and all later ones. Any goroutine may call it.
	interrupt()
	// close is called behind the last accept.
	close()
}

// startBlocking starts a server of a variant without loops.
func (s *Server) startBlocking() error {
	if s.cfg.Pin {
		return &ConfigError{"Pin", "is for loops, and " + s.cfg.Variant.String() + " has none"}
	}
	b := &blocking{srv: s, cfg: &s.cfg, quit: make(chan struct{}), runners: map[*runner]struct{}{}}
	b.room = sync.NewCond(&b.mu)
	b.dialling, b.abandon = context.WithCancel(context.Background())
	for _, where := range s.cfg.Listen {
		if err := b.listen(where); err != nil {
			for _, a := range b.acceptors {
				a.from.close()
			}
			b.abandon()
			return err
		}
	}
	s.blocking = b
	for _, a := range b.acceptors {
		s.addrs = append(s.addrs, a.addr)
		b.work.Go(func() { b.serve(a) })
	}
	ticked := make(chan struct{})
	over := make(chan struct{})
	go func() {
		b.tick(over)
		close(ticked)
	}()
	go func() {
		<-b.quit // from here on only what is counted already adds to work
		b.work.Wait()
		close(over)
		<-ticked
		b.abandon()
		close(s.done)
	}()
	return nil
}

func (b *blocking) listen(where string) error {
	network, addr, err := splitAddr(where)
	if err != nil {
		return err
	}
	if strings.HasPrefix(network, "udp") {
		return &ConfigError{"Listen", where + ": " + b.cfg.Variant.String() + " has a goroutine for each connection, and UDP has no connections"}
	}
	a := &acceptor{}
	if a.from, a.addr, err = b.srv.connSource(network, addr); err != nil {
		return err
	}
	b.acceptors = append(b.acceptors, a)
	return nil
}

// serve accepts until the server is to end.
func (b *blocking) serve(a *acceptor) {
	defer a.from.close()
	rest := time.Duration(0)
	for {
		str, err := a.from.accept()
		switch {
		case b.isStopping():
			if err == nil {
				str.close()
			}
			return
		case err != nil:
			rest = min(max(2*rest, restMin), restMax)
			if !b.acceptFailed(a, err, rest) {
				return
			}
			continue
		}
		rest = 0
		if !b.waitRoom() {
			str.close()
			return
		}
		b.accepted.Add(1)
		b.start(&runner{set: b, str: str, c: &Conn{handler: b.srv.handler}})
	}
}

// acceptFailed rests. It returns false when the server is to end.
func (b *blocking) acceptFailed(a *acceptor, err error, rest time.Duration) bool {
	b.failed.Add(1)
	if rest == restMin {
		b.cfg.Log.Warn("reactor: cannot accept, and will try again", "addr", a.addr, "err", err)
	}
	t := time.NewTimer(rest)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-b.quit:
		return false
	}
}

// waitRoom counts a new connection, as soon as there are fewer than Config.MaxConns. It returns false when none is wanted any more.
func (b *blocking) waitRoom() bool {
	if b.srv.acquire() {
		return true
	}
	b.srv.wanted.Add(1)
	defer b.srv.wanted.Add(-1)
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.stopping {
		if b.srv.acquire() {
			return true
		}
		b.room.Wait()
	}
	return false
}

// released is called when there is one connection less, and one waits for that.
func (b *blocking) released() {
	b.mu.Lock()
	b.room.Broadcast()
	b.mu.Unlock()
}

// start starts the goroutine of a connection that is counted in Server.conns.
func (b *blocking) start(o *runner) {
	o.c.drv = o
	b.mu.Lock()
	b.runners[o] = struct{}{}
	if b.stopping {
		o.tell(onShutdown)
		o.aborted.Store(b.dialling.Err() != nil) // else abort finds it
	}
	b.work.Add(1)
	b.mu.Unlock()
	go func() {
		defer b.work.Done()
		o.run()
	}()
}

// ended takes a connection out. It is the last that its goroutine does.
func (b *blocking) ended(o *runner) {
	b.mu.Lock()
	delete(b.runners, o)
	b.mu.Unlock()
	b.srv.release()
}

// dial begins a connection. Any goroutine may call it.
func (b *blocking) dial(to api.Addr, h Handler, value any) error {
	if to.IsZero() {
		return &net.AddrError{Err: "reactor: no address to dial", Addr: to.String()}
	}
	o := &runner{set: b, to: to, c: &Conn{handler: h, value: value}}
	o.c.io.dialled = netAddr(to)
	if b.cfg.Variant == ThreadPerConn {
		if !b.srv.acquire() { // the program would end of one thread too many
			return ErrMaxConns
		}
	} else {
		b.srv.conns.Add(1)
	}
	b.mu.Lock()
	if b.stopping {
		b.mu.Unlock()
		b.srv.release()
		return ErrClosed
	}
	b.work.Add(1) // so that stop cannot overtake it
	b.mu.Unlock()
	defer b.work.Done()
	b.start(o)
	return nil
}

func (b *blocking) isStopping() bool {
	select {
	case <-b.quit:
		return true
	default:
		return false
	}
}

// all are the connections that there are.
func (b *blocking) all() []*runner {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]*runner, 0, len(b.runners))
	for o := range b.runners {
		list = append(list, o)
	}
	return list
}

// stop begins a shutdown: no new connections, and the handlers of those that there are are told.
func (b *blocking) stop() {
	b.mu.Lock()
	b.stopping = true
	close(b.quit)
	b.room.Broadcast()
	b.mu.Unlock()
	for _, a := range b.acceptors {
		a.from.interrupt()
	}
	for _, o := range b.all() {
		o.tell(onShutdown)
	}
}

// abort ends all connections.
func (b *blocking) abort() {
	b.abandon()
	for _, o := range b.all() {
		o.aborted.Store(true)
		o.wake()
	}
}

// tick calls OnTick until all is over.
func (b *blocking) tick(over chan struct{}) {
	if b.cfg.Tick == 0 {
		return
	}
	t := time.NewTicker(b.cfg.Tick)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			b.onTick()
		case <-over:
			return
		}
	}
}

func (b *blocking) onTick() {
	defer func() {
		if v := recover(); v != nil {
			_ = b.srv.panicked(v) // which has logged it
		}
	}()
	b.srv.handler.OnTick(&Loop{b})
}

func (b *blocking) number() int { return 0 }

func (b *blocking) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.runners)
}

func (b *blocking) each(fn func(*Conn) bool) {
	for _, o := range b.all() {
		if o.open.Load() && !o.c.gone.Load() && !fn(o.c) {
			return
		}
	}
}
