package kv

import (
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/reactor"
)

// Server is a store of keys and values, and the handler of its connections.
type Server struct {
	opt     Options
	store   *store
	aof     *aof // nil: none
	started time.Time
	loading bool // the append-only file is being read: nothing expires

	clients  atomic.Int64
	accepted atomic.Int64 // and the id of the last one
	commands atomic.Int64
	expired  atomic.Int64
}

var _ reactor.Handler = (*Server)(nil)

// New makes a server, reads its append-only file, and changes in cfg what does not suit: MaxInput and MaxOutput are large enough for the largest command and reply, there are ticks, and
// unless Wait is set loops park when replies wait for the disk.
// cfg must be what the reactor is then started with. The server must be closed. Errors: *OptionError, *CorruptError, those of the file, and of backend.Open.
func New(o Options, cfg *reactor.Config) (*Server, error) {
	if err := o.fit(cfg); err != nil {
		return nil, err
	}
	s := &Server{
		opt:     o,
		store:   newStore(cfg.Variant != reactor.Single),
		started: time.Now(),
	}
	if o.AppendOnly == "" {
		return s, nil
	}
	a, err := openAOF(s)
	if err != nil {
		return nil, err
	}
	s.aof = a
	return s, nil
}

// Close writes the rest of the append-only file, makes it durable unless the policy is FsyncNo, and closes it. It must be called when the reactor has
// ended. The error is that of the file, if not all is in it; calling it again does nothing, and returns the same.
func (s *Server) Close() error {
	if s.aof == nil {
		return nil
	}
	return s.aof.close()
}

// OnOpen makes the state of a connection.
func (s *Server) OnOpen(c *reactor.Conn) {
	s.clients.Add(1)
	c.SetContext(newSession(s, c.Remote(), s.accepted.Add(1)))
}

// OnData performs commands.
func (s *Server) OnData(c *reactor.Conn) { c.Context().(*session).serve(c) }

// OnEOF closes the connection when all replies are sent.
func (s *Server) OnEOF(c *reactor.Conn) { c.Context().(*session).ended(c) }

// OnClose counts.
func (s *Server) OnClose(e *reactor.Ended, _ error) {
	if e.Opened() {
		s.clients.Add(-1)
	}
}

// OnShutdown closes the connection when all replies are sent.
func (s *Server) OnShutdown(c *reactor.Conn) { c.Context().(*session).finish(c) }

// expirePerTick is how many keys of a shard are taken out in a tick: with one shard 10,000 a second and loop, for some 2 ms of each.
const expirePerTick = 1000

// OnTick takes out keys that have expired.
func (s *Server) OnTick(*reactor.Loop) { s.expire(time.Now().UnixMilli()) }

func (s *Server) expire(now int64) {
	for i := range s.store.shards {
		s.expireShard(i, now)
	}
	if s.aof != nil {
		s.aof.start()
	}
}

func (s *Server) expireShard(i int, now int64) {
	sh := &s.store.shards[i]
	if s.store.shared {
		sh.mu.Lock()
		defer sh.mu.Unlock()
	}
	for range expirePerTick {
		e := sh.first()
		if e == nil || e.when >= now {
			return
		}
		s.dropExpired(sh, e)
	}
}

// dropExpired takes an entry out whose time is over. The file is told, so that a command behind this finds the same when it is read.
func (s *Server) dropExpired(sh *shard, e *entry) {
	sh.remove(e)
	s.expired.Add(1)
	if s.aof != nil {
		s.aof.log(wordDel, []byte(e.key))
	}
}
