// Package reactor is a network framework over any engine of sluice: it listens, accepts, receives and sends, and calls a
// Handler for each connection. How the work is arranged over goroutines and threads is one value, Config.Variant:
//
//	Single            accept, receive, handle and send in one loop
//	SinglePool        one loop for IO, handlers in a pool of workers
//	Multi             several loops, each with its own connections
//	MultiPool         several loops for IO, one pool of workers for handlers
//	ThreadPerConn     an OS thread for each connection, and system calls that block: a baseline
//	GoroutinePerConn  a goroutine for each connection on Go's net: a baseline
//
// A handler is the same for all of them, and for every backend: nothing in this package names one. A server that echoes:
//
//	type echo struct{ reactor.Base }
//
//	func (echo) OnData(c *reactor.Conn) { c.Write(c.Next(-1)) }
//
//	err := reactor.Serve(ctx, reactor.Config{Listen: []string{"tcp://127.0.0.1:7777"}}, echo{})
//
// # Which method may be called where
//
// The types say it. A *Conn is what a connection's own callbacks get, and its methods are for these callbacks: they are called one
// at a time for each connection, never two at once, and a *Conn must not be used when they have returned. A Remote (Conn.Remote) is what
// any goroutine may use at any time: it wakes the connection, posts a function that gets the *Conn, or ends it. OnClose gets an *Ended, which can
// only be looked at. A *Loop is what OnTick gets, for the duration of the call.
//
// # Datagrams
//
// A handler that is a PacketHandler, too, gets what comes on the sockets of UDP in Config.Listen. There is no Conn: a Packet knows its sender, and sends replies.
//
// # Ownership
//
// What Peek and Next return points into the buffer that the kernel has received into: there was no copy before, and it is valid until the
// callback returns. Write copies; the memory is the caller's at once.
//
// # Order
//
// OnOpen comes first and OnClose last, each once. What is written is sent in the order of the calls. Data is handled in
// the order in which it came, by one goroutine at a time.
package reactor
