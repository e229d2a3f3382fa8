package resp

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// all takes every command of in, and copies them; n is what was consumed.
func all(p *Parser, in []byte) (cmds [][]string, n int, err error) {
	for {
		args, used, err := p.Next(in[n:])
		n += used
		if err != nil || args == nil {
			return cmds, n, err
		}
		cmds = append(cmds, texts(args))
	}
}

func texts(args [][]byte) []string {
	cmd := make([]string, len(args))
	for i, a := range args {
		cmd[i] = string(a)
	}
	return cmd
}

// dribble takes every command of in as it comes piece by piece, each time in memory of its own.
func dribble(p *Parser, in []byte, piece int) (cmds [][]string, n int, err error) {
	for have := 0; have < len(in); {
		have = min(have+piece, len(in))
		more, used, err := all(p, bytes.Clone(in[n:have]))
		cmds = append(cmds, more...)
		n += used
		if err != nil {
			return cmds, n, err
		}
	}
	return cmds, n, nil
}

func words(s ...string) []string { return s }

func TestCommands(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     [][]string
		rest     int // bytes that are not consumed
	}{
		{"nothing", "", nil, 0},
		{"one", "*1\r\n$4\r\nPING\r\n", [][]string{words("PING")}, 0},
		{"two", "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n", [][]string{words("GET", "k"), words("PING")}, 0},
		{"empty argument", "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", [][]string{words("ECHO", "")}, 0},
		{"line ends in an argument", "*2\r\n$4\r\nECHO\r\n$4\r\n\r\n\r\n\r\n", [][]string{words("ECHO", "\r\n\r\n")}, 0},
		{"empty arrays are no commands", "*0\r\n*-1\r\n*-5\r\n*1\r\n$1\r\nx\r\n*0\r\n", [][]string{words("x")}, 0},
		{"incomplete behind a complete one", "*1\r\n$1\r\nx\r\n*1\r\n$1\r\n", [][]string{words("x")}, 8},
		{"incomplete line end", "*1\r", nil, 3},
		{"inline", "PING\r\nGET k\n", [][]string{words("PING"), words("GET", "k")}, 0},
		{"empty lines", "\r\n\n  \r\nPING\r\n\r\n", [][]string{words("PING")}, 0},
		{"inline spaces", " \tSET   a\t b \r\n", [][]string{words("SET", "a", "b")}, 0},
		{"inline quotes", `SET "a b" 'c d' ""` + "\r\n", [][]string{words("SET", "a b", "c d", "")}, 0},
		{"inline escapes", `ECHO "\x41\n\r\t\a\b\\\"\q" '\'\n'` + "\r\n", [][]string{words("ECHO", "A\n\r\t\a\b\\\"q", `'\n`)}, 0},
		{"inline half an escape", `ECHO "\x4"` + "\r\n", [][]string{words("ECHO", "x4")}, 0},
		{"inline quotes in a word", `ECHO a"b"` + "\r\n", [][]string{words("ECHO", "ab")}, 0},
		{"inline quotes before a vertical tab", "ECHO \"a\"\vb 'c'\fd\r\n", [][]string{words("ECHO", "a", "b", "c", "d")}, 0},
		{"inline two with quotes", "ECHO 'aaaa'\r\nECHO \"bbbb\"\r\n", [][]string{words("ECHO", "aaaa"), words("ECHO", "bbbb")}, 0},
		{"inline incomplete", "PING", nil, 4},
		{"inline behind an array", "*1\r\n$1\r\nx\r\ny\r\n", [][]string{words("x"), words("y")}, 0},
		{"no CR in an inline is none", "a\rb\n", [][]string{words("a", "b")}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, piece := range []int{1, 2, 3, len(tc.in) + 1} {
				var p Parser
				got, n, err := dribble(&p, []byte(tc.in), piece)
				if err != nil || !reflect.DeepEqual(got, tc.want) || len(tc.in)-n != tc.rest {
					t.Errorf("in pieces of %d: commands %q, %d bytes left, error %v, want %q, %d left", piece, got, len(tc.in)-n, err, tc.want, tc.rest)
				}
			}
		})
	}
}

