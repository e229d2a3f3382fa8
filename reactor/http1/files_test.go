package http1_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/http1"
)

// site makes a directory to be served, and a secret outside of it.
func site(t *testing.T) (dir string, changed time.Time) {
	t.Helper()
	top := t.TempDir()
	dir = filepath.Join(top, "site")
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("secret", "secret")
	write("site/a.txt", "0123456789")
	write("site/empty.json", "")
	write("site/b c.html", "<p>")
	write("site/index.html", "top")
	write("site/sub/index.html", "sub")
	write("site/bare/x.unheard-of", "x")
	write("site/big.bin", strings.Repeat("0123456789abcdef", 1<<16)) // 1 MiB
	if err := os.Symlink(filepath.Join(top, "secret"), filepath.Join(dir, "out")); err != nil && runtime.GOOS != "windows" {
		t.Fatal(err)
	}
	changed = time.Date(2020, 2, 3, 4, 5, 6, 7, time.UTC)
	if err := os.Chtimes(filepath.Join(dir, "a.txt"), changed, changed); err != nil {
		t.Fatal(err)
	}
	return dir, changed
}

func files(t *testing.T, cfg reactor.Config, dir string) *reactor.Server {
	t.Helper()
	f, err := http1.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return start(t, cfg, f.Handle, nil)
}

func TestFiles(t *testing.T) {
	const date = "Mon, 03 Feb 2020 04:05:06 GMT"
	dir, _ := site(t)
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		s := files(t, cfg, dir)
		c := dial(t, s)
		c.send("GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n")
		res, _ := c.answer("GET")
		tag := res.Header.Get("ETag")
		if res.Header.Get("Last-Modified") != date || !strings.HasPrefix(tag, `"`) || res.Header.Get("Accept-Ranges") != "bytes" {
			t.Fatalf("headers %v", res.Header)
		}
		for _, tc := range []struct {
			request string // method, path and headers, with | between
			status  int
			body    string
			header  string // name and value that the answer has, or has not without a value
		}{
			{"GET /a.txt", 200, "0123456789", "Content-Type: text/plain; charset=utf-8"},
			{"GET /a.txt?x", 200, "0123456789", "Content-Length: 10"},
			{"HEAD /a.txt", 200, "", "Content-Length: 10"},
			{"GET /empty.json", 200, "", "Content-Type: application/json"},
			{"GET /b%20c.html", 200, "<p>", "Content-Type: text/html; charset=utf-8"},
			{"GET /bare/x.unheard-of", 200, "x", "Content-Type: application/octet-stream"},
			{"GET /", 200, "top", "Content-Type: text/html; charset=utf-8"},
			{"GET /sub/", 200, "sub", ""},
			{"GET /sub/../a.txt", 200, "0123456789", ""},
			{"GET //a.txt", 200, "0123456789", ""},
			{"GET http://h/a.txt", 200, "0123456789", ""},
			{"GET http://h", 200, "top", ""},
			{"GET http://h?q", 200, "top", ""},
			{"GET /sub?q", 301, "301 Moved Permanently\n", "Location: ./sub/?q"},
			{"GET //h//sub/..", 404, "404 Not Found\n", ""},
			{"GET /bare/", 404, "404 Not Found\n", ""},
			{"GET /none", 404, "404 Not Found\n", ""},
			{"GET /a.txt/", 404, "404 Not Found\n", ""},
			{"OPTIONS *", 405, "405 Method Not Allowed\n", "Allow: GET, HEAD"},
			{"POST /a.txt", 405, "405 Method Not Allowed\n", "Allow: GET, HEAD"},

			// Nothing outside of the directory.
			{"GET /../secret", 404, "404 Not Found\n", ""},
			{"GET /%2e%2e/secret", 404, "404 Not Found\n", ""},
			{"GET /..%2fsecret", 404, "404 Not Found\n", ""},
			{"GET /sub/..%2f..%2fsecret", 404, "404 Not Found\n", ""},
			{"GET /..%5csecret", 404, "404 Not Found\n", ""},
			{"GET /a.txt%00", 404, "404 Not Found\n", ""},
			{"GET /out", 404, "404 Not Found\n", ""},

			{"GET /a.txt|Range: bytes=2-4", 206, "234", "Content-Range: bytes 2-4/10"},
			{"GET /a.txt|Range: bytes=0-0", 206, "0", "Content-Range: bytes 0-0/10"},
			{"GET /a.txt|Range: bytes=7-", 206, "789", "Content-Range: bytes 7-9/10"},
			{"GET /a.txt|Range: bytes=7-99999999999999999999", 206, "789", "Content-Range: bytes 7-9/10"},
			{"GET /a.txt|Range: bytes=-3", 206, "789", "Content-Range: bytes 7-9/10"},
			{"GET /a.txt|Range: bytes=-99", 206, "0123456789", "Content-Range: bytes 0-9/10"},
			{"HEAD /a.txt|Range: bytes=2-4", 200, "", "Content-Length: 10"},
			{"GET /a.txt|Range: bytes=10-", 416, "416 Range Not Satisfiable\n", "Content-Range: bytes */10"},
			{"GET /a.txt|Range: bytes=-0", 416, "416 Range Not Satisfiable\n", "Content-Range: bytes */10"},
			{"GET /empty.json|Range: bytes=0-", 416, "416 Range Not Satisfiable\n", "Content-Range: bytes */0"},
			{"GET /a.txt|Range: bytes=4-2", 200, "0123456789", "Content-Range:"},
			{"GET /a.txt|Range: bytes=0-1,4-5", 200, "0123456789", "Content-Range:"},
			{"GET /a.txt|Range: bytes=-", 200, "0123456789", "Content-Range:"},
			{"GET /a.txt|Range: bytes=+1-2", 200, "0123456789", "Content-Range:"},
			{"GET /a.txt|Range: lines=1-2", 200, "0123456789", "Content-Range:"},
			{"GET /a.txt|Range: bytes=2-4|If-Range: TAG", 206, "234", ""},
			{"GET /a.txt|Range: bytes=2-4|If-Range: \"other\"", 200, "0123456789", ""},
			{"GET /a.txt|Range: bytes=2-4|If-Range: W/TAG", 200, "0123456789", ""},
			{"GET /a.txt|Range: bytes=2-4|If-Range: " + date, 206, "234", ""},
			{"GET /a.txt|Range: bytes=2-4|If-Range: Mon, 03 Feb 2020 04:05:07 GMT", 200, "0123456789", ""},

			{"GET /a.txt|If-None-Match: TAG", 304, "", "ETag: TAG"},
			{"HEAD /a.txt|If-None-Match: \"x\", W/TAG", 304, "", "Content-Length:"},
			{"GET /a.txt|If-None-Match: *", 304, "", ""},
			{"GET /a.txt|If-None-Match: \"x\"", 200, "0123456789", ""},
			{"GET /a.txt|If-None-Match: \"x\"|If-Modified-Since: " + date, 200, "0123456789", ""},
			{"GET /a.txt|If-Modified-Since: " + date, 304, "", "Last-Modified: " + date},
			{"GET /a.txt|If-Modified-Since: Monday, 03-Feb-20 04:05:06 GMT", 304, "", ""},
			{"GET /a.txt|If-Modified-Since: Mon Feb  3 04:05:06 2020", 304, "", ""},
			{"GET /a.txt|If-Modified-Since: Mon, 03 Feb 2020 04:05:05 GMT", 200, "0123456789", ""},
			{"GET /a.txt|If-Modified-Since: yesterday", 200, "0123456789", ""},
			{"GET /a.txt|If-Match: TAG", 200, "0123456789", ""},
			{"GET /a.txt|If-Match: \"x\"", 412, "412 Precondition Failed\n", ""},
			{"GET /a.txt|If-Match: W/TAG", 412, "412 Precondition Failed\n", ""},
			{"GET /a.txt|If-Unmodified-Since: " + date, 200, "0123456789", ""},
			{"GET /a.txt|If-Unmodified-Since: Mon, 03 Feb 2020 04:05:05 GMT", 412, "412 Precondition Failed\n", ""},
		} {
			lines := strings.Split(strings.ReplaceAll(tc.request, "TAG", tag), "|")
			method, _, _ := strings.Cut(tc.request, " ")
			c.send(lines[0] + " HTTP/1.1\r\nHost: h\r\n" + strings.Join(append(lines[1:], ""), "\r\n") + "\r\n")
			res, body := c.answer(method)
			if res.StatusCode != tc.status || body != tc.body {
				t.Errorf("%s: %s %q, want %d %q", tc.request, res.Status, body, tc.status, tc.body)
			}
			name, value, _ := strings.Cut(strings.ReplaceAll(tc.header, "TAG", tag), ":")
			if name != "" && res.Header.Get(name) != strings.TrimSpace(value) {
				t.Errorf("%s: headers %v, want %s", tc.request, res.Header, tc.header)
			}
		}
	})
}

