package kv

import (
	"bytes"
	"strings"
)

// command is what can be asked for.
type command struct {
	name  string
	arity int // how many arguments it has with its name; negative: at least
	flags cmdFlags
	// The keys among the arguments: from first to last, each step. A negative last counts from the end.
	first, last, step int
	fn                func(*session)
	subs              []*command // of a container: its second argument says which
}

type cmdFlags uint8

const (
	cmdWrite cmdFlags = 1 << iota
	cmdRead
	cmdGrows // may take memory, and is refused when there is none
	cmdFast
	cmdAll // takes all keys
)

// names are the flags as COMMAND tells them.
func (f cmdFlags) names() []string {
	var n []string
	for _, x := range []struct {
		f    cmdFlags
		name string
	}{{cmdWrite, "write"}, {cmdRead, "readonly"}, {cmdGrows, "denyoom"}, {cmdFast, "fast"}} {
		if f&x.f != 0 {
			n = append(n, x.name)
		}
	}
	return n
}

const (
	wr  = cmdWrite
	wrg = cmdWrite | cmdGrows
	rd  = cmdRead
)

// commands is the table, by name.
var commands = tableOf([]*command{
	{"append", 3, wrg | cmdFast, 1, 1, 1, (*session).cmdAppend, nil},
	{"auth", -2, cmdFast, 0, 0, 0, (*session).cmdAuth, nil},
	{"client", -2, 0, 0, 0, 0, nil, clientCommands},
	{"command", -1, 0, 0, 0, 0, nil, nil}, // its function refers to the table: see call
	{"config", -2, 0, 0, 0, 0, nil, configCommands},
	{"dbsize", 1, rd | cmdFast, 0, 0, 0, (*session).cmdDBSize, nil},
	{"decr", 2, wrg | cmdFast, 1, 1, 1, (*session).cmdDecr, nil},
	{"decrby", 3, wrg | cmdFast, 1, 1, 1, (*session).cmdDecrBy, nil},
	{"del", -2, wr, 1, -1, 1, (*session).cmdDel, nil},
	{"echo", 2, cmdFast, 0, 0, 0, (*session).cmdEcho, nil},
	{"exists", -2, rd | cmdFast, 1, -1, 1, (*session).cmdExists, nil},
	{"expire", -3, wr | cmdFast, 1, 1, 1, (*session).cmdExpire, nil},
	{"expireat", -3, wr | cmdFast, 1, 1, 1, (*session).cmdExpireAt, nil},
	{"expiretime", 2, rd | cmdFast, 1, 1, 1, (*session).cmdExpireTime, nil},
	{"flushall", -1, wr | cmdAll, 0, 0, 0, (*session).cmdFlush, nil},
	{"flushdb", -1, wr | cmdAll, 0, 0, 0, (*session).cmdFlush, nil},
	{"get", 2, rd | cmdFast, 1, 1, 1, (*session).cmdGet, nil},
	{"getdel", 2, wr | cmdFast, 1, 1, 1, (*session).cmdGetDel, nil},
	{"getset", 3, wrg | cmdFast, 1, 1, 1, (*session).cmdGetSet, nil},
	{"hello", -1, cmdFast, 0, 0, 0, (*session).cmdHello, nil},
	{"incr", 2, wrg | cmdFast, 1, 1, 1, (*session).cmdIncr, nil},
	{"incrby", 3, wrg | cmdFast, 1, 1, 1, (*session).cmdIncrBy, nil},
	{"info", -1, 0, 0, 0, 0, (*session).cmdInfo, nil},
	{"keys", 2, rd | cmdAll, 0, 0, 0, (*session).cmdKeys, nil},
	{"mget", -2, rd | cmdFast, 1, -1, 1, (*session).cmdMGet, nil},
	{"mset", -3, wrg, 1, -1, 2, (*session).cmdMSet, nil},
	{"msetnx", -3, wrg, 1, -1, 2, (*session).cmdMSetNX, nil},
	{"persist", 2, wr | cmdFast, 1, 1, 1, (*session).cmdPersist, nil},
	{"pexpire", -3, wr | cmdFast, 1, 1, 1, (*session).cmdPExpire, nil},
	{"pexpireat", -3, wr | cmdFast, 1, 1, 1, (*session).cmdPExpireAt, nil},
	{"pexpiretime", 2, rd | cmdFast, 1, 1, 1, (*session).cmdPExpireTime, nil},
	{"ping", -1, cmdFast, 0, 0, 0, (*session).cmdPing, nil},
	{"psetex", 4, wrg, 1, 1, 1, (*session).cmdPSetEX, nil},
	{"pttl", 2, rd | cmdFast, 1, 1, 1, (*session).cmdPTTL, nil},
	{"quit", -1, cmdFast, 0, 0, 0, (*session).cmdQuit, nil},
	{"reset", 1, cmdFast, 0, 0, 0, (*session).cmdReset, nil},
	{"select", 2, cmdFast, 0, 0, 0, (*session).cmdSelect, nil},
	{"set", -3, wrg, 1, 1, 1, (*session).cmdSet, nil},
	{"setex", 4, wrg, 1, 1, 1, (*session).cmdSetEX, nil},
	{"setnx", 3, wrg | cmdFast, 1, 1, 1, (*session).cmdSetNX, nil},
	{"strlen", 2, rd | cmdFast, 1, 1, 1, (*session).cmdStrlen, nil},
	{"time", 1, cmdFast, 0, 0, 0, (*session).cmdTime, nil},
	{"touch", -2, rd | cmdFast, 1, -1, 1, (*session).cmdExists, nil},
	{"ttl", 2, rd | cmdFast, 1, 1, 1, (*session).cmdTTL, nil},
	{"type", 2, rd | cmdFast, 1, 1, 1, (*session).cmdType, nil},
	{"unlink", -2, wr | cmdFast, 1, -1, 1, (*session).cmdDel, nil},
})

