// Package proxy is a proxy for streams, TCP and Unix, on package reactor: each connection that comes in is joined to one that goes out. It is for
// the tool; a program of its own is as short as examples/proxy.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/reactor"
)

// ErrNoUpstream says that there is no upstream to connect to.
var ErrNoUpstream = errors.New("proxy: no upstream")

// Options configure a proxy. How long a dial may take, and how many connections there may be, is in reactor.Config: DialTimeout, and MaxConns,
// of which a client takes two when it has its upstream.
type Options struct {
	// Upstreams are where connections go, in turn: "tcp://host:port" or "unix:///path". Names are looked up once. Required.
	Upstreams []string
	// Log is told of upstreams that cannot be reached. Default: slog.Default().
	Log *slog.Logger
}

// Stats are counters of a proxy since its start.
type Stats struct {
	Clients uint64 // connections that came in
	Joined  uint64 // of these, those that were joined to an upstream
	Refused uint64 // and those for which no upstream could be reached
	Failed  uint64 // dials that have failed
}

// Proxy is the handler of a reactor that joins each connection to one that it dials. A client for which no upstream can be reached is reset. When the
// server is to end, streams that run may do so until the time of the shutdown is over.
type Proxy struct {
	reactor.Base
	to  []upstream
	log *slog.Logger

	turn, clients, joined, refused, failed atomic.Uint64
}

type upstream struct {
	name string
	addr api.Addr
}

// New looks the upstreams up. ctx bounds that. Errors: ErrNoUpstream, those of reactor.Resolve.
func New(ctx context.Context, opt Options) (*Proxy, error) {
	if len(opt.Upstreams) == 0 {
		return nil, ErrNoUpstream
	}
	p := &Proxy{log: opt.Log}
	if p.log == nil {
		p.log = slog.Default()
	}
	for _, name := range opt.Upstreams {
		a, err := reactor.Resolve(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("proxy: upstream %q: %w", name, err)
		}
		p.to = append(p.to, upstream{name, a})
	}
	return p, nil
}

// Stats reads the counters. Those of different loops are not of the same moment.
func (p *Proxy) Stats() Stats {
	return Stats{Clients: p.clients.Load(), Joined: p.joined.Load(), Refused: p.refused.Load(), Failed: p.failed.Load()}
}

// OnOpen connects to the upstream whose turn it is. What the client sends waits in its socket meanwhile.
func (p *Proxy) OnOpen(c *reactor.Conn) {
	p.clients.Add(1)
	c.Pause()
	first := int((p.turn.Add(1) - 1) % uint64(len(p.to)))
	p.dial(c, &leg{p: p, client: c.Remote(), at: first, left: len(p.to)})
}

// OnData leaves what came in spite of the pause to the join.
func (p *Proxy) OnData(*reactor.Conn) {}

// OnEOF leaves the end of the client's stream to the join.
func (p *Proxy) OnEOF(*reactor.Conn) {}

// OnShutdown lets the stream run.
func (p *Proxy) OnShutdown(*reactor.Conn) {}

// dial connects to an upstream that has not been tried for the client c, if there is one.
func (p *Proxy) dial(c *reactor.Conn, l *leg) {
	for l.left > 0 {
		l.up = &p.to[l.at]
		l.at = (l.at + 1) % len(p.to)
		l.left--
		err := c.Dial(l.up.addr, l, nil)
		if err == nil {
			return // l is in other hands
		}
		l.err = err
		p.dialFailed(l.up, err)
	}
	p.refused.Add(1)
	c.Abort(fmt.Errorf("%w for it: %w", ErrNoUpstream, l.err))
}

func (p *Proxy) dialFailed(to *upstream, err error) {
	p.failed.Add(1)
	p.log.Warn("proxy: an upstream cannot be reached", "upstream", to.name, "err", err)
}

// leg is the handler of the connection to the upstream of one client, or of several dials, one after the other, until there is one.
type leg struct {
	reactor.Base
	p        *Proxy
	client   reactor.Remote
	up       *upstream // that is dialled, or was last
	at, left int       // the next one to try, and how many there are
	err      error     // of the last dial
}

// OnOpen joins the two.
func (l *leg) OnOpen(c *reactor.Conn) {
	if err := c.Forward(l.client); err != nil {
		c.Abort(err) // the client has gone
		return
	}
	l.p.joined.Add(1)
}

// OnData is not called, since the connection is joined from the start.
func (l *leg) OnData(*reactor.Conn) {}

// OnEOF is not called either.
func (l *leg) OnEOF(*reactor.Conn) {}

// OnShutdown lets the stream run.
func (l *leg) OnShutdown(*reactor.Conn) {}

// OnClose tries the next upstream when this one could not be reached. All else the join tells the client.
func (l *leg) OnClose(e *reactor.Ended, err error) {
	if e.Opened() {
		return
	}
	if !errors.Is(err, reactor.ErrShutdown) {
		l.p.dialFailed(l.up, err)
	}
	l.err = err
	_ = l.client.Post(func(c *reactor.Conn) { l.p.dial(c, l) }) // ErrClosed: it has not waited
}
