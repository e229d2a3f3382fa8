package kv

import (
	"math"
	"strconv"

	"github.com/sluiceio/sluice/reactor/resp"
)

// What commands answer, in the words of Redis.
const (
	errSyntax     = "ERR syntax error"
	errNotInt     = "ERR value is not an integer or out of range"
	errOverflow   = "ERR increment or decrement would overflow"
	errDecrement  = "ERR decrement would overflow"
	errTooLong    = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	errMSetArity  = "ERR wrong number of arguments for 'mset' command"
	errMSetNArity = "ERR wrong number of arguments for 'msetnx' command"
)

// The words of entries of the append-only file.
var (
	wordSet       = []byte("SET")
	wordDel       = []byte("DEL")
	wordPXAT      = []byte("PXAT")
	wordKeepTTL   = []byte("KEEPTTL")
	wordIncrBy    = []byte("INCRBY")
	wordAppend    = []byte("APPEND")
	wordMSet      = []byte("MSET")
	wordPersist   = []byte("PERSIST")
	wordPExpireAt = []byte("PEXPIREAT")
	wordFlushAll  = []byte("FLUSHALL")
)

// log puts a change into the append-only file, in a form that means the same at any later time.
func (s *session) log(args ...[]byte) {
	if a := s.srv.aof; a != nil && !s.srv.loading {
		s.durable = a.log(args...)
	}
}

// shard is where a key is.
func (s *session) shard(key []byte) *shard { return &s.srv.store.shards[s.srv.store.index(key)] }

// lookup finds a key that has not expired, nil if there is none.
func (s *session) lookup(sh *shard, key []byte) *entry {
	e := sh.keys[string(key)]
	if e != nil && e.expires() && !s.srv.loading && e.when < s.clock() {
		s.srv.dropExpired(sh, e)
		return nil
	}
	return e
}

func (s *session) cmdGet() {
	key := s.args[1]
	e := s.lookup(s.shard(key), key)
	if e == nil {
		s.null()
		return
	}
	s.bulk(e.val)
}

// is says whether an argument is a word, in letters of either case. word has small ones.
func is(arg []byte, word string) bool {
	if len(arg) != len(word) {
		return false
	}
	for i, b := range arg {
		if b|0x20 != word[i] {
			return false
		}
	}
	return true
}

// setFlags are what SET is asked for.
type setFlags uint8

const (
	setNX setFlags = 1 << iota
	setXX
	setGet
	setKeep
	setExpires
)

// expiryForms are how an expiry can be given.
var expiryForms = []struct {
	word string
	form expiryForm
}{{"ex", inSeconds}, {"px", inMillis}, {"exat", atSeconds}, {"pxat", atMillis}}

// setOptions are those of SET, and when the key is to expire.
func (s *session) setOptions() (f setFlags, when int64, ok bool) {
	var amount []byte
	var form expiryForm
	for i := 3; i < len(s.args); i++ {
		arg := s.args[i]
		switch {
		case is(arg, "nx") && f&setXX == 0:
			f |= setNX
		case is(arg, "xx") && f&setNX == 0:
			f |= setXX
		case is(arg, "get"):
			f |= setGet
		case is(arg, "keepttl") && f&setExpires == 0:
			f |= setKeep
		default:
			given, found := formOf(arg)
			// An expiry may be given twice in the same form, and the last one holds.
			if !found || i+1 == len(s.args) || f&setKeep != 0 || f&setExpires != 0 && given != form {
				s.fail(errSyntax)
				return 0, 0, false
			}
			i++
			form, amount, f = given, s.args[i], f|setExpires
		}
	}
	if f&setExpires != 0 {
		when, ok = s.expiry(amount, form, "set")
		return f, when, ok
	}
	return f, 0, true
}

func formOf(arg []byte) (expiryForm, bool) {
	for _, x := range expiryForms {
		if is(arg, x.word) {
			return x.form, true
		}
	}
	return 0, false
}

func (s *session) cmdSet() {
	if len(s.args) == 3 {
		s.set(0, 0)
		return
	}
	if f, when, ok := s.setOptions(); ok {
		s.set(f, when)
	}
}

// set is SET of the key and value in the second and third argument.
func (s *session) set(f setFlags, when int64) {
	key, val := s.args[1], s.args[2]
	sh := s.shard(key)
	e := s.lookup(sh, key)
	if f&setGet != 0 {
		s.value(e)
	}
	if f&setNX != 0 && e != nil || f&setXX != 0 && e == nil {
		if f&setGet == 0 {
			s.null()
		}
		return
	}
	s.store(sh, e, key, val, f, when)
	if f&setGet == 0 {
		s.ok()
	}
}

// store gives a key a value, and an expiry or none.
func (s *session) store(sh *shard, e *entry, key, val []byte, f setFlags, when int64) {
	e = sh.put(e, key, val)
	switch {
	case f&setExpires != 0:
		sh.expireAt(e, when)
		var digits [20]byte
		s.log(wordSet, key, val, wordPXAT, strconv.AppendInt(digits[:0], when, 10))
	case f&setKeep != 0:
		s.log(wordSet, key, val, wordKeepTTL)
	default:
		sh.persist(e)
		s.log(wordSet, key, val)
	}
}