// table finds a command by its name, in letters of either case. Most have eight letters at most: these are one word, and found by
// a hash of it; the others by a map.
type table struct {
	slots [256]struct {
		word uint64
		cmd  *command
	}
	long map[string]*command
	all  []*command // by name
}

func tableOf(all []*command) *table {
	t := &table{long: make(map[string]*command), all: all}
	for _, cmd := range all {
		if len(cmd.name) > wordLen {
			t.long[cmd.name] = cmd
			continue
		}
		word := wordOf([]byte(cmd.name))
		i := slotOf(word)
		for t.slots[i].cmd != nil {
			i++
		}
		t.slots[i].word, t.slots[i].cmd = word, cmd
	}
	return t
}

const (
	wordLen    = 8
	longestLen = 16
)

// wordOf is a name of up to eight bytes as one word, with small letters: the bit that makes a letter small makes a letter of nothing else.
func wordOf(name []byte) (w uint64) {
	for i, b := range name {
		w |= uint64(b|0x20) << (8 * i)
	}
	return w
}

// slotOf spreads words over the table. The factor is that of Fibonacci hashing.
func slotOf(word uint64) uint8 { return uint8(word * 0x9E3779B97F4A7C15 >> 56) }

func (t *table) find(name []byte) *command {
	if len(name) <= wordLen {
		word := wordOf(name)
		for i := slotOf(word); t.slots[i].cmd != nil; i++ {
			if t.slots[i].word == word {
				return t.slots[i].cmd
			}
		}
		return nil
	}
	if len(name) > longestLen {
		return nil
	}
	var low [longestLen]byte
	for i, b := range name {
		low[i] = b | 0x20
	}
	return t.long[string(low[:len(name)])]
}

// run performs the command that is in s.args, or says why not.
func (s *session) run() {
	cmd := commands.find(s.args[0])
	if cmd == nil {
		s.unknown()
		return
	}
	name := cmd.name
	if cmd.subs != nil && len(s.args) > 1 {
		sub := find(cmd.subs, s.args[1])
		if sub == nil {
			s.fail("ERR unknown subcommand '" + clip(s.args[1], 128) + "'. Try " + strings.ToUpper(name) + " HELP.")
			return
		}
		name, cmd = name+"|"+sub.name, sub
	}
	if n := len(s.args); n != cmd.arity && (cmd.arity >= 0 || n < -cmd.arity) {
		s.fail("ERR wrong number of arguments for '" + name + "' command")
		return
	}
	if cmd.flags&cmdWrite != 0 && !s.mayWrite(cmd) {
		return
	}
	if !s.srv.store.shared || cmd.first == 0 && cmd.flags&cmdAll == 0 {
		s.call(cmd)
		return
	}
	s.runLocked(cmd)
}

func (s *session) call(cmd *command) {
	if cmd.fn == nil {
		s.cmdCommand()
		return
	}
	cmd.fn(s)
}

// find looks for a command of a container.
func find(subs []*command, name []byte) *command {
	for _, sub := range subs {
		if len(name) == len(sub.name) && bytes.EqualFold(name, []byte(sub.name)) {
			return sub
		}
	}
	return nil
}

// runLocked performs a command with the locks of its keys.
func (s *session) runLocked(cmd *command) {
	mask := allShards
	if cmd.first > 0 {
		mask = s.srv.store.mask(s.args, cmd.first, cmd.lastKey(len(s.args)), cmd.step)
	}
	s.srv.store.lock(mask)
	defer s.srv.store.unlock(mask) // deferred, since the reactor goes on when a command panics
	cmd.fn(s)
}

func (cmd *command) lastKey(args int) int {
	if cmd.last < 0 {
		return args + cmd.last
	}
	return cmd.last
}

// mayWrite says whether a command that changes something is to be performed, and answers it if not.
func (s *session) mayWrite(cmd *command) bool {
	srv := s.srv
	if srv.loading { // what is in the file has been allowed once
		return true
	}
	if cmd.first > 0 {
		for i := cmd.first; i <= cmd.lastKey(len(s.args)); i += cmd.step {
			if len(s.args[i]) > srv.opt.MaxKey {
				s.fail("ERR key exceeds the maximum size")
				return false
			}
		}
	}
	if srv.opt.MaxMemory > 0 && cmd.flags&cmdGrows != 0 && s.beyondMemory(cmd) {
		s.fail("OOM command not allowed when used memory > 'maxmemory'.")
		return false
	}
	if srv.aof != nil {
		if err := srv.aof.failed(); err != nil {
			s.fail("MISCONF Errors writing to the AOF file: " + reason(err))
			return false
		}
	}
	return true
}

// beyondMemory says whether what a command brings might be more than there may be.
func (s *session) beyondMemory(cmd *command) bool {
	n := s.srv.store.used()
	for _, a := range s.args[cmd.first:] {
		n += int64(len(a))
	}
	n += int64((cmd.lastKey(len(s.args))-cmd.first)/cmd.step+1) * (entryBytes + expiryBytes)
	return n > s.srv.opt.MaxMemory
}

// unknown answers what is no command, with the beginning of it.
func (s *session) unknown() {
	var args strings.Builder
	for _, a := range s.args[1:] {
		if args.Len() >= 128 {
			break
		}
		args.WriteString("'" + clip(a, 128-args.Len()) + "' ")
	}
	s.fail("ERR unknown command '" + clip(s.args[0], 128) + "', with args beginning with: " + args.String())
}

// clip is up to n bytes of b, and ends at a NUL, as strings of C do.
func clip(b []byte, n int) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b[:min(len(b), n)])
}
