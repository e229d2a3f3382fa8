// Command echo is an echo server on a reactor: go run ./examples/echo tcp://127.0.0.1:7777
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	_ "github.com/sluiceio/sluice/backend/all"
	"github.com/sluiceio/sluice/reactor"
)

type echo struct{ reactor.Base }

// OnData sends back what has come. A peer that does not read is not read either, until it does.
func (echo) OnData(c *reactor.Conn) { c.Write(c.Next(-1)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s, err := reactor.Start(reactor.Config{Listen: []string{append(os.Args, "tcp://127.0.0.1:7777")[1]}}, echo{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", s.Addrs()[0])
	<-ctx.Done()
	s.Shutdown(context.Background())
}
