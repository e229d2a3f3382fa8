package kv

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceio/sluice/reactor/resp"
)

// redisVersion is the version of Redis whose commands answer like ours: clients look at it to know what they may ask for.
const redisVersion = "7.0.15"

const (
	errNoProto   = "NOPROTO unsupported protocol version"
	errProtoInt  = "ERR Protocol version is not an integer or out of range"
	errWrongPass = "WRONGPASS invalid username-password pair or user is disabled."
	errNoPass    = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
	errName      = "ERR Client names cannot contain spaces, newlines or special characters."
)

func (s *session) cmdPing() {
	switch len(s.args) {
	case 1:
		s.out = append(s.out, "+PONG\r\n"...)
	case 2:
		s.bulk(s.args[1])
	default:
		s.fail("ERR wrong number of arguments for 'ping' command")
	}
}

func (s *session) cmdEcho() { s.bulk(s.args[1]) }

func (s *session) cmdQuit() {
	s.ok()
	s.closing = true
}

// cmdReset makes the connection as it was when it began.
func (s *session) cmdReset() {
	s.v, s.name, s.libName, s.libVer = resp.V2, "", "", ""
	s.out = resp.AppendSimple(s.out, "RESET")
}

func (s *session) cmdSelect() {
	switch n, ok := parseInt(s.args[1]); {
	case !ok:
		s.fail(errNotInt)
	case int64(int32(n)) != n:
		s.fail("ERR value is out of range, value must between -2147483648 and 2147483647")
	case n != 0:
		s.fail("ERR DB index is out of range")
	default:
		s.ok()
	}
}

func (s *session) cmdTime() {
	now := time.Now()
	s.out = resp.AppendArray(s.out, 2)
	s.out = resp.AppendBulkInt(s.out, now.Unix())
	s.out = resp.AppendBulkInt(s.out, int64(now.Nanosecond()/1000))
}

// cmdAuth takes any password of the default user: there is none.
func (s *session) cmdAuth() {
	switch {
	case len(s.args) > 3:
		s.fail(errSyntax)
	case len(s.args) == 2:
		s.fail(errNoPass)
	case string(s.args[1]) != "default":
		s.fail(errWrongPass)
	default:
		s.ok()
	}
}

// cmdHello chooses the version of the protocol.
func (s *session) cmdHello() {
	v := s.v
	if len(s.args) > 1 {
		n, ok := parseInt(s.args[1])
		if !ok {
			s.fail(errProtoInt)
			return
		}
		if v, ok = resp.VersionOf(n); !ok {
			s.fail(errNoProto)
			return
		}
	}
	name := s.name
	for i := 2; i < len(s.args); i++ {
		more := len(s.args) - 1 - i
		switch {
		case is(s.args[i], "auth") && more >= 2:
			if string(s.args[i+1]) != "default" {
				s.fail(errWrongPass)
				return
			}
			i += 2
		case is(s.args[i], "setname") && more >= 1:
			if !validName(s.args[i+1]) {
				s.fail(errName)
				return
			}
			name = string(s.args[i+1])
			i++
		default:
			s.fail("ERR Syntax error in HELLO option '" + clip(s.args[i], 128) + "'")
			return
		}
	}
	s.v, s.name = v, name
	s.hello()
}

func (s *session) hello() {
	s.out = resp.AppendMap(s.out, s.v, 7)
	for _, kv := range [][2]string{{"server", "sluice"}, {"version", redisVersion}} {
		s.text(kv[0])
		s.text(kv[1])
	}
	s.text("proto")
	s.int(s.v.Number())
	s.text("id")
	s.int(s.id)
	s.text("mode")
	s.text("standalone")
	s.text("role")
	s.text("master")
	s.text("modules")
	s.out = resp.AppendArray(s.out, 0)
}

func validName(name []byte) bool {
	for _, b := range name {
		if b < '!' || b > '~' {
			return false
		}
	}
	return true
}

var clientCommands = []*command{
	{"getname", 2, 0, 0, 0, 0, (*session).clientGetName, nil},
	{"id", 2, 0, 0, 0, 0, func(s *session) { s.int(s.id) }, nil},
	{"info", 2, 0, 0, 0, 0, (*session).clientInfo, nil},
	{"setinfo", 4, 0, 0, 0, 0, (*session).clientSetInfo, nil},
	{"setname", 3, 0, 0, 0, 0, (*session).clientSetName, nil},
}

