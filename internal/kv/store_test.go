package kv

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/sluiceio/sluice/reactor"
)

// bare is a session of a server that has no reactor.
func bare(t testing.TB) *session {
	t.Helper()
	srv, err := New(Options{}, new(reactor.Config))
	if err != nil {
		t.Fatal(err)
	}
	return newSession(srv, reactor.Remote{}, 1)
}

// command performs one, and returns its reply.
func (s *session) command(args ...string) string {
	s.args, s.out = nil, s.out[:0]
	for _, a := range args {
		s.args = append(s.args, []byte(a))
	}
	s.run()
	return string(s.out)
}

// TestModel: keys with and without expiry, against a map, with a clock of its own.
func TestModel(t *testing.T) {
	type value struct {
		val  string
		when int64 // 0: never
	}
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		s := bare(t)
		model := make(map[string]value)
		now := int64(1_000_000)
		for step := range 3000 {
			now += int64(rnd.IntN(20))
			s.now = now
			for k, v := range model {
				if v.when != 0 && v.when < now {
					delete(model, k)
				}
			}
			key := strconv.Itoa(rnd.IntN(50))
			old, there := model[key]
			when := now + int64(rnd.IntN(2000)) + 1
			at := strconv.FormatInt(when, 10)
			var args []string
			want := "+OK\r\n"
			switch rnd.IntN(9) {
			case 0, 1:
				val := fmt.Sprint(rnd.Uint64() >> rnd.IntN(64))
				args, model[key] = []string{"SET", key, val}, value{val, 0}
			case 2, 3:
				val := string(make([]byte, rnd.IntN(500)))
				args, model[key] = []string{"SET", key, val, "PXAT", at}, value{val, when}
			case 4:
				args, want = []string{"DEL", key}, ":0\r\n"
				if there {
					want = ":1\r\n"
				}
				delete(model, key)
			case 5:
				args, want = []string{"PEXPIREAT", key, at}, ":0\r\n"
				if there {
					want = ":1\r\n"
					model[key] = value{old.val, when}
				}
			case 6:
				args, want = []string{"PERSIST", key}, ":0\r\n"
				if old.when != 0 {
					want = ":1\r\n"
					model[key] = value{old.val, 0}
				}
			case 7:
				args, want = []string{"APPEND", key, "xyz"}, fmt.Sprintf(":%d\r\n", len(old.val)+3)
				model[key] = value{old.val + "xyz", old.when}
			case 8:
				s.srv.expire(now)
				args, want = []string{"GET", key}, "$-1\r\n"
				if there {
					want = fmt.Sprintf("$%d\r\n%s\r\n", len(old.val), old.val)
				}
			}
			if got := s.command(args...); got != want {
				t.Fatalf("seed %d, step %d: %.60q: %.60q, want %.60q", seed, step, args, got, want)
			}
			if step%50 == 0 {
				check(t, s.srv.store)
			}
		}
		check(t, s.srv.store)
		s.srv.expire(now)
		if got := len(s.srv.store.shards[0].keys); got != len(model) {
			t.Fatalf("seed %d: %d keys, want %d", seed, got, len(model))
		}
	}
}

// check looks whether the books of a store are right.
func check(t testing.TB, st *store) {
	t.Helper()
	for i := range st.shards {
		sh := &st.shards[i]
		var used int64
		expires := 0
		for key, e := range sh.keys {
			used += e.bytes()
			if e.expires() {
				expires++
			}
			if key != e.key || e.expires() && sh.expiry[e.at] != e {
				t.Fatalf("shard %d: %q is not where it should be", i, key)
			}
		}
		if used != sh.used.Load() || expires != len(sh.expiry) {
			t.Fatalf("shard %d: %d bytes and %d expiries are counted, and there are %d and %d", i, sh.used.Load(), len(sh.expiry), used, expires)
		}
		for at := 1; at < len(sh.expiry); at++ {
			if sh.expiry[(at-1)/2].when > sh.expiry[at].when {
				t.Fatalf("shard %d: the heap is none at %d", i, at)
			}
		}
	}
}

// TestValueMemory: a value is kept in the memory of the one before it if that fits, and gives up what is much too large.
func TestValueMemory(t *testing.T) {
	s := bare(t)
	s.command("SET", "k", string(make([]byte, 1000)))
	e := s.srv.store.shards[0].keys["k"]
	first := &e.val[0]
	s.command("SET", "k", string(make([]byte, 900)))
	if &e.val[0] != first || len(e.val) != 900 {
		t.Error("a value that fits has other memory")
	}
	s.command("SET", "k", "small")
	if cap(e.val) >= 900 {
		t.Errorf("a value of 5 bytes has %d", cap(e.val))
	}
	check(t, s.srv.store)
}

