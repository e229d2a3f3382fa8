package reactor_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	_ "github.com/sluiceio/sluice/backend/all"
	"github.com/sluiceio/sluice/reactor"
)

type echo struct{ reactor.Base }

func (echo) OnData(c *reactor.Conn) {
	if _, err := c.Write(c.Next(-1)); err != nil {
		panic(err)
	}
}

func TestSmoke(t *testing.T) {
	for _, b := range []string{"uring", "epoll", "poll", "select"} {
		for _, v := range []reactor.Variant{reactor.Single, reactor.Multi, reactor.SinglePool, reactor.MultiPool} {
			t.Run(b+"/"+v.String(), func(t *testing.T) {
				s, err := reactor.Start(reactor.Config{Listen: []string{"tcp://127.0.0.1:0"}, Backend: b, Variant: v, Buffers: 4, BufferSize: 64}, echo{})
				if err != nil {
					t.Fatal(err)
				}
				for i := range 20 {
					nc, err := net.Dial("tcp", s.Addrs()[0].String())
					if err != nil {
						t.Fatal(err)
					}
					nc.SetDeadline(time.Now().Add(5 * time.Second))
					msg := make([]byte, 1000000)
					for j := range msg {
						msg[j] = byte(j * i)
					}
					go func() {
						nc.Write(msg)
						nc.(*net.TCPConn).CloseWrite()
					}()
					got, err := io.ReadAll(nc)
					if err != nil || string(got) != string(msg) {
						t.Fatal(len(got), err)
					}
					nc.Close()
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				if err := s.Shutdown(ctx); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}