func TestProtocolErrors(t *testing.T) {
	limits := Limits{Args: 1000, Bulk: 5000, Command: 20000, Inline: 100}
	for _, tc := range []struct{ name, in, want string }{
		{"2^31 arguments", "*2147483648\r\n", "invalid multibulk length"},
		{"2^64 arguments", "*18446744073709551616\r\n", "invalid multibulk length"},
		{"too many arguments", "*1001\r\n", "invalid multibulk length"},
		{"no number of arguments", "*\r\n", "invalid multibulk length"},
		{"letters for arguments", "*x\r\n", "invalid multibulk length"},
		{"number and letters", "*1x\r\n", "invalid multibulk length"},
		{"plus", "*+1\r\n", "invalid multibulk length"},
		{"leading zero", "*01\r\n", "invalid multibulk length"},
		{"minus zero", "*-0\r\n", "invalid multibulk length"},
		{"space", "* 1\r\n", "invalid multibulk length"},
		{"LF alone", "*1\n$1\r\nx\r\n", "invalid multibulk length"},
		{"CR alone", "*1\rx", "invalid multibulk length"},
		{"digits without end", "*" + strings.Repeat("1", 500), "invalid multibulk length"},
		{"an integer for an argument", "*1\r\n:1\r\n", "expected '$', got ':'"},
		{"a line end for an argument", "*1\r\n\r\n", "expected '$', got ' '"},
		{"too large an argument", "*1\r\n$5001\r\n", "invalid bulk length"},
		{"512 MB and more", "*2\r\n$4\r\nECHO\r\n$536870913\r\n", "invalid bulk length"},
		{"a null argument", "*1\r\n$-1\r\n", "invalid bulk length"},
		{"no length", "*1\r\n$\r\n", "invalid bulk length"},
		{"no end of an argument", "*1\r\n$1\r\nxyz", "a bulk string does not end with CRLF"},
		{"LF alone behind an argument", "*1\r\n$1\r\nxy\n", "a bulk string does not end with CRLF"},
		{"too large a command", "*5\r\n" + strings.Repeat("$5000\r\n"+strings.Repeat("x", 5000)+"\r\n", 5), "too big request"},
		{"long line", strings.Repeat("x", 101), "too big inline request"},
		{"long line with an end", strings.Repeat("x", 101) + "\r\n", "too big inline request"},
		{"open quote", "ECHO \"x\r\n", "unbalanced quotes in request"},
		{"open single quote", "ECHO 'x\r\n", "unbalanced quotes in request"},
		{"word behind a quote", "ECHO \"x\"y\r\n", "unbalanced quotes in request"},
		{"escape at the end", "ECHO \"x\\\r\n", "unbalanced quotes in request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := ProtocolError(tc.want)
			for _, piece := range []int{1, 7, len(tc.in)} {
				p := NewParser(limits)
				const before = "*1\r\n$1\r\na\r\n"
				in := []byte(before + tc.in)
				cmds, n, err := dribble(p, in, piece)
				if len(cmds) != 1 || n != len(before) || err != want {
					t.Errorf("in pieces of %d: %d commands, %d bytes consumed, error %v, want one, %d, %v", piece, len(cmds), n, err, len(before), want)
				}
				if _, _, err := p.Next(in[n:]); err != want {
					t.Errorf("in pieces of %d: the next call says %v, want %v", piece, err, want)
				}
			}
		})
	}
	if got := errArgs.Error(); got != "Protocol error: invalid multibulk length" {
		t.Errorf("the text is %q", got)
	}
}

