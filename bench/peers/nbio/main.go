// Command nbio is an echo server on github.com/lesismal/nbio with one poller, which also reads.
package main

import (
	"errors"

	"github.com/lesismal/nbio"

	"github.com/sluiceio/sluice/bench/peers/internal/peer"
)

func main() {
	addr := peer.Addr()
	peer.Serve(func() error {
		e := nbio.NewEngine(nbio.Config{Network: "tcp", Addrs: []string{addr}, NPoller: 1})
		e.OnOpen(func(c *nbio.Conn) { _ = c.SetNoDelay(true) }) // it is so already where this fails
		e.OnData(func(c *nbio.Conn, data []byte) {
			if _, err := c.Write(data); err != nil {
				_ = c.CloseWithError(err)
			}
		})
		if err := e.Start(); err != nil {
			return err
		}
		e.Wait()
		return errors.New("the engine has stopped")
	})
}
