// Command gnethttp is an HTTP server on github.com/panjf2000/gnet/v2 with one event loop. It looks for the end of each request and no
// further, which is less than an HTTP server has to do, and answers with the 13 bytes "Hello, World!".
package main

import (
	"bytes"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/sluiceio/sluice/bench/peers/internal/peer"
)

type server struct {
	gnet.BuiltinEventEngine
	out []byte // of the one loop
}

// OnTraffic answers all requests that have come as a whole. None of them has a body.
func (s *server) OnTraffic(c gnet.Conn) gnet.Action {
	buf, err := c.Peek(-1)
	if err != nil {
		return gnet.Close
	}
	out := s.out[:0]
	used := 0
	for used < len(buf) {
		n := bytes.Index(buf[used:], []byte("\r\n\r\n"))
		if n < 0 {
			break
		}
		used += n + 4
		out = append(out, "HTTP/1.1 200 OK\r\nServer: gnet\r\nContent-Type: text/plain\r\nDate: "...)
		out = time.Now().UTC().AppendFormat(out, "Mon, 02 Jan 2006 15:04:05 GMT")
		out = append(out, "\r\nContent-Length: 13\r\n\r\nHello, World!"...)
	}
	if _, err := c.Discard(used); err != nil {
		return gnet.Close
	}
	s.out = out
	if _, err := c.Write(out); err != nil {
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
