package http1

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// message is a request with its body, as the tests compare it.
type message struct {
	req  *Request
	body string
	used int
}

// parseWhole reads a request and its body the way the server does, and wants all of it to be there.
func parseWhole(in []byte, lim Limits) (message, error) {
	lim = lim.withDefaults()
	m := message{req: &Request{}}
	n, err := m.req.parse(in, &lim)
	if err != nil {
		return m, err
	}
	var b bodyReader
	b.begin(m.req)
	for m.used = n; b.state != bodyDone; m.used += n {
		var piece []byte
		if piece, n, err = b.next(m.req, in[m.used:], &lim); err != nil {
			return m, err
		}
		m.body += string(piece)
	}
	return m, nil
}

const host = "Host: h\r\n"

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, in                          string
		method, target, path, query, host string
		headers                           string // names and values, with = and ;
		body, rest                        string
		close                             bool
	}{
		{name: "smallest", in: "GET / HTTP/1.1\r\nHost: h\r\n\r\n", method: "GET", target: "/", path: "/", host: "h", headers: "Host=h;"},
		{name: "empty line before", in: "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", method: "GET", target: "/", path: "/", host: "h", headers: "Host=h;"},
		{name: "query", in: "GET /a%20b?x=1&y=?%zz HTTP/1.1\r\nhOST: h:80\r\n\r\n", method: "GET", target: "/a%20b?x=1&y=?%zz", path: "/a%20b", query: "x=1&y=?%zz", host: "h:80", headers: "hOST=h:80;"},
		{name: "empty query", in: "GET /? HTTP/1.1\r\nHost: h\r\n\r\n", method: "GET", target: "/?", path: "/", host: "h", headers: "Host=h;"},
		{name: "absolute", in: "GET http://a.b:8/c?d HTTP/1.1\r\nHost: h\r\n\r\n", method: "GET", target: "http://a.b:8/c?d", path: "/c", query: "d", host: "a.b:8", headers: "Host=h;"},
		{name: "absolute without a path", in: "GET HTTPS://[::1]?d HTTP/1.1\r\nHost:\r\n\r\n", method: "GET", target: "HTTPS://[::1]?d", query: "d", host: "[::1]", headers: "Host=;"},
		{name: "asterisk", in: "OPTIONS * HTTP/1.1\r\nHost: \r\n\r\n", method: "OPTIONS", target: "*", path: "*", headers: "Host=;"},
		{name: "own method", in: "M-SEARCH / HTTP/1.1\r\nHost: h\r\n\r\n", method: "M-SEARCH", target: "/", path: "/", host: "h", headers: "Host=h;"},
		{name: "blanks around a value", in: "GET / HTTP/1.1\r\nHost:h\r\nA: \t b \t c \t\r\nB:\r\nC: \r\n\r\n", method: "GET", target: "/", path: "/", host: "h", headers: "Host=h;A=b \t c;B=;C=;"},
		{name: "beyond ASCII", in: "GET / HTTP/1.1\r\nHost: h\r\nA: 0123456\xff\x80z\r\n\r\n", method: "GET", target: "/", path: "/", host: "h", headers: "Host=h;A=0123456\xff\x80z;"},
		{name: "close", in: "GET / HTTP/1.1\r\nHost: h\r\nConnection: a, Close\r\n\r\n", method: "GET", target: "/", path: "/", host: "h", headers: "Host=h;Connection=a, Close;", close: true},
		{name: "1.0", in: "GET / HTTP/1.0\r\n\r\n", method: "GET", target: "/", path: "/", close: true},
		{name: "1.0 keeps", in: "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", method: "GET", target: "/", path: "/", headers: "Connection=Keep-Alive;"},
		{name: "length", in: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET", method: "POST", target: "/", path: "/", host: "h", headers: "Host=h;Content-Length=3;", body: "abc", rest: "GET"},
		{name: "chunks", in: "POST / HTTP/1.1\r\nHost: h\r\ntransfer-encoding: Chunked\r\n\r\n1\r\na\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\n\r\nGET", method: "POST", target: "/", path: "/", host: "h", headers: "Host=h;transfer-encoding=Chunked;", body: "a0123456789", rest: "GET"},
		{name: "trailers", in: "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n0\r\nA: b\r\nC:\r\n\r\n", method: "POST", target: "/", path: "/", host: "h", headers: "Host=h;Transfer-Encoding=chunked;Trailer=A;A=b;C=;"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := parseWhole([]byte(c.in), Limits{})
			if err != nil {
				t.Fatalf("%q: %v", c.in, err)
			}
			r := m.req
			check := func(what, got, want string) {
				if got != want {
					t.Errorf("%q: %s is %q, want %q", c.in, what, got, want)
				}
			}
			check("method", string(r.Method()), c.method)
			check("target", string(r.Target()), c.target)
			check("path", string(r.Path()), c.path)
			check("query", string(r.Query()), c.query)
			check("host", string(r.Host()), c.host)
			check("headers", headersOf(r), c.headers)
			check("body", m.body, c.body)
			check("rest", c.in[m.used:], c.rest)
			check("keep-alive", fmt.Sprint(r.KeepAlive()), fmt.Sprint(!c.close))
			check("clone", headersOf(r.Clone()), c.headers)
			checkPrefixes(t, c.in[:m.used], Limits{})
		})
	}
}