// TestAllocations: commands on keys that exist allocate nothing.
func TestAllocations(t *testing.T) {
	s := bare(t)
	s.out = make([]byte, 0, 4096)
	s.command("MSET", "k", "value", "n", "10")
	for _, words := range [][]string{
		{"GET", "k"}, {"get", "none"}, {"SET", "k", "other"}, {"SET", "k", "other", "EX", "100"}, {"INCR", "n"}, {"INCRBY", "n", "5"}, {"EXISTS", "k", "n"}, {"MGET", "k", "n"},
		{"MSET", "k", "v", "n", "1"}, {"PING"}, {"ECHO", "x"}, {"EXPIRE", "k", "100"}, {"TTL", "k"}, {"PERSIST", "k"}, {"PEXPIREAT", "k", "99999999999999"},
	} {
		var args [][]byte
		for _, w := range words {
			args = append(args, []byte(w))
		}
		if n := testing.AllocsPerRun(100, func() {
			s.args, s.out = args, s.out[:0]
			s.run()
		}); n != 0 {
			t.Errorf("%v: %v allocations", words, n)
		}
	}
}

// TestFind: each command is found, in letters of either case, and nothing else is.
func TestFind(t *testing.T) {
	for _, cmd := range commands.all {
		upper := []byte(cmd.name)
		for i := range upper {
			upper[i] -= 'a' - 'A'
		}
		for _, name := range [][]byte{[]byte(cmd.name), upper} {
			if got := commands.find(name); got != cmd {
				t.Errorf("%q: %v", name, got)
			}
			for i := range name {
				name[i] ^= 0x80
				if got := commands.find(name); got != nil {
					t.Errorf("%q: %v", name, got.name)
				}
				name[i] ^= 0x80 | 0x40
				if got := commands.find(name); got != nil {
					t.Errorf("%q: %v", name, got.name)
				}
				name[i] ^= 0x40
			}
			if got := commands.find(append(name, 0)); got != nil {
				t.Errorf("%q and a NUL: %v", name, got.name)
			}
		}
	}
	if got := commands.find(make([]byte, 100)); got != nil {
		t.Errorf("100 NULs: %v", got.name)
	}
}

func TestParseInt(t *testing.T) {
	for _, text := range []string{
		"0", "1", "-1", "10", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
		"99999999999999999999", "", "-", "+1", "01", "-0", "-01", "1 ", " 1", "1x", "0x1", "1_0", "00",
	} {
		want, err := strconv.ParseInt(text, 10, 64)
		ok := err == nil && strconv.FormatInt(want, 10) == text // the one form
		got, gotOK := parseInt([]byte(text))
		if gotOK != ok || ok && got != want {
			t.Errorf("%q: %d, %v, want %d, %v", text, got, gotOK, want, ok)
		}
	}
}

// TestShards: the shards of keys are locked in order, each once, and given back.
func TestShards(t *testing.T) {
	st := newStore(true)
	args := make([][]byte, 1000)
	for i := range args {
		args[i] = strconv.AppendInt(nil, int64(i), 10)
	}
	if got := st.mask(args, 0, len(args)-1, 1); got != allShards {
		t.Errorf("1000 keys are in the shards %b", got)
	}
	mask := st.mask(args, 7, 9, 2)
	if want := uint64(1)<<st.index(args[7]) | 1<<st.index(args[9]); mask != want {
		t.Errorf("mask %b, want %b", mask, want)
	}
	st.lock(mask)
	for i := range st.shards {
		if free := st.shards[i].mu.TryLock(); free != (mask&(1<<i) == 0) {
			t.Errorf("shard %d: free is %v", i, free)
		} else if free {
			st.shards[i].mu.Unlock()
		}
	}
	st.unlock(mask)
	st.lock(allShards)
	st.unlock(allShards)
}

func FuzzMatch(f *testing.F) {
	f.Add([]byte("a*[b-d]?\\*"), "axxc!*")
	f.Add([]byte("***a"), "aaab")
	f.Add([]byte("[^]"), "x")
	f.Fuzz(func(t *testing.T, pattern []byte, name string) {
		match(pattern, name) // ends, and does not panic
		if literal := []byte(strconv.Quote(name)); len(literal) > 0 {
			var escaped []byte
			for i := range len(name) {
				escaped = append(escaped, '\\', name[i])
			}
			if !match(escaped, name) || !match(append([]byte("*"), escaped...), name) || !match(append(escaped, '*', '*'), name) || match(append(escaped, '?'), name) {
				t.Errorf("%q is not matched by itself", name)
			}
		}
	})
}

func BenchmarkCommands(b *testing.B) {
	for _, words := range [][]string{{"GET", "key:000000000001"}, {"SET", "key:000000000001", "xxx"}, {"INCR", "n"}} {
		b.Run("op="+words[0], func(b *testing.B) {
			s := bare(b)
			s.command("SET", "key:000000000001", "xxx")
			var args [][]byte
			for _, w := range words {
				args = append(args, []byte(w))
			}
			s.out = make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				s.args, s.out = args, s.out[:0]
				s.run()
			}
		})
	}
}
