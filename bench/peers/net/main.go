// Command net is an echo server on Go's own net, with a goroutine per connection.
package main

import (
	"net"

	"github.com/sluiceio/sluice/bench/peers/internal/peer"
)

// bufferSize is that of the other servers' buffers, or less.
const bufferSize = 4096

func main() {
	addr := peer.Addr()
	peer.Serve(func() error {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			go echo(c)
		}
	})
}

// echo serves one connection. Either error means that it has ended. TCP_NODELAY is Go's default.
func echo(c net.Conn) {
	defer c.Close()
	buf := make([]byte, bufferSize)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}
