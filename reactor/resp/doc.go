// Package resp reads the commands and writes the replies of RESP, the protocol of Redis, in its versions 2 and 3. It is for servers, and
// for the tests of servers; a client that wants replies as values should take a library for clients.
//
// A Parser takes commands from the input of a connection as it is, without a copy and without an allocation per command, and goes on where it was when more
// has come. The functions whose names begin with Append write replies behind a slice, as strconv's do:
//
//	func (h) OnData(c *reactor.Conn) {
//		p := c.Context().(*resp.Parser)
//		for {
//			args, n, err := p.Next(c.Peek(-1))
//			switch {
//			case err != nil:
//				c.Write(resp.AppendError(nil, "ERR "+err.Error()))
//				c.Close()
//				return
//			case args == nil:
//				c.Discard(n)
//				return
//			}
//			c.Write(resp.AppendBulk(c.AvailableBuffer(64), args[0]))
//			c.Discard(n)
//		}
//	}
//
// A Parser belongs to one connection, and is used by one goroutine at a time. The functions may be called from anywhere.
package resp
