package http1

import (
	"mime"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// FileServer answers requests with the files of a directory, and with nothing that is outside of it: paths are made clean, and symbolic links that lead out are not followed
// (os.Root). It knows GET and HEAD, one range (a request for several gets the whole file, as RFC 9110 allows), and the conditions on dates and tags. A directory is answered with its
// index.html. The files are opened in the turn of the connection, which waits for a disk that has not read the directory yet; a variant with workers lets the others go on.
type FileServer struct{ root *os.Root }

// Files opens a directory to be served. Close it when the server has ended.
func Files(dir string) (*FileServer, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &FileServer{root}, nil
}

// Close closes the directory.
func (f *FileServer) Close() error { return f.root.Close() }

const indexPage = "index.html"

// Handle is a Handler.
func (f *FileServer) Handle(w *Response, r *Request) {
	if !r.IsGet() && !r.IsHead() {
		w.Header("Allow", "GET, HEAD")
		w.Error(405, "")
		return
	}
	name, ok := fileName(r.Path())
	if !ok {
		w.Error(404, "")
		return
	}
	file, info := f.open(name)
	if info != nil && info.IsDir() {
		_ = file.Close() // it was only to be read
		if p := r.Path(); len(p) > 0 && p[len(p)-1] != '/' {
			w.Header("Location", location(r))
			w.Error(301, "")
			return
		}
		file, info = f.open(path.Join(name, indexPage))
	}
	switch {
	case info == nil:
		w.Error(404, "")
	case !info.Mode().IsRegular():
		_ = file.Close() // it was only to be read
		w.Error(404, "")
	default:
		f.answer(w, r, file, info)
	}
}

// open opens a file without waiting for the other end of a FIFO. The info is nil when there is none.
func (f *FileServer) open(name string) (*os.File, os.FileInfo) {
	file, err := f.root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, nil
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close() // it was only to be read
		return nil, nil
	}
	return file, info
}

// fileName is the file that the path of a target names, relative to the root.
func fileName(p []byte) (name string, ok bool) {
	if len(p) == 0 { // of http://host, which is that of http://host/
		return ".", true
	}
	if p[0] != '/' {
		return "", false
	}
	b := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c == '%' { // two digits follow, or the request were refused
			c = unhex(p[i+1])<<4 | unhex(p[i+2])
			i += 2
		}
		if c == 0 || c == '\\' { // the latter separates names on some systems
			return "", false
		}
		b = append(b, c)
	}
	dir := b[len(b)-1] == '/'
	name = path.Clean(string(b))[1:]
	if name == "" {
		return ".", true
	}
	if dir {
		name += "/" // so that a file is not found under the name of a directory
	}
	return name, true
}

// location is where a directory is: the last name, with the slash that was missing. It is relative, so that a path which begins with two slashes does not become a host.
func location(r *Request) string {
	p := string(r.Path())
	p = "./" + p[strings.LastIndexByte(p, '/')+1:] + "/"
	if q := r.Query(); len(q) > 0 {
		p += "?" + string(q)
	}
	return p
}