// value answers a value, or that there is none.
func (s *session) value(e *entry) {
	if e == nil {
		s.null()
		return
	}
	s.bulk(e.val)
}

func (s *session) cmdSetNX() {
	key := s.args[1]
	sh := s.shard(key)
	if s.lookup(sh, key) != nil {
		s.int(0)
		return
	}
	s.store(sh, nil, key, s.args[2], 0, 0)
	s.int(1)
}

func (s *session) cmdSetEX()  { s.setFor(inSeconds, "setex") }
func (s *session) cmdPSetEX() { s.setFor(inMillis, "psetex") }

// setFor is SET with the expiry between key and value.
func (s *session) setFor(form expiryForm, name string) {
	when, ok := s.expiry(s.args[2], form, name)
	if !ok {
		return
	}
	key := s.args[1]
	sh := s.shard(key)
	s.store(sh, s.lookup(sh, key), key, s.args[3], setExpires, when)
	s.ok()
}

func (s *session) cmdGetSet() {
	key := s.args[1]
	sh := s.shard(key)
	e := s.lookup(sh, key)
	s.value(e)
	s.store(sh, e, key, s.args[2], 0, 0)
}

func (s *session) cmdGetDel() {
	key := s.args[1]
	sh := s.shard(key)
	e := s.lookup(sh, key)
	s.value(e)
	if e != nil {
		sh.remove(e)
		s.log(wordDel, key)
	}
}

func (s *session) cmdStrlen() {
	key := s.args[1]
	e := s.lookup(s.shard(key), key)
	if e == nil {
		s.int(0)
		return
	}
	s.int(int64(len(e.val)))
}

func (s *session) cmdAppend() {
	key, more := s.args[1], s.args[2]
	sh := s.shard(key)
	e := s.lookup(sh, key)
	switch {
	case e == nil:
		e = sh.put(nil, key, more)
	case len(e.val)+len(more) > s.srv.opt.MaxValue && !s.srv.loading:
		s.fail(errTooLong)
		return
	default:
		before := cap(e.val)
		e.val = append(e.val, more...)
		sh.grown(before, cap(e.val))
	}
	s.log(wordAppend, key, more)
	s.int(int64(len(e.val)))
}

func (s *session) cmdIncr() { s.add(1) }
func (s *session) cmdDecr() { s.add(-1) }

func (s *session) cmdIncrBy() {
	n, ok := parseInt(s.args[2])
	if !ok {
		s.fail(errNotInt)
		return
	}
	s.add(n)
}

func (s *session) cmdDecrBy() {
	n, ok := parseInt(s.args[2])
	switch {
	case !ok:
		s.fail(errNotInt)
	case n == math.MinInt64: // which has no opposite
		s.fail(errDecrement)
	default:
		s.add(-n)
	}
}

// add adds to the number that a value is. A key that does not exist is 0.
func (s *session) add(n int64) {
	key := s.args[1]
	sh := s.shard(key)
	e := s.lookup(sh, key)
	var old int64
	if e != nil {
		var ok bool
		if old, ok = parseInt(e.val); !ok {
			s.fail(errNotInt)
			return
		}
	}
	if n > 0 && old > math.MaxInt64-n || n < 0 && old < math.MinInt64-n {
		s.fail(errOverflow)
		return
	}
	var digits [20]byte
	sh.put(e, key, strconv.AppendInt(digits[:0], old+n, 10))
	s.log(wordIncrBy, key, strconv.AppendInt(digits[:0], n, 10))
	s.int(old + n)
}

func (s *session) cmdMGet() {
	s.out = resp.AppendArray(s.out, len(s.args)-1)
	for _, key := range s.args[1:] {
		s.value(s.lookup(s.shard(key), key))
	}
}

func (s *session) cmdMSet() {
	if len(s.args)%2 == 0 {
		s.fail(errMSetArity)
		return
	}
	s.setAll()
	s.ok()
}

func (s *session) cmdMSetNX() {
	if len(s.args)%2 == 0 {
		s.fail(errMSetNArity)
		return
	}
	for i := 1; i < len(s.args); i += 2 {
		if s.lookup(s.shard(s.args[i]), s.args[i]) != nil {
			s.int(0)
			return
		}
	}
	s.setAll()
	s.int(1)
}

// setAll sets all keys to their values: one entry of the file, so that it has all or none.
func (s *session) setAll() {
	for i := 1; i < len(s.args); i += 2 {
		key := s.args[i]
		sh := s.shard(key)
		sh.persist(sh.put(s.lookup(sh, key), key, s.args[i+1]))
	}
	s.args[0] = wordMSet
	s.log(s.args...)
}

// parseInt is a whole number in the one form that Redis takes: no plus, no leading zeros, no spaces.
func parseInt(b []byte) (int64, bool) {
	digits := b
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 19 || digits[0] == '0' && len(b) > 1 {
		return 0, false
	}
	var n uint64 // 19 digits fit
	for _, c := range digits {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	switch {
	case negative && n <= 1<<63:
		return -int64(n), true
	case !negative && n < 1<<63:
		return int64(n), true
	}
	return 0, false
}