func headersOf(r *Request) string {
	var s strings.Builder
	for i := range r.Headers() {
		name, value := r.HeaderAt(i)
		fmt.Fprintf(&s, "%s=%s;", name, value)
	}
	for i := range r.Trailers() {
		name, value := r.TrailerAt(i)
		fmt.Fprintf(&s, "%s=%s;", name, value)
	}
	return s.String()
}

// checkPrefixes wants each part of a request that lacks its end to be told from a bad one.
func checkPrefixes(t *testing.T, whole string, lim Limits) {
	t.Helper()
	for n := range whole {
		if _, err := parseWhole([]byte(whole[:n]), lim); err != ErrMore {
			t.Errorf("the first %d bytes of %q: %v, want ErrMore", n, whole, err)
		}
	}
}

func TestHeaderLookup(t *testing.T) {
	m, err := parseWhole([]byte("GET / HTTP/1.1\r\nHost: h\r\nX-Y: 1\r\nx-y: 2\r\nX_Y: 3\r\n\r\n"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"x-Y": "1", "X_y": "3", "host": "h", "HOST": "h"} {
		if got := string(m.req.Header(name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := m.req.Header("X-Z"); got != nil {
		t.Errorf("a header that is not there is %q, want nil", got)
	}
	if m.req.Header("X-Y ") != nil || m.req.Header("") != nil {
		t.Error("a name that is none has a value")
	}
}

func TestRefused(t *testing.T) {
	chunked := "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n"
	small := Limits{MaxTarget: 10, MaxHeaderBytes: 100, MaxHeaders: 3, MaxBody: 20}
	for _, c := range []struct {
		in   string
		want *ProtocolError
		lim  Limits
	}{
		{in: " GET / HTTP/1.1\r\n", want: errMethod},
		{in: "\r\n\r\nGET / HTTP/1.1\r\n", want: errMethod},
		{in: "\nGET / HTTP/1.1\r\n", want: errMethod},
		{in: "G(T / HTTP/1.1\r\n", want: errMethod},
		{in: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", want: errMethod}, // TLS
		{in: strings.Repeat("A", 33), want: errMethodLong},
		{in: "CONNECT h:443 HTTP/1.1\r\n", want: errConnect},
		{in: "GET  / HTTP/1.1\r\n", want: errTarget},
		{in: "GET /\t HTTP/1.1\r\n", want: errTarget},
		{in: "GET /\r\n", want: errTarget}, // HTTP/0.9
		{in: "GET /# HTTP/1.1\r\n", want: errTarget},
		{in: "GET /\xff HTTP/1.1\r\n", want: errTarget},
		{in: "GET /\x00 HTTP/1.1\r\n", want: errTarget},
		{in: "GET a HTTP/1.1\r\n", want: errTargetForm},
		{in: "GET * HTTP/1.1\r\n", want: errTargetForm},
		{in: "GET ftp://h/ HTTP/1.1\r\n", want: errTargetForm},
		{in: "GET ?x HTTP/1.1\r\n", want: errTargetForm},
		{in: "GET http:///x HTTP/1.1\r\n", want: errHost},
		{in: "GET http://a@b/ HTTP/1.1\r\n", want: errHost},
		{in: "GET http://h:x/ HTTP/1.1\r\n", want: errHost},
		{in: "GET http://[::1 HTTP/1.1\r\n", want: errHost},
		{in: "GET http://[1.2.3.4]/ HTTP/1.1\r\n", want: errHost},
		{in: "GET /%zz HTTP/1.1\r\n", want: errEscape},
		{in: "GET /%1 HTTP/1.1\r\n", want: errEscape},
		{in: "GET /%?11 HTTP/1.1\r\n", want: errEscape},
		{in: "GET / HTTQ/1.1\r\n", want: errVersion},
		{in: "GET / X", want: errVersion},
		{in: "GET / http/1.1\r\n", want: errVersion},
		{in: "GET / HTTP/1.1 \r\n", want: errVersion},
		{in: "GET / HTTP/1.1\nHost: h\n\n", want: errVersion},
		{in: "GET / HTTP/1.1\r\rHost", want: errVersion},
		{in: "GET / HTTP/2.0\r\n\r\n", want: errVersionOther},
		{in: "GET / HTTP/1.2\r\n\r\n", want: errVersionOther},
		{in: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", want: errTargetForm},

		{in: "GET / HTTP/1.1\r\n Host: h\r\n\r\n", want: errFieldName},
		{in: "GET / HTTP/1.1\r\nHost : h\r\n\r\n", want: errFieldName},
		{in: "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", want: errFieldName},
		{in: "GET / HTTP/1.1\r\nHost: h\r\n\tfolded\r\n\r\n", want: errFieldName},
		{in: "GET / HTTP/1.1\r\nHost\r\n\r\n", want: errFieldName},
		{in: "GET / HTTP/1.1\r\n: h\r\n\r\n", want: errFieldName},
		{in: "GET / HTTP/1.1\r\nH\xe4: h\r\n\r\n", want: errFieldName},
		{in: "GET / HTTP/1.1\r\nHost: h\r\n\rX", want: errFieldName},
		{in: "GET / HTTP/1.1\r\nHost: h\n\r\n", want: errFieldValue},
		{in: "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", want: errFieldValue},
		{in: "GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", want: errFieldValue},
		{in: "GET / HTTP/1.1\r\nHost: h\r\nX: 0123456789\x7f0123456789\r\n\r\n", want: errFieldValue},
		{in: "GET / HTTP/1.1\r\n\r\n", want: errHostCount},
		{in: "GET http://h/ HTTP/1.1\r\n\r\n", want: errHostCount},
		{in: "GET / HTTP/1.1\r\nHost: h\r\nhost: h\r\n\r\n", want: errHostCount},
		{in: "GET / HTTP/1.0\r\nHost: h\r\nhost: h\r\n\r\n", want: errHostCount},
		{in: "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", want: errHost},
		{in: "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", want: errHost},
		{in: "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", want: errHost},
		{in: "GET / HTTP/1.1\r\nHost: h:8:0\r\n\r\n", want: errHost},
		{in: "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", want: errHost},
		{in: "GET / HTTP/1.1\r\n" + host + "Expect: tea\r\n\r\n", want: errExpect},

		{in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", want: errLength},
		{in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 3, 3\r\n\r\nabc", want: errLength},
		{in: "POST / HTTP/1.1\r\n" + host + "Content-Length: +3\r\n\r\nabc", want: errLength},
		{in: "POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\nabc", want: errLength},
		{in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 0x3\r\n\r\nabc", want: errLength},
		{in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999999x\r\n\r\nabc", want: errLength},
		{in: "POST / HTTP/1.1\r\n" + host + "Content-Length:\r\n\r\nabc", want: errLength},
		{in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 9223372036854775808\r\n\r\nabc", want: errBodyLong},
		{in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 18446744073709551619\r\n\r\nabc", want: errBodyLong},
		{in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", want: errBoth},
		{in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", want: errBoth},
		{in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", want: errCoding},
		{in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n", want: errCoding},
		{in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \x0bchunked\r\n\r\n", want: errFieldValue},
		{in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\n\r\n", want: errCoding},
		{in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\n\r\n", want: errCoding},
		{in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, chunked\r\n\r\n", want: errCodings},
		{in: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", want: errCodings},
		{in: "POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", want: errCodingVersion},
		{in: "POST / HTTP/1.1\r\n" + host + "Trailer: a, content-length\r\n\r\n", want: errTrailer},

		{in: chunked + "\r\n", want: errChunkSize},
		{in: chunked + "g\r\n", want: errChunkSize},
		{in: chunked + "0x1\r\na\r\n", want: errChunkSize},
		{in: chunked + "-1\r\na\r\n", want: errChunkSize},
		{in: chunked + "1 \r\na\r\n", want: errChunkSize},
		{in: chunked + " 1\r\na\r\n", want: errChunkSize},
		{in: chunked + "1\na\r\n", want: errChunkSize},
		{in: chunked + "0000000000000001\r\na\r\n", want: errChunkSize},
		{in: chunked + "1;a\nb\r\n", want: errChunkLine},
		{in: chunked + "1;a\rb\r\n", want: errChunkLine},
		{in: chunked + "1;" + strings.Repeat("x", 300), want: errChunkLine},
		{in: chunked + strings.Repeat("1;"+strings.Repeat("x", 200)+"\r\na\r\n", 30), want: errChunkLine},
		{in: chunked + "1\r\nab\r\n", want: errChunkEnd},
		{in: chunked + "1\r\na\n", want: errChunkEnd},
		{in: chunked + "1\r\na\rX", want: errChunkEnd},
		{in: chunked + "7fffffffffffff0\r\n", want: errBodyLong},
		{in: chunked + "0\r\nA b\r\n\r\n", want: errFieldName},
		{in: chunked + "0\r\nA: b\n\r\n", want: errFieldValue},
		{in: chunked + "0\r\n\rX", want: errFieldName},
		{in: chunked + "0\r\nContent-Length: 3\r\n\r\n", want: errTrailer},
		{in: chunked + "0\r\nhost: b\r\n\r\n", want: errTrailer},

		{in: "GET /0123456789", want: errTargetLong, lim: small},
		{in: "GET /0123456789 HTTP/1.1\r\n" + host + "\r\n", want: errTargetLong, lim: small},
		{in: "GET / HTTP/1.1\r\n" + host + "A: " + strings.Repeat("x", 100), want: errHeadLong, lim: small},
		{in: "GET / HTTP/1.1\r\n" + host + "A: " + strings.Repeat("x", 100) + "\r\n\r\n", want: errHeadLong, lim: small},
		{in: "GET / HTTP/1.1\r\n" + host + strings.Repeat("x", 100), want: errHeadLong, lim: small},
		{in: "GET / HTTP/1.1\r\n" + host + "A:\r\nB:\r\nC:\r\n\r\n", want: errFields, lim: small},
		{in: "POST / HTTP/1.1\r\n" + host + "Content-Length: 21\r\n\r\n", want: errBodyLong, lim: small},
		{in: chunked + "a\r\n0123456789\r\nb\r\n0", want: errBodyLong, lim: small},
		{in: chunked + "0\r\nA: " + strings.Repeat("x", 100), want: errHeadLong, lim: small},
		{in: chunked + "0\r\nA: " + strings.Repeat("x", 100) + "\r\n\r\n", want: errHeadLong, lim: small},
		{in: chunked + "0\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n", want: errFields, lim: small},
	} {
		if _, err := parseWhole([]byte(c.in), c.lim); err != error(c.want) {
			t.Errorf("%q: %v, want %v", c.in, err, c.want)
		}
	}
}

// What stands at a limit is let pass.
func TestAtLimits(t *testing.T) {
	lim := Limits{MaxTarget: 10, MaxHeaders: 3, MaxBody: 20}
	for _, in := range []string{
		"GET /012345678 HTTP/1.1\r\n" + host + "\r\n",
		"GET / HTTP/1.1\r\n" + host + "A:\r\nB:\r\n\r\n",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 20\r\n\r\n01234567890123456789",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\na\r\n0123456789\r\n0\r\nA:\r\nB:\r\nC:\r\n\r\n",
		strings.Repeat("A", 32) + " / HTTP/1.1\r\n" + host + "\r\n",
	} {
		m, err := parseWhole([]byte(in), lim)
		if err != nil || m.used != len(in) {
			t.Errorf("%q: %d bytes used, %v", in, m.used, err)
		}
		checkPrefixes(t, in, lim)
	}
	in := "GET / HTTP/1.1\r\n" + host + "A: x\r\n\r\n"
	if _, err := parseWhole([]byte(in+strings.Repeat("next", 100)), Limits{MaxHeaderBytes: len(in)}); err != nil {
		t.Errorf("a head of %d bytes and a limit of as many: %v", len(in), err)
	}
	if _, err := parseWhole([]byte(in), Limits{MaxHeaderBytes: len(in) - 1}); err != error(errHeadLong) {
		t.Errorf("a head of %d bytes and a limit of one less: %v", len(in), err)
	}
}

func TestProtocolError(t *testing.T) {
	var e *ProtocolError
	if err := fmt.Errorf("wrapped: %w", errHost); !errors.As(err, &e) || e.Status != 400 {
		t.Errorf("%v is no ProtocolError with 400", err)
	}
	if got, want := errHost.Error(), "http1: 400: the host is not valid"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	in := []byte("POST /a/b?c=d HTTP/1.1\r\nHost: example.org:8080\r\nUser-Agent: a browser\r\nAccept: */*\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n")
	lim := (*Limits)(nil).withDefaults()
	var r Request
	var b bodyReader
	n := testing.AllocsPerRun(100, func() {
		at, err := r.Parse(in, nil)
		b.begin(&r)
		for err == nil && b.state != bodyDone {
			var n int
			_, n, err = b.next(&r, in[at:], &lim)
			at += n
		}
		if err != nil || at != len(in) || string(r.Header("accept")) != "*/*" {
			t.Fatal(at, err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for a request, want none", n)
	}
}

// valueEnd looks at eight bytes at a time, which must not depend on where a byte stands.
func TestValueEnd(t *testing.T) {
	for c := range 256 {
		ends := c < 0x20 && c != '\t' || c == 0x7f
		for at := range 24 {
			b := []byte("\t\t\xff\x80 ~ab\t\xffcdefghij\t\tklmno")
			b[at] = byte(c)
			want := len(b)
			if ends {
				want = at
			}
			if got := valueEnd(b, 0); got != want {
				t.Errorf("%q ends at %d, want %d", b, got, want)
			}
		}
	}
}