func (f *FileServer) answer(w *Response, r *Request, file *os.File, info os.FileInfo) {
	keep := false
	defer func() {
		if !keep {
			_ = file.Close() // it was only to be read
		}
	}()
	size, changed := info.Size(), info.ModTime().Truncate(time.Second)
	tag := `"` + strconv.FormatInt(info.ModTime().UnixNano(), 36) + "-" + strconv.FormatInt(size, 36) + `"`
	switch status := conditions(r, tag, changed); status {
	case 412:
		w.Error(412, "")
		return
	case 304:
		w.Status(304)
		describe(w, tag, changed)
		return
	}
	describe(w, tag, changed)
	w.Header("Accept-Ranges", "bytes")
	off, n := int64(0), size
	if h := r.Header("Range"); h != nil && r.IsGet() && rangeHolds(r, tag, changed) {
		from, length, kind := parseRange(string(h), size)
		switch kind {
		case rangeBad:
			w.Header("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
			w.Error(416, "")
			return
		case rangeOne:
			off, n = from, length
			w.Status(206)
			w.Header("Content-Range", "bytes "+strconv.FormatInt(off, 10)+"-"+strconv.FormatInt(off+n-1, 10)+"/"+strconv.FormatInt(size, 10))
		}
	}
	w.ContentType(typeOf(info.Name()))
	keep = true
	_ = w.SendFile(file, off, n) // it fails only where n is negative
}

// describe adds what says which version of a file this is.
func describe(w *Response, tag string, changed time.Time) {
	w.Header("ETag", tag)
	w.Header("Last-Modified", changed.UTC().Format(dateLayout))
}

// conditions says which status the conditions of a request ask for, in the order of RFC 9110, 13.2.2: 412, 304, or 0 for none.
func conditions(r *Request, tag string, changed time.Time) int {
	if h := r.Header("If-Match"); h != nil {
		if !hasTag(h, tag, false) {
			return 412
		}
	} else if t, ok := date(r.Header("If-Unmodified-Since")); ok && changed.After(t) {
		return 412
	}
	if h := r.Header("If-None-Match"); h != nil {
		if hasTag(h, tag, true) {
			return 304
		}
	} else if t, ok := date(r.Header("If-Modified-Since")); ok && !changed.After(t) {
		return 304
	}
	return 0
}

// hasTag says whether a list of tags has this one, or is the asterisk. weak lets a weak tag match, too.
func hasTag(list []byte, tag string, weak bool) bool {
	for token, rest, ok := nextToken(list); ok; token, rest, ok = nextToken(rest) {
		t := string(token)
		if weak {
			t = strings.TrimPrefix(t, "W/")
		}
		if t == tag || t == "*" {
			return true
		}
	}
	return false
}

// The forms of a date of RFC 9110, 5.6.7.
var dateForms = []string{dateLayout, "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC}

func date(b []byte) (t time.Time, ok bool) {
	for _, form := range dateForms {
		if t, err := time.Parse(form, string(b)); err == nil {
			return t, true
		}
	}
	return t, false
}

// rangeHolds says whether If-Range, if there is one, lets the range stand.
func rangeHolds(r *Request, tag string, changed time.Time) bool {
	h := r.Header("If-Range")
	if h == nil || string(h) == tag {
		return true
	}
	t, ok := date(h)
	return ok && changed.Equal(t)
}

type rangeKind int

const (
	rangeNone rangeKind = iota // none, several, or not understood: the whole file
	rangeOne
	rangeBad // outside of the file
)

// parseRange reads a Range header for a file of size bytes.
func parseRange(h string, size int64) (from, n int64, kind rangeKind) {
	spec, ok := strings.CutPrefix(h, "bytes=")
	if !ok {
		return 0, 0, rangeNone
	}
	first, last, ok := strings.Cut(strings.Trim(spec, " \t"), "-")
	a, okA := number(first)
	b, okB := number(last)
	switch {
	case !ok, first != "" && !okA, last != "" && !okB, first == "" && last == "":
		return 0, 0, rangeNone
	case first == "": // the last b bytes
		if b == 0 || size == 0 {
			return 0, 0, rangeBad
		}
		n = min(b, size)
		return size - n, n, rangeOne
	case last != "" && b < a:
		return 0, 0, rangeNone // RFC 9110, 14.1.1: it is not valid
	case a >= size:
		return 0, 0, rangeBad
	case last == "":
		b = size - 1
	}
	return a, min(b, size-1) - a + 1, rangeOne
}

// number is a decimal number without a sign. One that is too large is the largest.
func number(s string) (int64, bool) {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
	}
	if s == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return noLength, true
	}
	return n, true
}

// types are those that are the same on every machine. Others are the system's, as package mime has them.
var types = map[string]string{
	".avif": "image/avif", ".css": "text/css; charset=utf-8", ".csv": "text/csv; charset=utf-8", ".gif": "image/gif",
	".htm": "text/html; charset=utf-8", ".html": "text/html; charset=utf-8", ".ico": "image/x-icon", ".jpeg": "image/jpeg",
	".jpg": "image/jpeg", ".js": "text/javascript; charset=utf-8", ".json": "application/json", ".md": "text/markdown; charset=utf-8",
	".mjs": "text/javascript; charset=utf-8", ".mp4": "video/mp4", ".pdf": "application/pdf", ".png": "image/png",
	".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm", ".webm": "video/webm",
	".webp": "image/webp", ".woff2": "font/woff2", ".xml": "text/xml; charset=utf-8", ".zip": "application/zip",
}

func typeOf(name string) string {
	ext := path.Ext(name)
	if t, ok := types[ext]; ok {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
}
