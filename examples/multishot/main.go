// Command multishot is a TCP echo server in one loop. Received buffers go back to the peer as they
// are, and to the group when they are sent.
//
//	go run ./examples/multishot 127.0.0.1:7777
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	_ "github.com/sluiceio/sluice/backend/all"
)

const group = 0

func main() {
	addr := append(os.Args, "127.0.0.1:7777")[1]
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, addr); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer f.Close()
	engine, err := backend.Open("auto", nil)
	if err != nil {
		return err
	}
	defer engine.Close() // ends what is in flight
	buffers, err := engine.NewBufferGroup(api.BufferGroupOptions{ID: group})
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { engine.Wake() })
	fmt.Printf("listening on %v backend=%s\n", l.Addr(), engine.Name())

	ops := []api.Op{api.AcceptMultishot(int(f.Fd()), 0)}
	done := make([]api.Completion, 128)
	var starved []uint64 // connections that found no buffer
	for ctx.Err() == nil {
		if _, err := engine.Submit(ops); err != nil {
			return err
		}
		ops = ops[:0]
		n, err := engine.Complete(done, api.Wait{Min: 1})
		if err != nil {
			return err
		}
		for _, c := range done[:n] {
			fd := int(c.Tag) // except of a send, which carries its lease
			switch {
			case c.Code == api.OpAccept && c.Res < 0:
				return c.Err()
			case c.Code == api.OpAccept:
				ops = append(ops, api.RecvMultishot(int(c.Res), group, uint64(c.Res)))
			case c.Code == api.OpRecv && c.Res > 0:
				ops = append(ops, api.Send(fd, c.Buf, uint64(c.Lease)).With(api.WaitAll))
				if !c.More() {
					ops = append(ops, api.RecvMultishot(fd, group, c.Tag))
				}
			case c.Code == api.OpRecv && c.Res == -int32(syscall.ENOBUFS):
				starved = append(starved, c.Tag)
			case c.Code == api.OpRecv: // the end, which takes its turn behind the sends
				ops = append(ops, api.Shutdown(fd, api.ShutWrite, c.Tag))
			case c.Code == api.OpShutdown:
				ops = append(ops, api.Close(fd, c.Tag))
			case c.Code == api.OpSend: // an error of it will be one of the receive as well
				if err := buffers.Release(api.Lease(c.Tag)); err != nil {
					return err
				}
				for _, fd := range starved {
					ops = append(ops, api.RecvMultishot(int(fd), group, fd))
				}
				starved = starved[:0]
			}
		}
	}
	return nil
}
