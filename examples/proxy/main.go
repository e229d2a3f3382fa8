// Command proxy forwards TCP connections: what comes in on one goes out on another and the reverse, until both have ended.
//
//	go run ./examples/proxy 127.0.0.1:8080 127.0.0.1:80
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/sluiceio/sluice/api"
	_ "github.com/sluiceio/sluice/backend/all"
	"github.com/sluiceio/sluice/reactor"
)

type client struct { // that comes in
	reactor.Base
	to api.Addr
}

type upstream struct { // that goes out
	reactor.Base
	client reactor.Remote
}

func (h client) OnOpen(c *reactor.Conn) {
	c.Pause() // until there is somewhere to forward to
	if err := c.Dial(h.to, &upstream{client: c.Remote()}, nil); err != nil {
		c.Abort(err)
	}
}

func (u *upstream) OnOpen(c *reactor.Conn) {
	if err := c.Forward(u.client); err != nil {
		c.Abort(err) // the client has gone
	}
}

func (u *upstream) OnClose(e *reactor.Ended, err error) {
	if !e.Opened() { // else the end of one is that of the other, when all has been sent
		u.client.Abort(err)
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	args := append(os.Args[1:], "127.0.0.1:8080", "127.0.0.1:80")
	to, err := reactor.Resolve(ctx, "tcp://"+args[1])
	if err != nil {
		log.Fatal(err)
	}
	s, err := reactor.Start(reactor.Config{Listen: []string{"tcp://" + args[0]}}, client{to: to})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %v backend=%s\n", s.Addrs()[0], s.Backend())
	<-ctx.Done()
	_ = s.Shutdown(context.Background()) // the program ends in any case
}
