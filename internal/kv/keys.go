package kv

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/sluiceio/sluice/reactor/resp"
)

// expiryForm is how the time is given at which a key expires.
type expiryForm uint8

const (
	inSeconds expiryForm = iota // from now
	inMillis
	atSeconds // since 1970
	atMillis
)

// absolute makes of an amount the time in milliseconds since 1970. ok is false for one that is out of range.
func (s *session) absolute(n int64, form expiryForm) (when int64, ok bool) {
	if form == inSeconds || form == atSeconds {
		if n > math.MaxInt64/1000 || n < math.MinInt64/1000 {
			return 0, false
		}
		n *= 1000
	}
	if form == inSeconds || form == inMillis {
		if n > math.MaxInt64-s.clock() {
			return 0, false
		}
		n += s.clock()
	}
	return n, true
}

// expiry is when a key is to expire that is set. It must be after 1970.
func (s *session) expiry(amount []byte, form expiryForm, name string) (when int64, ok bool) {
	n, ok := parseInt(amount)
	if !ok {
		s.fail(errNotInt)
		return 0, false
	}
	if n > 0 {
		when, ok = s.absolute(n, form)
	}
	if n <= 0 || !ok {
		s.fail("ERR invalid expire time in '" + name + "' command")
		return 0, false
	}
	return when, true
}

func (s *session) cmdExpire()    { s.expire(inSeconds, "expire") }
func (s *session) cmdPExpire()   { s.expire(inMillis, "pexpire") }
func (s *session) cmdExpireAt()  { s.expire(atSeconds, "expireat") }
func (s *session) cmdPExpireAt() { s.expire(atMillis, "pexpireat") }

// conditions are those under which an expiry is changed.
type conditions uint8

const (
	onlyNone    conditions = 1 << iota // NX: there is none
	onlySome                           // XX: there is one
	onlyGreater                        // GT: it is later than what there is, where none is for ever
	onlyLess                           // LT: it is earlier
)

func (s *session) conditions() (f conditions, ok bool) {
	for _, arg := range s.args[3:] {
		switch {
		case is(arg, "nx"):
			f |= onlyNone
		case is(arg, "xx"):
			f |= onlySome
		case is(arg, "gt"):
			f |= onlyGreater
		case is(arg, "lt"):
			f |= onlyLess
		default:
			s.fail("ERR Unsupported option " + strings.TrimRight(clip(arg, len(arg)), "\r\n"))
			return 0, false
		}
	}
	switch {
	case f&onlyNone != 0 && f != onlyNone:
		s.fail("ERR NX and XX, GT or LT options at the same time are not compatible")
		return 0, false
	case f&onlyGreater != 0 && f&onlyLess != 0:
		s.fail("ERR GT and LT options at the same time are not compatible")
		return 0, false
	}
	return f, true
}

// hold says whether the conditions hold for an expiry of e.
func (f conditions) hold(e *entry, when int64) bool {
	switch {
	case f&onlyNone != 0 && e.expires(), f&onlySome != 0 && !e.expires():
		return false
	case f&onlyGreater != 0 && (!e.expires() || when <= e.when):
		return false
	case f&onlyLess != 0 && e.expires() && when >= e.when:
		return false
	}
	return true
}

func (s *session) expire(form expiryForm, name string) {
	f, ok := s.conditions()
	if !ok {
		return
	}
	n, ok := parseInt(s.args[2])
	if !ok {
		s.fail(errNotInt)
		return
	}
	when, ok := s.absolute(n, form)
	if !ok {
		s.fail("ERR invalid expire time in '" + name + "' command")
		return
	}
	key := s.args[1]
	sh := s.shard(key)
	e := s.lookup(sh, key)
	if e == nil || !f.hold(e, when) {
		s.int(0)
		return
	}
	if when <= s.clock() && !s.srv.loading {
		sh.remove(e)
		s.log(wordDel, key)
	} else {
		sh.expireAt(e, when)
		var digits [20]byte
		s.log(wordPExpireAt, key, strconv.AppendInt(digits[:0], when, 10))
	}
	s.int(1)
}

func (s *session) cmdPersist() {
	key := s.args[1]
	sh := s.shard(key)
	e := s.lookup(sh, key)
	if e == nil || !e.expires() {
		s.int(0)
		return
	}
	sh.persist(e)
	s.log(wordPersist, key)
	s.int(1)
}

func (s *session) cmdTTL() {
	s.ttl(func(e *entry) int64 { return int64((uint64(max(e.when-s.clock(), 0)) + 500) / 1000) })
}
func (s *session) cmdPTTL() { s.ttl(func(e *entry) int64 { return max(e.when-s.clock(), 0) }) }
func (s *session) cmdExpireTime() {
	s.ttl(func(e *entry) int64 { return int64((uint64(e.when) + 500) / 1000) })
}
func (s *session) cmdPExpireTime() { s.ttl(func(e *entry) int64 { return e.when }) }

