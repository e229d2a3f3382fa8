package reactor

import "net"

// Ended is a connection that is no more, as OnClose sees it.
type Ended struct{ c *Conn }

// Context is what SetContext has set, or Dial was given.
func (e *Ended) Context() any { return e.c.value }

// Unread is input that was not consumed. It is valid until OnClose returns.
func (e *Ended) Unread() []byte { return e.c.in }

// Opened says whether OnOpen was called: it was not when a dial has failed.
func (e *Ended) Opened() bool { return e.c.io.is(stOpened) }

// Unsent is how many bytes of output were not sent, as far as is known: what the kernel has taken counts as sent.
func (e *Ended) Unsent() int { return clamp(e.c.written + e.c.io.forwarded - e.c.io.sentBytes) }

// RemoteAddr is the address that was dialled, nil for a connection that was accepted: its end is closed, and cannot be asked any more.
func (e *Ended) RemoteAddr() net.Addr { return e.c.io.dialled }

// Remote is the handle on it, to be compared with others.
func (e *Ended) Remote() Remote { return Remote{e.c} }
