package echo

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/sluiceio/sluice/api"
)

const (
	// connectsMax bounds the connects in flight, so that they fit into the backlog of any listener: what
	// does not is dropped, and tried again by the kernel a second later.
	connectsMax = 128

	// connectTimeout bounds each, and silenceMax the time in which nothing at all comes back.
	connectTimeout = 10 * time.Second
	silenceMax     = 5 * time.Second

	progressEvery = 200 * time.Millisecond
)

// Client loads an echo server: each connection has one message in flight, and every byte that comes back
// is compared.
type Client struct {
	// Engine does the work. Run is its owner; the caller closes it, in the same goroutine.
	Engine api.Engine
	// Addr is the server's.
	Addr netip.AddrPort
	// Conns is how many connections, and Size of how many bytes a message is; both at least 1.
	Conns, Size int
	// Warmup is how long not to measure at first, Duration how long to measure then.
	Warmup, Duration time.Duration
	// Record is called with each measured round-trip time. nil: none.
	Record func(time.Duration)
	// Progress is called several times a second. nil: none.
	Progress func(Result)

	peers []peer
	ops   []api.Op
	done  []api.Completion
	res   Result
	phase phase
	busy  int // peers with operations in flight
	alive int // peers with an open socket
	began api.Instant
}

// Result is what a Client has found out.
type Result struct {
	// RoundTrips were measured in Elapsed.
	RoundTrips uint64
	Elapsed    time.Duration
	// Total are all round trips, also those before and after the measurement.
	Total uint64
	// Errors counts connections that failed or sent back something else, and First is why the first did.
	Errors uint64
	First  error
}

type phase uint8

const (
	connecting phase = iota
	warming
	measuring
	draining
)

// peer is one connection to the server.
type peer struct {
	out, in []byte
	sentAt  api.Instant
	seq     uint64
	msg     *api.Msg // of the connect
	fd      int32    // -1: closed
	pending uint8    // operations in flight, without the close
}

// The tags of a client are kind<<60 | index of the peer. The connect and the receive share one kind: they never overlap.
const peerKindShift = 60

func peerTag(k kind, i int) uint64 { return uint64(k)<<peerKindShift | uint64(i) }

// ClientOptions are what an engine for this many connections has to be opened with.
func ClientOptions(conns int) *api.Options {
	return &api.Options{MaxInFlight: min(max(api.DefaultMaxInFlight, 4*conns), api.MaxMaxInFlight)}
}

// Run connects, loads for Warmup and Duration, waits for the answers that are due, and closes the connections.
// When ctx is done it stops early and tells what it has. It returns an error when it could not connect, or the engine
// failed; what goes wrong with the messages is in the Result.
func (c *Client) Run(ctx context.Context) (Result, error) {
	if c.Conns < 1 || c.Size < 1 || c.Duration <= 0 || c.Warmup < 0 {
		return Result{}, errors.New("echo: Conns, Size and Duration must be positive, and Warmup not negative")
	}
	c.prepare()
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		_ = c.Engine.Wake() // the engine is open, nothing else can go wrong
	})
	defer func() {
		if !stop() {
			<-woken
		}
	}()
	err := c.connect(ctx)
	if err == nil {
		err = c.load(ctx)
	}
	return c.res, errors.Join(err, c.hangUp())
}

func (c *Client) prepare() {
	c.res, c.phase, c.busy, c.alive = Result{}, connecting, 0, 0
	c.peers = make([]peer, c.Conns)
	c.done = make([]api.Completion, min(2*c.Conns, batchMax))
	mem := make([]byte, 2*c.Conns*c.Size)
	x := uint64(0x9e3779b97f4a7c15)
	for i := range c.peers {
		p := &c.peers[i]
		p.fd = -1
		p.out, mem = mem[:c.Size:c.Size], mem[c.Size:]
		p.in, mem = mem[:c.Size:c.Size], mem[c.Size:]
		for k := range p.out { // xorshift: every connection sends something else
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			p.out[k] = byte(x)
		}
	}
}

// turn submits, waits until the deadline for something to complete, and handles it.
func (c *Client) turn(deadline api.Instant) (int, error) {
	n, err := c.Engine.Submit(c.ops)
	if err != nil && !errors.Is(err, api.ErrQueueFull) {
		return 0, err
	}
	c.ops = c.ops[:copy(c.ops, c.ops[n:])]
	if n, err = c.Engine.Complete(c.done, api.Wait{Min: 1, Deadline: deadline}); err != nil {
		return 0, err
	}
	now := api.Now()
	for i := range c.done[:n] {
		c.handle(&c.done[i], now)
	}
	return n, nil
}