// TestEarly: a command that is going to be too large is refused before its bytes come.
func TestEarly(t *testing.T) {
	for _, in := range []string{"*17\r\n", "*1\r\n$90\r\n", "*3\r\n$78\r\n"} {
		if _, _, err := NewParser(Limits{Command: 100}).Next([]byte(in)); err != errCommandSize {
			t.Errorf("%q: %v, want %v", in, err, errCommandSize)
		}
	}
	for _, in := range []string{"*16\r\n", "*1\r\n$89\r\n", "*3\r\n$77\r\n"} {
		if _, _, err := NewParser(Limits{Command: 100}).Next([]byte(in)); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// TestClaims: an array that claims a million arguments costs what has come of it, and no more.
func TestClaims(t *testing.T) {
	var p Parser
	in := []byte("*1048576\r\n$3\r\nDEL\r\n$1\r\nx\r\n")
	if args, n, err := p.Next(in); args != nil || n != 0 || err != nil {
		t.Fatalf("Next: %q, %d, %v", args, n, err)
	}
	if cap(p.spans) > 16 || cap(p.args) > 16 {
		t.Errorf("room for %d and %d arguments, and two have come", cap(p.spans), cap(p.args))
	}
}

// TestRoomForArguments: a long command does not leave its memory with the connection.
func TestRoomForArguments(t *testing.T) {
	var p Parser
	long := make([][]byte, 10000)
	in := AppendCommand(nil, long...)
	in = append(in, "ECHO '"+strings.Repeat("y", 20000)+"'\r\n"...)
	in = AppendCommand(in, []byte("PING"))
	cmds, n, err := all(&p, in)
	if err != nil || n != len(in) || len(cmds) != 3 || len(cmds[0]) != len(long) {
		t.Fatalf("%d commands, %d of %d bytes, %v", len(cmds), n, len(in), err)
	}
	if cap(p.spans) > keptArgs || cap(p.args) > keptArgs || cap(p.scratch) > keptScratch {
		t.Errorf("room for %d, %d arguments and %d bytes is kept", cap(p.spans), cap(p.args), cap(p.scratch))
	}
}

// TestSteps: what has been understood is not looked at again when more comes, so that a slow sender costs no more than a fast one.
func TestSteps(t *testing.T) {
	in := AppendCommand(nil, bytes.Repeat([]byte("x"), 1000), bytes.Repeat([]byte("y"), 1000))
	var p Parser
	for have := range in {
		if args, _, err := p.Next(in[:have]); args != nil || err != nil {
			t.Fatalf("with %d of %d bytes: %d arguments, %v", have, len(in), len(args), err)
		}
		if have > 1100 && (p.at < 1000 || len(p.spans) != 1) {
			t.Fatalf("with %d bytes: has understood %d and %d arguments", have, p.at, len(p.spans))
		}
	}
	p.Reset()
	if args, n, err := p.Next([]byte("PING\r\n")); len(args) != 1 || n != 6 || err != nil {
		t.Errorf("after Reset: %q, %d, %v", args, n, err)
	}
}

func TestNextAllocates(t *testing.T) {
	in := AppendCommand(nil, []byte("SET"), []byte("key:000000001"), bytes.Repeat([]byte("v"), 100))
	in = append(in, "GET \"k\"\r\n"...)
	p := NewParser(Limits{})
	if n := testing.AllocsPerRun(1000, func() {
		for rest := in; len(rest) > 0; {
			args, n, err := p.Next(rest)
			if args == nil || err != nil {
				t.Fatal(args, n, err)
			}
			rest = rest[n:]
		}
	}); n != 0 {
		t.Errorf("%v allocations for two commands", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "PING\r\nSET \"a\\x00b\" 'c'\r\n", "*0\r\n\r\n*-1\r\nx\r\n",
		"*2147483648\r\n", "*1\r\n$-1\r\n", "*1\r\n$3\r\nabcde", "ECHO \"x\r\n", "*2\r\n$1\r\nx\r\n:1\r\n",
	} {
		f.Add([]byte(s), uint8(2))
	}
	limits := Limits{Args: 50, Bulk: 200, Command: 1000, Inline: 100}
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		want, n, err := all(NewParser(limits), in)
		for _, size := range []int{1, int(piece) + 1} {
			got, m, e := dribble(NewParser(limits), in, size)
			if e != err || m != n || !reflect.DeepEqual(got, want) {
				t.Fatalf("in pieces of %d: %q, %d, %v; at once %q, %d, %v", size, got, m, e, want, n, err)
			}
		}
		// What was understood, written again, is understood as the same.
		var again []byte
		for _, cmd := range want {
			again = AppendCommand(again, slices(cmd)...)
		}
		if got, m, err := all(NewParser(Limits{}), again); err != nil || m != len(again) || !reflect.DeepEqual(got, want) {
			t.Fatalf("written again: %q, %d of %d, %v; want %q", got, m, len(again), err, want)
		}
	})
}

func slices(cmd []string) [][]byte {
	args := make([][]byte, len(cmd))
	for i, s := range cmd {
		args[i] = []byte(s)
	}
	return args
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("SET"), []byte("k"), []byte("v\r\n$"), uint8(3))
	f.Add([]byte(""), []byte("\x00"), []byte("*1\r\n"), uint8(1))
	f.Fuzz(func(t *testing.T, a, b, c []byte, n uint8) {
		args := [][]byte{a, b, c}[:1+n%3]
		in := AppendCommand(nil, args...)
		if l, err := ReplyLength(in); l != len(in) || err != nil {
			t.Fatalf("ReplyLength: %d, %v of %d", l, err, len(in))
		}
		var p Parser
		for have := range in {
			if got, n, err := p.Next(in[:have]); got != nil || n != 0 || err != nil {
				t.Fatalf("with %d of %d bytes: %q, %d, %v", have, len(in), got, n, err)
			}
		}
		got, used, err := p.Next(append(bytes.Clone(in), "rest"...))
		if err != nil || used != len(in) || !reflect.DeepEqual(texts(got), texts(args)) {
			t.Fatalf("%q, %d of %d, %v; want %q", got, used, len(in), err, args)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, size := range []int{3, 100, 4096} {
		b.Run(fmt.Sprintf("op=set/size=%d", size), func(b *testing.B) {
			in := AppendCommand(nil, []byte("SET"), []byte("key:000000000001"), make([]byte, size))
			p := NewParser(Limits{})
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if args, _, err := p.Next(in); len(args) != 3 || err != nil {
					b.Fatal(args, err)
				}
			}
		})
	}
}