// ttl answers what there is to say of an expiry: -2 for no key, -1 for no expiry.
func (s *session) ttl(of func(*entry) int64) {
	key := s.args[1]
	e := s.lookup(s.shard(key), key)
	switch {
	case e == nil:
		s.int(-2)
	case !e.expires():
		s.int(-1)
	default:
		s.int(of(e))
	}
}

func (s *session) cmdDel() {
	n := 0
	for _, key := range s.args[1:] {
		sh := s.shard(key)
		if e := s.lookup(sh, key); e != nil {
			sh.remove(e)
			s.args[1+n] = key // what was there goes to the file
			n++
		}
	}
	if n > 0 {
		s.args[0] = wordDel
		s.log(s.args[:1+n]...)
	}
	s.int(int64(n))
}

func (s *session) cmdExists() {
	n := int64(0)
	for _, key := range s.args[1:] {
		if s.lookup(s.shard(key), key) != nil {
			n++
		}
	}
	s.int(n)
}

func (s *session) cmdType() {
	key := s.args[1]
	if s.lookup(s.shard(key), key) == nil {
		s.out = resp.AppendSimple(s.out, "none")
		return
	}
	s.out = resp.AppendSimple(s.out, "string")
}

// cmdFlush is FLUSHALL and FLUSHDB: there is one database.
func (s *session) cmdFlush() {
	if len(s.args) > 2 || len(s.args) == 2 && !is(s.args[1], "sync") && !is(s.args[1], "async") {
		s.fail(errSyntax)
		return
	}
	for i := range s.srv.store.shards {
		s.srv.store.shards[i].clear()
	}
	s.log(wordFlushAll)
	s.ok()
}

// cmdDBSize answers how many keys there are, with those that have expired and are not taken out yet. Where there are locks it takes one after the other.
func (s *session) cmdDBSize() {
	n := int64(0)
	s.srv.eachShard(func(sh *shard) { n += int64(len(sh.keys)) })
	s.int(n)
}

func (srv *Server) eachShard(fn func(*shard)) {
	for i := range srv.store.shards {
		sh := &srv.store.shards[i]
		if srv.store.shared {
			sh.mu.Lock()
		}
		fn(sh)
		if srv.store.shared {
			sh.mu.Unlock()
		}
	}
}

func (s *session) cmdKeys() {
	var found []string
	for i := range s.srv.store.shards {
		for key, e := range s.srv.store.shards[i].keys {
			if e.expires() && e.when < s.clock() {
				continue
			}
			if match(s.args[1], key) {
				found = append(found, key)
			}
		}
	}
	s.out = resp.AppendArray(s.out, len(found))
	for _, key := range found {
		s.text(key)
	}
}

// match says whether a name is one of a pattern with *, ?, [sets] and escapes. It takes time in proportion to both, not exponential.
func match(pattern []byte, name string) bool {
	p, n := 0, 0
	star, from := -1, 0 // the last *, and how much of the name it has taken
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			star, from = p, n
			p++
			continue
		}
		if width, ok := matchOne(pattern[min(p, len(pattern)):], name[n]); ok {
			p += width
			n++
			continue
		}
		if star < 0 {
			return false
		}
		from++
		p, n = star+1, from
	}
	return len(bytes.TrimLeft(pattern[p:], "*")) == 0
}

// matchOne says whether the beginning of a pattern is one for a byte, and how long it is.
func matchOne(pattern []byte, b byte) (width int, ok bool) {
	if len(pattern) == 0 {
		return 0, false
	}
	switch pattern[0] {
	case '?':
		return 1, true
	case '[':
		return matchSet(pattern, b)
	case '\\':
		if len(pattern) > 1 {
			return 2, pattern[1] == b
		}
	}
	return 1, pattern[0] == b
}

// matchSet is matchOne of a set. One without its end goes to the end of the pattern.
func matchSet(pattern []byte, b byte) (width int, ok bool) {
	i := 1
	not := i < len(pattern) && pattern[i] == '^'
	if not {
		i++
	}
	found := false
	for ; i < len(pattern) && pattern[i] != ']'; i++ {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern):
			i++
			found = found || pattern[i] == b
		case i+2 < len(pattern) && pattern[i+1] == '-':
			lo, hi := min(pattern[i], pattern[i+2]), max(pattern[i], pattern[i+2])
			found = found || lo <= b && b <= hi
			i += 2
		default:
			found = found || pattern[i] == b
		}
	}
	return min(i+1, len(pattern)), found != not
}