func (s *session) clientGetName() {
	if s.name == "" {
		s.null()
		return
	}
	s.text(s.name)
}

func (s *session) clientSetName() {
	if !validName(s.args[2]) {
		s.fail(errName)
		return
	}
	s.name = string(s.args[2])
	s.ok()
}

// clientSetInfo is of Redis 7.2, and clients send it before they know whom they talk to.
func (s *session) clientSetInfo() {
	switch {
	case !validName(s.args[3]):
		s.fail("ERR " + clip(s.args[2], 128) + " cannot contain spaces, newlines or special characters.")
	case is(s.args[2], "lib-name"):
		s.libName = string(s.args[3])
		s.ok()
	case is(s.args[2], "lib-ver"):
		s.libVer = string(s.args[3])
		s.ok()
	default:
		s.fail("ERR Unrecognized option '" + clip(s.args[2], 128) + "'")
	}
}

func (s *session) clientInfo() {
	s.out = resp.AppendVerbatim(s.out, s.v, "txt", fmt.Sprintf("id=%d name=%s db=0 resp=%d lib-name=%s lib-ver=%s\n", s.id, s.name, s.v.Number(), s.libName, s.libVer))
}

var configCommands = []*command{
	{"get", -3, 0, 0, 0, 0, (*session).configGet, nil},
	{"resetstat", 2, 0, 0, 0, 0, (*session).configResetStat, nil},
	{"set", -4, 0, 0, 0, 0, (*session).configSet, nil},
}

// parameters are what CONFIG GET tells.
func (srv *Server) parameters() [][2]string {
	appendonly := "no"
	if srv.aof != nil {
		appendonly = "yes"
	}
	return [][2]string{
		{"appendfsync", srv.opt.Fsync.String()},
		{"appendonly", appendonly},
		{"databases", "1"},
		{"maxmemory", strconv.FormatInt(srv.opt.MaxMemory, 10)},
		{"maxmemory-policy", "noeviction"},
		{"proto-max-bulk-len", strconv.Itoa(srv.opt.MaxValue)},
		{"save", ""},
	}
}

func (s *session) configGet() {
	var found [][2]string
	for _, p := range s.srv.parameters() {
		for _, pattern := range s.args[2:] {
			if match(bytes.ToLower(pattern), p[0]) {
				if !bytes.ContainsAny(pattern, "*?[") {
					p[0] = string(pattern) // as it was asked for
				}
				found = append(found, p)
				break
			}
		}
	}
	s.out = resp.AppendMap(s.out, s.v, len(found))
	for _, p := range found {
		s.text(p[0])
		s.text(p[1])
	}
}

func (s *session) configResetStat() {
	s.srv.commands.Store(0)
	s.srv.expired.Store(0)
	s.ok()
}

// configSet refuses: what can be chosen is chosen when the server starts.
func (s *session) configSet() {
	s.fail("ERR Unknown option or number of arguments for CONFIG SET - '" + clip(s.args[2], 128) + "'")
}

// cmdInfo tells of the server, in the form that tools for Redis read.
func (s *session) cmdInfo() {
	var b strings.Builder
	for _, section := range infoSections {
		if len(s.args) > 1 && !s.asks(section.name) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\r\n")
		}
		fmt.Fprintf(&b, "# %s\r\n", section.name)
		section.write(s.srv, &b)
	}
	s.out = resp.AppendVerbatim(s.out, s.v, "txt", b.String())
}

// asks says whether INFO was asked for a section.
func (s *session) asks(section string) bool {
	for _, arg := range s.args[1:] {
		if is(arg, strings.ToLower(section)) || is(arg, "all") || is(arg, "everything") || is(arg, "default") {
			return true
		}
	}
	return false
}