// connect makes all connections, some at a time.
func (c *Client) connect(ctx context.Context) error {
	for next := 0; next < len(c.peers) || c.busy > 0; {
		for ; next < len(c.peers) && c.busy < connectsMax; next++ {
			fd, err := newSocket(c.Addr.Addr().Is6())
			if err != nil {
				return fmt.Errorf("connection %d of %d: %w (ulimit -n bounds them)", next+1, c.Conns, err)
			}
			p := &c.peers[next]
			p.fd, p.pending, p.msg = fd, 1, &api.Msg{Addr: api.IPAddr(c.Addr)}
			c.busy++
			c.alive++
			c.ops = append(c.ops, api.Connect(int(fd), p.msg, peerTag(kindAccept, next)).Until(api.After(connectTimeout)))
		}
		if _, err := c.turn(0); err != nil {
			return err
		}
		if c.res.First != nil {
			return fmt.Errorf("connect to %v: %w", c.Addr, c.res.First)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
	return nil
}

// load goes through the phases after the connecting.
func (c *Client) load(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	start := api.Now()
	c.began = start.Add(c.Warmup)
	c.phase = warming
	for i := range c.peers {
		c.post(&c.peers[i], i, start)
	}
	lastHeard, tick := start, start
	for c.busy > 0 {
		now := api.Now()
		c.advance(now, ctx.Err() != nil)
		if now >= tick {
			tick = now.Add(progressEvery)
			if c.Progress != nil {
				c.Progress(c.res)
			}
		}
		n, err := c.turn(tick)
		if err != nil {
			return err
		}
		if n > 0 {
			lastHeard = now
		} else if now.Sub(lastHeard) > silenceMax {
			c.silent()
			return nil
		}
	}
	c.advance(api.Now(), true) // all connections have failed before the end
	return nil
}

// advance moves on to the phase that the time asks for.
func (c *Client) advance(now api.Instant, over bool) {
	if c.phase == warming && (now >= c.began || over) {
		c.phase, c.began = measuring, now
	}
	if c.phase != measuring {
		return
	}
	c.res.Elapsed = now.Sub(c.began)
	if c.res.Elapsed >= c.Duration || over {
		c.phase = draining
	}
}

// silent counts the connections that owe an answer.
func (c *Client) silent() {
	for i := range c.peers {
		if p := &c.peers[i]; p.fd >= 0 && p.pending > 0 {
			c.res.Errors++
			if c.res.First == nil {
				c.res.First = fmt.Errorf("no answer within %v", silenceMax)
			}
		}
	}
}

// post sends the next message of a connection, and asks for the answer.
func (c *Client) post(p *peer, i int, now api.Instant) {
	p.seq++
	var stamp [8]byte
	binary.LittleEndian.PutUint64(stamp[:], p.seq)
	copy(p.out, stamp[:])
	p.sentAt = now
	p.pending = 2
	c.busy++
	c.ops = append(c.ops,
		api.Send(int(p.fd), p.out, peerTag(kindSend, i)).With(api.WaitAll),
		api.Recv(int(p.fd), p.in, peerTag(kindRecv, i)).With(api.WaitAll))
}

func (c *Client) handle(done *api.Completion, now api.Instant) {
	i := int(done.Tag & (1<<peerKindShift - 1))
	p := &c.peers[i]
	k := kind(done.Tag >> peerKindShift)
	if k == kindClose {
		c.alive--
		return
	}
	p.pending--
	if p.pending == 0 {
		c.busy--
	}
	if p.fd < 0 {
		return // it has failed; this is the operation that its close has ended
	}
	switch {
	case done.Res < 0:
		c.fail(p, i, done.Err())
	case k == kindAccept:
		p.msg = nil
	case int(done.Res) < c.Size:
		c.fail(p, i, fmt.Errorf("the server hung up after %d bytes of a message of %d", done.Res, c.Size))
	case k == kindRecv && !bytes.Equal(p.in, p.out):
		c.fail(p, i, errors.New("the server sent back something else than it got"))
	case k == kindRecv:
		c.res.Total++
		if c.phase == measuring {
			c.res.RoundTrips++
			if c.Record != nil {
				c.Record(now.Sub(p.sentAt))
			}
		}
	}
	if p.pending == 0 && p.fd >= 0 && (c.phase == warming || c.phase == measuring) {
		c.post(p, i, now)
	}
}

// fail closes a connection and counts it.
func (c *Client) fail(p *peer, i int, err error) {
	c.res.Errors++
	if c.res.First == nil {
		c.res.First = err
	}
	c.close(p, i)
}

func (c *Client) close(p *peer, i int) {
	c.ops = append(c.ops, api.Close(int(p.fd), peerTag(kindClose, i)))
	p.fd = -1
}

// hangUp closes what is open and waits for that, so that no operation is in flight afterwards.
func (c *Client) hangUp() error {
	c.phase = draining
	for i := range c.peers {
		if p := &c.peers[i]; p.fd >= 0 {
			c.close(p, i)
		}
	}
	deadline := api.After(silenceMax)
	for c.alive > 0 || c.busy > 0 || len(c.ops) > 0 {
		if _, err := c.turn(deadline); err != nil {
			return err
		}
		if api.Now() >= deadline {
			return fmt.Errorf("echo: %d connections could not be closed within %v", c.alive, silenceMax)
		}
	}
	return nil
}
