package reactor

// Handler is what a server, or a client, does with its connections. Base has a method for each that does the usual; embed it,
// and write those that differ. The callbacks of one connection are called one at a time; those of several at once, where the
// variant has several loops, workers or threads. One that panics ends its connection with a *PanicError, and nothing else.
type Handler interface {
	// OnOpen is called first, when a connection has been accepted or dialled.
	OnOpen(c *Conn)
	// OnData is called when input has come, with what was not consumed before in front. It is called again without new input after Remote.Wake, and when
	// output has been sent that had kept the connection from being read (Config.WriteHigh) while there is unconsumed input.
	OnData(c *Conn)
	// OnEOF is called once, when the peer will send no more and OnData has seen all. What it has not consumed is still there. The other direction stays open
	// until Close or CloseWrite.
	OnEOF(c *Conn)
	// OnClose is called last, when the connection is no more. err says why: nil when it was closed by Close, a syscall.Errno when the system failed it,
	// os.ErrDeadlineExceeded when a deadline or timeout passed, ErrShutdown when the server ended before it did, the error of Abort, a *PanicError, ErrInputFull.
	// A dial that failed has this call and no OnOpen.
	OnClose(e *Ended, err error)
	// OnTick is called in each loop, every Config.Tick.
	OnTick(l *Loop)
	// OnShutdown is called for each open connection when the server is to end. It must see to it that the connection
	// is closed before long; those that are left when the time is over are aborted.
	OnShutdown(c *Conn)
}

// ReadDeadliner is a Handler that has something to say to a peer whose time is over.
type ReadDeadliner interface {
	Handler
	// OnReadDeadline is called when the deadline of SetReadDeadline has passed, and not, as well, another one or a timeout. When it returns the connection is
	// closed, as by Close: what it has written is sent, for which it may set a write deadline. OnClose gets os.ErrDeadlineExceeded. It is not called for a connection that is joined
	// (Conn.Forward), or is being closed.
	OnReadDeadline(c *Conn)
}

// Base is a Handler that throws away what it gets, and closes a connection when the peer does or the server ends.
type Base struct{}

// OnOpen does nothing.
func (Base) OnOpen(*Conn) {}

// OnData consumes the input.
func (Base) OnData(c *Conn) { c.Discard(-1) }

// OnEOF closes the connection when all output is sent.
func (Base) OnEOF(c *Conn) { c.Close() }

// OnClose does nothing.
func (Base) OnClose(*Ended, error) {}

// OnTick does nothing.
func (Base) OnTick(*Loop) {}

// OnShutdown closes the connection when all output is sent.
func (Base) OnShutdown(c *Conn) { c.Close() }