// Large files, by net/http's client, whole and in part, several at a time on one connection.
func TestLargeFile(t *testing.T) {
	dir, _ := site(t)
	want, err := os.ReadFile(filepath.Join(dir, "big.bin"))
	if err != nil {
		t.Fatal(err)
	}
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		s := files(t, cfg, dir)
		cl := client(t)
		for _, r := range []string{"", "bytes=0-", "bytes=1000-999999", "bytes=-70001"} {
			req, err := http.NewRequest("GET", urlOf(s)+"/big.bin", nil)
			if err != nil {
				t.Fatal(err)
			}
			part := want
			switch r {
			case "bytes=1000-999999":
				part = want[1000:1000000]
			case "bytes=-70001":
				part = want[len(want)-70001:]
			}
			if r != "" {
				req.Header.Set("Range", r)
			}
			res, err := cl.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || string(got) != string(part) {
				t.Errorf("range %q: %s, %d bytes, want %d, %v", r, res.Status, len(got), len(part), err)
			}
		}
		c := dial(t, s)
		c.send(strings.Repeat("GET /big.bin HTTP/1.1\r\nHost: h\r\n\r\nGET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n", 3))
		for range 3 {
			c.want("GET", 200, string(want))
			c.want("GET", 200, "0123456789")
		}
	})
}

func TestFilesOfNothing(t *testing.T) {
	if f, err := http1.Files(filepath.Join(t.TempDir(), "none")); err == nil {
		f.Close()
		t.Error("a directory that is not there is served")
	}
}
