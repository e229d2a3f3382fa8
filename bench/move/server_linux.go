package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/sluiceio/sluice/api"
	_ "github.com/sluiceio/sluice/backend/all"
	"github.com/sluiceio/sluice/internal/proxy"
	"github.com/sluiceio/sluice/reactor"
)

// serverMain serves until it is killed.
func serverMain(text string) error {
	var s spec
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	if s.Way.Kind == "reactor" || s.Way.Kind == "nosplice" {
		return onReactor(&s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	in, err := l.Accept()
	if err != nil {
		return err
	}
	var out net.Conn
	if s.Work.Kind != "file" {
		if out, err = net.Dial("tcp", s.Upstream); err != nil {
			return err
		}
	}
	if s.Way.Kind == "splice" || s.Way.Kind == "copy" {
		return onEngine(&s, in, out)
	}
	return onNet(&s, in, out)
}

func onReactor(s *spec) error {
	var h reactor.Handler = sender{file: s.File, size: int64(s.Work.Size)}
	if s.Work.Kind != "file" {
		p, err := proxy.New(context.Background(), proxy.Options{Upstreams: []string{"tcp://" + s.Upstream}})
		if err != nil {
			return err
		}
		h = p
	}
	cfg := reactor.Config{
		Listen: []string{"tcp://127.0.0.1:0"}, Backend: s.Way.Backend, WriteHigh: s.Way.Size, NoSplice: s.Way.Kind == "nosplice",
	}
	r, err := reactor.Start(cfg, h)
	if err != nil {
		return err
	}
	fmt.Println(r.Addrs()[0])
	return r.Wait()
}

// sender sends a file for each byte that comes.
type sender struct {
	reactor.Base
	file string
	size int64
}

func (h sender) OnData(c *reactor.Conn) {
	for range c.Next(-1) {
		f, err := os.Open(h.file)
		if err == nil {
			err = c.SendFile(f, 0, h.size)
		}
		if err != nil {
			c.Abort(err)
			return
		}
	}
}

// onNet is what a program on Go's net does.
func onNet(s *spec, in, out net.Conn) error {
	if s.Work.Kind != "file" {
		ended := make(chan error, 2)
		go func() { ended <- s.copyNet(out, in) }()
		go func() { ended <- s.copyNet(in, out) }()
		return errors.Join(<-ended, <-ended)
	}
	for b := [1]byte{}; ; {
		if _, err := in.Read(b[:]); err != nil {
			return err
		}
		f, err := os.Open(s.File)
		if err == nil {
			err = errors.Join(s.copyNet(in, f), f.Close())
		}
		if err != nil {
			return err
		}
	}
}

func (s *spec) copyNet(to net.Conn, from io.Reader) (err error) {
	if s.Way.Kind == "net" {
		_, err = io.Copy(to, from)
		return err
	}
	// Without the methods by which io.Copy finds the other way.
	_, err = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, s.Way.Size))
	return err
}

// strategy is how the engines of bare loops wait: as a reactor's.
var strategy = api.Block()
