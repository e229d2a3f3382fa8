package reactor

import (
	"net"
	"os"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

// dial has the loop connect to an address. Any goroutine may call it.
func (l *loop) dial(to api.Addr, h Handler, value any) error {
	if to.IsZero() {
		return &net.AddrError{Err: "reactor: no address to dial", Addr: to.String()}
	}
	return l.tell(func(l *loop) { l.connect(to, h, value) })
}

// connect begins a connection. The handler of one that fails is told by OnClose.
func (l *loop) connect(to api.Addr, h Handler, value any) {
	c := &Conn{handler: h, value: value, drv: l}
	c.io.dialled = netAddr(to)
	l.srv.conns.Add(1)
	if l.stopping {
		c.io.err = ErrShutdown
		l.refuse(c)
		return
	}
	if l.open >= l.openMost {
		c.io.err = api.ErrQueueFull
		l.refuse(c)
		return
	}
	fd, errno := sysx.Socket(family(to), sockStream, 0)
	if errno != 0 {
		c.io.err = os.NewSyscallError("socket", errno)
		l.refuse(c)
		return
	}
	l.adopt(c, int32(fd))
	l.pushOn(c, api.Connect(fd, &api.Msg{Addr: to}, tagOf(kindConnect, c.io.slot)).Until(l.now.Add(l.cfg.DialTimeout)))
}

// refuse ends a connection that never was.
func (l *loop) refuse(c *Conn) {
	c.gone.Store(true)
	l.up.end(c)
}

// connected handles the completion of a connect.
func (l *loop) connected(c *Conn, done *api.Completion) {
	switch {
	case c.io.is(stDead):
	case done.Res < 0:
		l.fail(c, done.Err())
	default:
		l.opened(c)
	}
}

// netAddr is a as package net has it.
func netAddr(a api.Addr) net.Addr {
	switch {
	case a.Path != "":
		return &net.UnixAddr{Net: "unix", Name: a.Path}
	case a.IP.IsValid():
		return net.TCPAddrFromAddrPort(a.IP)
	}
	return &net.UnixAddr{Net: "unix"} // of a socket without a name
}
