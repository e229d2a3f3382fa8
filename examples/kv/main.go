// Command kv keeps keys and values for redis-cli and other clients of Redis: go run ./examples/kv tcp://127.0.0.1:6379
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	_ "github.com/sluiceio/sluice/backend/all"
	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/resp"
)

// keys needs no lock: there is one loop, and it does all.
var keys = map[string]string{}

type server struct{ reactor.Base }

func (server) OnOpen(c *reactor.Conn) { c.SetContext(resp.NewParser(resp.Limits{Bulk: 512 << 10})) }

// OnData performs the commands that have come, but none while the client does not read.
func (server) OnData(c *reactor.Conn) {
	for !c.Full() {
		args, n, err := c.Context().(*resp.Parser).Next(c.Peek(-1))
		if err != nil {
			c.Write(resp.AppendError(nil, "ERR "+err.Error()))
			c.Close()
		}
		if c.Discard(n); args == nil {
			return
		}
		c.Write(perform(c.AvailableBuffer(64), args))
	}
}

func perform(out []byte, args [][]byte) []byte {
	if string(args[0]) == "SET" && len(args) == 3 {
		keys[string(args[1])] = string(args[2])
		return resp.AppendSimple(out, "OK")
	}
	if string(args[0]) != "GET" || len(args) != 2 {
		return resp.AppendError(out, "ERR there are SET key value and GET key")
	}
	return resp.AppendBulkString(out, keys[string(args[1])])
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s, err := reactor.Start(reactor.Config{Listen: []string{append(os.Args, "tcp://127.0.0.1:6379")[1]}}, server{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", s.Addrs()[0])
	<-ctx.Done()
	s.Shutdown(context.Background())
}
