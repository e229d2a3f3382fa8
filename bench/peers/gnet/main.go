// Command gnet is an echo server on github.com/panjf2000/gnet/v2 with one event loop.
package main

import (
	"github.com/panjf2000/gnet/v2"

	"github.com/sluiceio/sluice/bench/peers/internal/peer"
)

type server struct{ gnet.BuiltinEventEngine }

// OnTraffic sends back what there is, out of gnet's own buffer.
func (*server) OnTraffic(c gnet.Conn) gnet.Action {
	buf, err := c.Next(-1)
	if err != nil {
		return gnet.Close
	}
	if _, err := c.Write(buf); err != nil {
		return gnet.Close
	}
	return gnet.None
}

func main() {
	addr := peer.Addr()
	peer.Serve(func() error {
		return gnet.Run(&server{}, "tcp://"+addr,
			gnet.WithMulticore(false), gnet.WithNumEventLoop(1), gnet.WithTCPNoDelay(gnet.TCPNoDelay))
	})
}
