// Command netpoll is an echo server on github.com/cloudwego/netpoll with one poller. Handlers run in its
// pool of goroutines, as they do by default.
package main

import (
	"context"
	"errors"

	"github.com/cloudwego/netpoll"

	"github.com/sluiceio/sluice/bench/peers/internal/peer"
)

// echo sends back what there is. netpoll sets TCP_NODELAY itself.
func echo(_ context.Context, c netpoll.Connection) error {
	r := c.Reader()
	buf, err := r.Next(r.Len())
	if err != nil {
		return err
	}
	w := c.Writer()
	if _, err := w.WriteBinary(buf); err != nil {
		return err
	}
	// The buffer is netpoll's until Release, and the writer refers to it until Flush.
	if err := w.Flush(); err != nil {
		return err
	}
	return r.Release()
}

func main() {
	addr := peer.Addr()
	peer.Serve(func() error {
		if err := netpoll.SetNumLoops(1); err != nil {
			return err
		}
		l, err := netpoll.CreateListener("tcp", addr)
		if err != nil {
			return err
		}
		loop, err := netpoll.NewEventLoop(echo)
		if err != nil {
			return err
		}
		if err := loop.Serve(l); err != nil {
			return err
		}
		return errors.New("the event loop has stopped")
	})
}