var infoSections = []struct {
	name  string
	write func(*Server, *strings.Builder)
}{
	{"Server", func(srv *Server, b *strings.Builder) {
		fmt.Fprintf(b, "redis_version:%s\r\nserver_name:sluice\r\nredis_mode:standalone\r\nos:%s %s\r\nprocess_id:%d\r\nuptime_in_seconds:%d\r\n",
			redisVersion, runtime.GOOS, runtime.GOARCH, os.Getpid(), int64(time.Since(srv.started).Seconds()))
	}},
	{"Clients", func(srv *Server, b *strings.Builder) { fmt.Fprintf(b, "connected_clients:%d\r\n", srv.clients.Load()) }},
	{"Memory", func(srv *Server, b *strings.Builder) {
		fmt.Fprintf(b, "used_memory:%d\r\nmaxmemory:%d\r\nmaxmemory_policy:noeviction\r\n", srv.store.used(), srv.opt.MaxMemory)
	}},
	{"Persistence", func(srv *Server, b *strings.Builder) {
		if srv.aof == nil {
			b.WriteString("loading:0\r\naof_enabled:0\r\n")
			return
		}
		status := "ok"
		if srv.aof.failed() != nil {
			status = "err"
		}
		fmt.Fprintf(b, "loading:0\r\naof_enabled:1\r\naof_last_write_status:%s\r\naof_current_size:%d\r\n", status, srv.aof.size())
	}},
	{"Stats", func(srv *Server, b *strings.Builder) {
		fmt.Fprintf(b, "total_connections_received:%d\r\ntotal_commands_processed:%d\r\nexpired_keys:%d\r\n", srv.accepted.Load(), srv.commands.Load(), srv.expired.Load())
	}},
	{"Keyspace", func(srv *Server, b *strings.Builder) {
		keys, expires := 0, 0
		srv.eachShard(func(sh *shard) { keys, expires = keys+len(sh.keys), expires+len(sh.expiry) })
		if keys > 0 {
			fmt.Fprintf(b, "db0:keys=%d,expires=%d,avg_ttl=0\r\n", keys, expires)
		}
	}},
}

var commandCommands = []*command{
	{"count", 2, 0, 0, 0, 0, func(s *session) { s.int(int64(len(commands.all))) }, nil},
	{"docs", -2, 0, 0, 0, 0, func(s *session) { s.out = resp.AppendMap(s.out, s.v, 0) }, nil},
	{"info", -2, 0, 0, 0, 0, (*session).commandInfo, nil},
	{"list", 2, 0, 0, 0, 0, (*session).commandList, nil},
}

// cmdCommand tells of the commands. It is not in the table's text, to which it refers.
func (s *session) cmdCommand() {
	if len(s.args) == 1 {
		s.describe(commands.all)
		return
	}
	sub := find(commandCommands, s.args[1])
	switch {
	case sub == nil:
		s.fail("ERR unknown subcommand '" + clip(s.args[1], 128) + "'. Try COMMAND HELP.")
	case sub.arity > 0 && len(s.args) != sub.arity:
		s.fail("ERR wrong number of arguments for 'command|" + sub.name + "' command")
	default:
		sub.fn(s)
	}
}

func (s *session) commandList() {
	s.out = resp.AppendArray(s.out, len(commands.all))
	for _, cmd := range commands.all {
		s.text(cmd.name)
	}
}

func (s *session) commandInfo() {
	if len(s.args) == 2 {
		s.describe(commands.all)
		return
	}
	cmds := make([]*command, len(s.args)-2)
	for i, name := range s.args[2:] {
		cmds[i] = commands.find(name)
	}
	s.describe(cmds)
}

// describe answers name, number of arguments, flags and places of keys. What stands behind them in Redis is empty.
func (s *session) describe(cmds []*command) {
	s.out = resp.AppendArray(s.out, len(cmds))
	for _, cmd := range cmds {
		if cmd == nil {
			s.null()
			continue
		}
		s.out = resp.AppendArray(s.out, 10)
		s.text(cmd.name)
		s.int(int64(cmd.arity))
		flags := cmd.flags.names()
		s.out = resp.AppendSet(s.out, s.v, len(flags))
		for _, f := range flags {
			s.out = resp.AppendSimple(s.out, f)
		}
		s.int(int64(cmd.first))
		s.int(int64(cmd.last))
		s.int(int64(cmd.step))
		s.out = resp.AppendSet(s.out, s.v, 0)
		s.out = resp.AppendSet(s.out, s.v, 0)
		s.out = resp.AppendSet(s.out, s.v, 0)
		s.out = resp.AppendArray(s.out, 0)
	}
}
