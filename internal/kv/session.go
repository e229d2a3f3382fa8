package kv

import (
	"time"

	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/resp"
)

const (
	// outMin is how much room for replies there is when a command begins: most fit.
	outMin = 512
	// flushAt is how many bytes of replies are handed over before the next command is performed.
	flushAt = 32 << 10
	// keptHeld is how much memory for replies that wait for the disk stays with a connection.
	keptHeld = 16 << 10
	// pauseAt is how much input a connection takes while its replies wait for the disk.
	pauseAt = 64 << 10
)

// session is the state of a connection. Its methods run in the connection's callbacks.
type session struct {
	srv    *Server
	conn   *reactor.Conn // while a callback runs
	remote reactor.Remote
	parser resp.Parser
	args   [][]byte // of the command that is performed
	out    []byte   // replies that are not handed over
	v      resp.Version
	now    int64 // in milliseconds, 0: nobody has asked yet in this callback
	done   int64 // commands in this callback

	durable int64               // how much of the append-only file must be durable before the replies go out
	held    []byte              // replies that wait for it
	waiting bool                // the file will call resume
	paused  bool                // and the connection is not read meanwhile
	resume  func(*reactor.Conn) // made once, because each wait needs it
	giveUp  func(*reactor.Conn) // the same when the file has failed
	closing bool                // no more commands: QUIT, an error of the protocol, or the end of the server
	eof     bool                // the peer sends no more
	id      int64
	name    string
	libName string
	libVer  string
}

func newSession(srv *Server, r reactor.Remote, id int64) *session {
	s := &session{srv: srv, remote: r, id: id}
	s.parser.Init(resp.Limits{Bulk: srv.opt.MaxValue, Command: srv.opt.MaxRequest})
	if srv.aof != nil {
		s.resume = s.released
		s.giveUp = func(c *reactor.Conn) { c.Abort(errNotDurable) }
	}
	return s
}

// clock is the time of the callback, in milliseconds since 1970. Redis has one time for a command, too.
func (s *session) clock() int64 {
	if s.now == 0 {
		s.now = time.Now().UnixMilli()
	}
	return s.now
}

// serve performs what has come of commands.
func (s *session) serve(c *reactor.Conn) {
	switch {
	case s.closing:
		c.Discard(-1)
		return
	case s.waiting:
		s.pause(c)
		return
	}
	s.conn, s.now, s.done = c, 0, 0
	s.out = c.AvailableBuffer(outMin)
	c.Discard(s.perform(c.Peek(-1)))
	s.flush()
	if s.done > 0 {
		s.srv.commands.Add(s.done)
	}
	if s.srv.aof != nil {
		s.srv.aof.start()
	}
	s.conn, s.out, s.args = nil, nil, nil
	if !s.waiting && (s.closing || s.eof && s.answered(c)) {
		c.Close()
	}
}

// answered says whether no command waits in the input because of output that does.
func (s *session) answered(c *reactor.Conn) bool { return c.Buffered() == 0 || !c.Full() }

// perform performs the commands of in, and says how many bytes of it are done with.
func (s *session) perform(in []byte) (used int) {
	// What has a reply that nobody reads waits in the input: the reactor calls again when enough was sent.
	for !s.closing && !s.waiting && !s.conn.Full() {
		args, n, err := s.parser.Next(in[used:])
		used += n
		if err != nil {
			s.out = resp.AppendError(s.out, "ERR "+err.Error())
			s.closing = true
			break
		}
		if args == nil {
			break
		}
		s.args = args
		s.done++
		s.run()
		if len(s.out) > flushAt {
			s.flush()
		}
	}
	return used
}

// flush hands the replies over, or has them wait for the disk.
func (s *session) flush() {
	if len(s.out) == 0 {
		return
	}
	if s.mustWait() {
		s.hold()
		return
	}
	if _, err := s.conn.Write(s.out); err != nil {
		s.conn.Abort(err) // more output than may wait: nothing can be left out of it
		s.closing = true
		s.out = nil
		return
	}
	s.out = s.conn.AvailableBuffer(outMin)
}

// mustWait says whether replies must wait for the append-only file.
func (s *session) mustWait() bool {
	if !s.waiting && s.durable != 0 {
		s.waiting = s.srv.aof.await(s)
		s.durable = 0
	}
	return s.waiting
}

func (s *session) hold() {
	if len(s.held)+len(s.out) > s.srv.opt.MaxReply {
		s.conn.Abort(reactor.ErrOutputFull)
		s.closing = true
	} else {
		s.held = append(s.held, s.out...)
	}
	s.out = s.out[:0]
}

// pause stops the reading of a connection of which much input waits, for as long as its replies do.
func (s *session) pause(c *reactor.Conn) {
	if !s.paused && c.Buffered() >= pauseAt {
		c.Pause()
		s.paused = true
	}
}

// released sends the replies that have waited for the disk, and goes on.
func (s *session) released(c *reactor.Conn) {
	s.waiting = false
	if s.mustWait() { // a command has had a part of its reply held back before it was in the file
		return
	}
	if s.paused {
		c.Resume()
		s.paused = false
	}
	if _, err := c.Write(s.held); err != nil {
		c.Abort(err)
		return
	}
	if s.held = s.held[:0]; cap(s.held) > keptHeld {
		s.held = nil
	}
	if s.closing {
		c.Close()
		return
	}
	s.serve(c)
}

// ended closes the connection when the peer sends no more, and all it has sent is answered.
func (s *session) ended(c *reactor.Conn) {
	s.eof = true
	if !s.waiting && s.answered(c) {
		c.Close()
	}
}

// finish closes the connection when what was performed is answered.
func (s *session) finish(c *reactor.Conn) {
	s.closing = true
	if !s.waiting {
		c.Close()
	}
}

// The replies of commands.

func (s *session) ok()             { s.out = append(s.out, "+OK\r\n"...) }
func (s *session) null()           { s.out = resp.AppendNull(s.out, s.v) }
func (s *session) int(n int64)     { s.out = resp.AppendInt(s.out, n) }
func (s *session) fail(msg string) { s.out = resp.AppendError(s.out, msg) }
func (s *session) text(t string)   { s.out = resp.AppendBulkString(s.out, t) }

// bulk is a value, which may be large: it is copied once.
func (s *session) bulk(v []byte) {
	if need := len(v) + 32; need > outMin && need > cap(s.out)-len(s.out) && s.conn != nil {
		s.flush()
		if !s.waiting && !s.closing {
			s.out = s.conn.AvailableBuffer(need)
		}
	}
	s.out = resp.AppendBulk(s.out, v)
}
