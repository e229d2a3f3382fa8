package kv

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/reactor"
)

var (
	randomSeed  = flag.Uint64("kv.seed", 0, "the seed of the random commands, 0: another one each time")
	randomCount = flag.Int("kv.random", 4000, "how many random commands are compared with Redis")
)

// TestAsRedisAtRandom sends both the same random commands: most have a meaning, some have an argument too many, too few, or of the wrong kind.
func TestAsRedisAtRandom(t *testing.T) {
	theirs := redis(t)
	ours := start(t, Options{MaxValue: 512 << 20}, reactor.Config{}).addr
	seed := *randomSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	rnd := rand.New(rand.NewPCG(seed, 0))
	a, b := dial(t, ours), dial(t, theirs)
	var log []string
	for n := 0; n < *randomCount; {
		var cmds [][]string
		var in []byte
		for range 1 + rnd.IntN(40) {
			cmd := randomCommand(rnd)
			cmds = append(cmds, cmd)
			in = append(in, wire(cmd...)...)
		}
		a.raw(in)
		b.raw(in)
		for _, cmd := range cmds {
			log = append(log, fmt.Sprintf("%q", cmd))
			if got, want := a.next(), b.next(); got != want && !near(cmd[0], got, want) && !bothGreet(got, want) {
				t.Fatalf("-kv.seed %d, command %d\n ours   %q\n theirs %q\nthe last ones were\n%s", seed, n, got, want, strings.Join(log[max(0, len(log)-30):], "\n"))
			}
			n++
		}
	}
}

// bothGreet says whether both replies are what HELLO answers, in which the servers tell their names.
func bothGreet(got, want string) bool {
	const server = "\r\n$6\r\nserver\r\n"
	i := strings.Index(got, server)
	return i > 0 && strings.HasPrefix(want, got[:i]+server)
}

// randomForms are commands: k is a key, v a value, n a number, N one that may be a time, t a time in seconds that is not over soon, T one since 1970, o an option of SET, and e one of EXPIRE.
// What ends in + comes any number of times.
var randomForms = strings.Split(strings.TrimSpace(`
SET k v
SET k v
SET k v o+
SET k v o+
SET k n
GET k
GET k
GETSET k v
GETDEL k
SETNX k v
SETEX k t v
PSETEX k m v
STRLEN k
APPEND k v
INCR k
DECR k
INCRBY k n
DECRBY k n
MGET k k+
MSET k v kv+
MSETNX k v kv+
DEL k k+
UNLINK k k+
EXISTS k k+
TOUCH k k+
TYPE k
EXPIRE k t e+
PEXPIRE k m e+
EXPIREAT k T e+
PEXPIREAT k M e+
EXPIRE k N e+
PEXPIREAT k N e+
SETEX k N v
PERSIST k
TTL k
PTTL k
EXPIRETIME k
PEXPIRETIME k
DBSIZE
ECHO v
PING
PING v
SELECT n
KEYS one
HELLO 2
HELLO n
RESET
CLIENT GETNAME
CLIENT SETNAME v
AUTH v
AUTH default v
nosuch v v+
`), "\n")

func randomCommand(rnd *rand.Rand) []string {
	if rnd.IntN(300) == 0 {
		return []string{"FLUSHALL"}
	}
	var cmd []string
	for i, word := range strings.Fields(randomForms[rnd.IntN(len(randomForms))]) {
		times := 1
		if more, ok := strings.CutSuffix(word, "+"); ok {
			word, times = more, rnd.IntN(4)
		}
		for range times {
			if i == 0 && rnd.IntN(2) == 0 {
				word = strings.ToLower(word)
			}
			cmd = append(cmd, randomArgs(rnd, word)...)
		}
	}
	switch rnd.IntN(60) {
	case 0:
		cmd = append(cmd, pick(rnd, "x", "", "NX", "GET"))
	case 1:
		cmd = cmd[:max(1, len(cmd)-1)]
	case 2:
		if i := rnd.IntN(len(cmd)); i > 0 {
			cmd[i] = pick(rnd, "", "-", "1x", " 1", "+1", "01", "-0", "99999999999999999999", "\x00", "\r\n", "ex", "keepttl")
		}
	}
	return cmd
}

func pick(rnd *rand.Rand, from ...string) string { return from[rnd.IntN(len(from))] }

// randomArgs are the arguments that a word of a form stands for.
func randomArgs(rnd *rand.Rand, word string) []string {
	key := fmt.Sprint("key", rnd.IntN(12))
	value := strings.Repeat(pick(rnd, "a", "\r\n", "\x00", "7"), rnd.IntN(20))
	number := pick(rnd, "0", "-1", "-9223372036854775808", "9223372036854775807", "9223372036854775806", "4611686018427387904", "-5", "9223372036854775", "-9223372036854776", "922337203685477580", "2147483648", "1.0", "") // none that is a time which is over soon
	seconds := fmt.Sprint(1000 + 10*rnd.IntN(1_000_000))                                                                                                                                                                      // seldom twice the same, of which which is the later depends on the milliseconds between
	switch word {
	case "k":
		return []string{key}
	case "v":
		return []string{value}
	case "kv":
		return []string{key, value}
	case "n":
		return []string{pick(rnd, number, number, number, "1", "10")}
	case "N":
		return []string{number}
	case "t":
		return []string{seconds}
	case "m":
		return []string{seconds + "000"}
	case "T":
		return []string{"9000000" + seconds + "0"}
	case "M":
		return []string{"9000000" + seconds + "0123"}
	case "one":
		return []string{pick(rnd, key, "nosuch*", "[", "key[", "[^k0-9]x*", "\\")}
	case "e":
		return []string{pick(rnd, "NX", "xx", "gt", "LT", "GT", "lt", "ex")}
	case "o":
		switch pick(rnd, "w", "w", "t", "m", "T", "M", "n") {
		case "w":
			return []string{pick(rnd, "NX", "xx", "GET", "KEEPTTL", "get", "Xx", "ex", "nosuch")}
		case "t":
			return []string{"EX", seconds}
		case "m":
			return []string{"px", seconds + "000"}
		case "T":
			return []string{"ExAt", "9000000" + seconds + "0"}
		case "M":
			return []string{"PXAT", "9000000" + seconds + "0123"}
		}
		return []string{pick(rnd, "EX", "PX", "EXAT", "PXAT"), number}
	}
	return []string{word}
}
