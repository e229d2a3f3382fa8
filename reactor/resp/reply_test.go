package resp

import (
	"math"
	"strings"
	"testing"
)

func TestReplies(t *testing.T) {
	type w = func(b []byte, v Version) []byte
	for _, tc := range []struct {
		name   string
		write  w
		v2, v3 string
	}{
		{"simple", func(b []byte, _ Version) []byte { return AppendSimple(b, "OK") }, "+OK\r\n", "+OK\r\n"},
		{"simple of two lines", func(b []byte, _ Version) []byte { return AppendSimple(b, "a\r\nb") }, "+a  b\r\n", "+a  b\r\n"},
		{"error", func(b []byte, _ Version) []byte { return AppendError(b, "ERR x\ny") }, "-ERR x y\r\n", "-ERR x y\r\n"},
		{"0", func(b []byte, _ Version) []byte { return AppendInt(b, 0) }, ":0\r\n", ":0\r\n"},
		{"-1", func(b []byte, _ Version) []byte { return AppendInt(b, -1) }, ":-1\r\n", ":-1\r\n"},
		{"min", func(b []byte, _ Version) []byte { return AppendInt(b, math.MinInt64) }, ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"},
		{"bulk", func(b []byte, _ Version) []byte { return AppendBulk(b, []byte("a\r\n")) }, "$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n"},
		{"nil bulk", func(b []byte, _ Version) []byte { return AppendBulk(b, nil) }, "$0\r\n\r\n", "$0\r\n\r\n"},
		{"bulk of a string", func(b []byte, _ Version) []byte { return AppendBulkString(b, "0123456789") }, "$10\r\n0123456789\r\n", "$10\r\n0123456789\r\n"},
		{"bulk of a number", func(b []byte, _ Version) []byte { return AppendBulkInt(b, math.MinInt64) }, "$20\r\n-9223372036854775808\r\n", "$20\r\n-9223372036854775808\r\n"},
		{"null", AppendNull, "$-1\r\n", "_\r\n"},
		{"null array", AppendNullArray, "*-1\r\n", "_\r\n"},
		{"array", func(b []byte, _ Version) []byte { return AppendInt(AppendArray(b, 1), 7) }, "*1\r\n:7\r\n", "*1\r\n:7\r\n"},
		{"map", func(b []byte, v Version) []byte { return AppendInt(AppendInt(AppendMap(b, v, 1), 7), 8) }, "*2\r\n:7\r\n:8\r\n", "%1\r\n:7\r\n:8\r\n"},
		{"set", func(b []byte, v Version) []byte { return AppendInt(AppendSet(b, v, 1), 7) }, "*1\r\n:7\r\n", "~1\r\n:7\r\n"},
		{"push", func(b []byte, v Version) []byte { return AppendInt(AppendPush(b, v, 1), 7) }, "*1\r\n:7\r\n", ">1\r\n:7\r\n"},
		{"true", func(b []byte, v Version) []byte { return AppendBool(b, v, true) }, ":1\r\n", "#t\r\n"},
		{"false", func(b []byte, v Version) []byte { return AppendBool(b, v, false) }, ":0\r\n", "#f\r\n"},
		{"double", func(b []byte, v Version) []byte { return AppendDouble(b, v, 0.1) }, "$3\r\n0.1\r\n", ",0.1\r\n"},
		{"infinity", func(b []byte, v Version) []byte { return AppendDouble(b, v, math.Inf(1)) }, "$3\r\ninf\r\n", ",inf\r\n"},
		{"minus infinity", func(b []byte, v Version) []byte { return AppendDouble(b, v, math.Inf(-1)) }, "$4\r\n-inf\r\n", ",-inf\r\n"},
		{"no number", func(b []byte, v Version) []byte { return AppendDouble(b, v, math.NaN()) }, "$3\r\nnan\r\n", ",nan\r\n"},
		{"verbatim", func(b []byte, v Version) []byte { return AppendVerbatim(b, v, "txt", "abc") }, "$3\r\nabc\r\n", "=7\r\ntxt:abc\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for v, want := range []string{tc.v2, tc.v3} {
				got := string(tc.write([]byte("before"), Version(v)))
				if got != "before"+want {
					t.Errorf("version %d: %q, want %q behind before", Version(v).Number(), got, want)
				}
				for n := range want {
					if l, err := ReplyLength([]byte(want[:n])); l != 0 || err != nil {
						t.Errorf("version %d: ReplyLength of the first %d bytes: %d, %v", Version(v).Number(), n, l, err)
					}
				}
				if l, err := ReplyLength([]byte(want + "+rest")); l != len(want) || err != nil {
					t.Errorf("version %d: ReplyLength: %d, %v, want %d", Version(v).Number(), l, err, len(want))
				}
			}
		})
	}
}

func TestVersionOf(t *testing.T) {
	for n, want := range map[int64]bool{1: false, 2: true, 3: true, 4: false, 258: false, -254: false} {
		v, ok := VersionOf(n)
		if ok != want || ok && v.Number() != n {
			t.Errorf("VersionOf(%d): %v, %v", n, v, ok)
		}
	}
}

func TestReplyLength(t *testing.T) {
	for _, in := range []string{
		"*3\r\n:1\r\n*2\r\n$1\r\na\r\n_\r\n%1\r\n+k\r\n~1\r\n#t\r\n", "|1\r\n+ttl\r\n:3\r\n$1\r\nx\r\n", "*0\r\n", "%0\r\n", "!5\r\nERR x\r\n", "(123\r\n", "*1\r\n|1\r\n+a\r\n+b\r\n+c\r\n",
	} {
		if n, err := ReplyLength([]byte(in + ":1\r\n")); n != len(in) || err != nil {
			t.Errorf("%q: %d, %v, want %d", in, n, err, len(in))
		}
		if n, err := ReplyLength([]byte(in[:len(in)-1])); n != 0 || err != nil {
			t.Errorf("%q without its end: %d, %v", in, n, err)
		}
	}
	for _, tc := range []struct {
		in   string
		want error
	}{
		{"x\r\n", errReplyType}, {"\r\n", errReplyType}, {"*x\r\n", errReplyLength}, {"*-2\r\n", errReplyLength}, {"%-1\r\n", errReplyLength},
		{"$2\r\nabc\r\n", errTerminator}, {"*99999999999\r\n", errReplyLength}, {"*1\r\n" + strings.Repeat("%4294967295\r\n+k\r\n", 3), errReplyLength},
	} {
		if n, err := ReplyLength([]byte(tc.in)); n != 0 || err != tc.want {
			t.Errorf("%q: %d, %v, want %v", tc.in, n, err, tc.want)
		}
	}
}

func TestAppendAllocates(t *testing.T) {
	b := make([]byte, 0, 1024)
	value := make([]byte, 100)
	if n := testing.AllocsPerRun(1000, func() {
		b = AppendBulk(b[:0], value)
		b = AppendInt(b, 12345)
		b = AppendBulkInt(b, -12345)
		b = AppendSimple(b, "OK")
		b = AppendMap(b, V3, 3)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
