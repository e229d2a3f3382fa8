package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var fuzzSeeds = []string{
	"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\n",
	"\r\nHEAD /a/../b%2f?c HTTP/1.0\r\nConnection: keep-alive, x\r\nPragma: no-cache\r\n\r\n",
	"GET http://[::1]:80/x?y HTTP/1.1\r\nHost: h\r\nA: b\r\na: c\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcPOST",
	"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n3;x=y\r\nabc\r\n000\r\nA: b\r\n\r\nrest",
	"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
}

// FuzzRequest wants of every request that is accepted that net/http understands it in the same way: method, target, host, headers, body, trailers, what
// follows it, and whether the connection may be used again. Where the two disagree on where a request ends, another one can be smuggled past one of them. What is refused here
// may be accepted there: TestStricter lists that. One thing is accepted here only: an empty line in front.
func FuzzRequest(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add([]byte(s), uint16(7))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		m, err := parseWhole(in, Limits{})
		checkPieces(t, in, int(cut), m, err)
		if err != nil {
			if e := new(ProtocolError); err != ErrMore && !errors.As(err, &e) {
				t.Fatalf("%q: an error of another type: %v", in, err)
			}
			return
		}
		checkSame(t, in, m)
	})
}

// checkPieces parses again, with the input in two parts.
func checkPieces(t *testing.T, in []byte, cut int, m message, whole error) {
	if len(in) == 0 {
		return
	}
	part := in[:cut%len(in)]
	_, err := parseWhole(part, Limits{})
	switch {
	case whole == nil && len(part) < m.used && err != ErrMore:
		t.Fatalf("%q: the whole is accepted, the first %d bytes give %v", in, len(part), err)
	case whole == nil && len(part) >= m.used && err != nil, whole == ErrMore && err != ErrMore:
		t.Fatalf("%q: %v, and the first %d bytes %v", in, whole, len(part), err)
	case whole != nil && err == nil:
		t.Fatalf("%q: refused with %v, and the first %d bytes accepted", in, whole, len(part))
	}
}

func checkSame(t *testing.T, in []byte, m message) {
	trimmed := bytes.TrimPrefix(in, []byte("\r\n"))
	source := bytes.NewReader(trimmed)
	br := bufio.NewReaderSize(source, len(trimmed)+16)
	theirs, err := http.ReadRequest(br)
	if err != nil {
		t.Fatalf("%q: accepted, and net/http says %v", in, err)
	}
	body, err := io.ReadAll(theirs.Body)
	if err != nil {
		t.Fatalf("%q: accepted, and net/http says of the body %v", in, err)
	}
	rest, err := io.ReadAll(br)
	if err != nil {
		t.Fatal(err)
	}
	r := m.req
	for _, c := range []struct {
		what      string
		ours, its any
	}{
		{"method", string(r.Method()), theirs.Method},
		{"target", string(r.Target()), theirs.RequestURI},
		{"path", string(r.Path()), theirs.URL.EscapedPath()},
		{"query", string(r.Query()), theirs.URL.RawQuery},
		{"host", string(r.Host()), theirs.Host},
		{"version", r.Minor(), theirs.ProtoMinor},
		{"close", !r.KeepAlive(), theirs.Close},
		{"length", r.ContentLength(), theirs.ContentLength},
		{"body", m.body, string(body)},
		{"rest", string(in[m.used:]), string(rest)},
		{"headers", ourHeader(r.Headers(), r.HeaderAt), theirHeader(theirs.Header)},
		{"trailers", ourHeader(r.Trailers(), r.TrailerAt), theirHeader(theirs.Trailer)},
	} {
		if c.what == "path" && theirs.URL.RawPath == "" {
			continue // the path has no one spelling, and net/http keeps another
		}
		if !reflect.DeepEqual(c.ours, c.its) {
			t.Errorf("%q: %s is %q, net/http's is %q", in, c.what, c.ours, c.its)
		}
	}
}

func ourHeader(n int, at func(int) (name, value []byte)) http.Header {
	h := http.Header{}
	for i := range n {
		name, value := at(i)
		h.Add(textproto.CanonicalMIMEHeaderKey(string(name)), string(value))
	}
	// net/http adds a Cache-Control to a Pragma.
	if p := h["Pragma"]; len(p) > 0 && p[0] == "no-cache" && h["Cache-Control"] == nil {
		h["Cache-Control"] = []string{"no-cache"}
	}
	return theirHeader(h)
}

// theirHeader is without what net/http takes out, and without the empty entries that a Trailer header makes for its names.
func theirHeader(h http.Header) http.Header {
	c := http.Header{}
	for name, values := range h {
		if values != nil && !slices.Contains([]string{"Host", "Transfer-Encoding", "Trailer"}, name) {
			c[name] = values
		}
	}
	return c
}

// TestStricter lists what net/http accepts and this package does not, on purpose.
func TestStricter(t *testing.T) {
	for _, c := range []struct{ why, in string }{
		{"lines end with CR LF", "GET / HTTP/1.1\nHost: h\n\n"},
		{"lines are not folded (RFC 9112, 5.2)", "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n"},
		{"HTTP/1.1 has a Host (RFC 9112, 3.2)", "GET / HTTP/1.1\r\n\r\n"},
		{"a host is one", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
		{"no user stands before a host (RFC 9110, 4.2.4)", "GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n"},
		{"targets are ASCII", "GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"targets have no fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"the asterisk is for OPTIONS", "GET * HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"targets are of HTTP", "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"there is no CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"the version is 1.1 or 1.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n"},
		{"there is one Content-Length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"},
		{"and not beside a Transfer-Encoding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"},
		{"HTTP/1.0 has no Transfer-Encoding", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{"what is expected is 100-continue", "GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n"},
		{"no blank stands behind the size of a chunk", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n\r\n"},
		{"a trailer does not tell a length", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n"},
		{"methods are short", strings.Repeat("A", 33) + " / HTTP/1.1\r\nHost: h\r\n\r\n"},
	} {
		theirs, err := http.ReadRequest(bufio.NewReader(strings.NewReader(c.in)))
		if err == nil {
			_, err = io.ReadAll(theirs.Body)
		}
		if err != nil {
			t.Errorf("%s: net/http refuses %q, too: %v", c.why, c.in, err)
		}
		if _, err := parseWhole([]byte(c.in), Limits{}); err == nil || err == ErrMore {
			t.Errorf("%s: %q is accepted: %v", c.why, c.in, err)
		}
	}
}
