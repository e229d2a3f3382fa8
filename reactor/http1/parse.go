package http1

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
)

// A method that is longer than this is none that anybody has implemented.
const methodMax = 32

const noLength = math.MaxInt64

// Parse reads the head of a request, from the beginning of buf on, and says how many bytes it has. What the methods of r return from then on
// points into buf; the body, which stands behind the head, is not looked at. With ErrMore it wants to be called again with a longer buf, from the same
// beginning. Any other error is a *ProtocolError. It allocates nothing once r has been used. Zero fields of lim mean their defaults.
//
// It is strict where being lenient has let requests be smuggled: lines end with CR LF and are not folded, no blank stands before a colon, there is one Host, and
// one way to tell the length of the body.
func (r *Request) Parse(buf []byte, lim *Limits) (n int, err error) {
	d := lim.withDefaults()
	return r.parse(buf, &d)
}

func (r *Request) parse(buf []byte, lim *Limits) (int, error) {
	begin := 0
	// RFC 9112, 2.2: an empty line before the request line is ignored; some clients send one behind a body.
	if len(buf) > 0 && buf[0] == '\r' && prefixes(buf, "\r\n") {
		if len(buf) < 2 {
			return 0, ErrMore
		}
		begin = 2
	}
	*r = Request{buf: buf[begin:], fields: r.fields[:0], trailers: r.trailers[:0]}
	i, err := r.line(lim)
	if err == nil {
		i, err = r.headers(i, lim)
	}
	switch {
	case err == ErrMore && len(buf) > lim.MaxHeaderBytes, err == nil && begin+i > lim.MaxHeaderBytes:
		return 0, errHeadLong
	case err != nil:
		return 0, err
	}
	r.buf = r.buf[:i:i]
	return begin + i, r.settle(lim)
}

const (
	get      = 'G' | 'E'<<8 | 'T'<<16 | ' '<<24
	version1 = 'H' | 'T'<<8 | 'T'<<16 | 'P'<<24 | '/'<<32 | '1'<<40 | '.'<<48 | '1'<<56
	version0 = version1 - 1<<56
)

// line reads the request line.
func (r *Request) line(lim *Limits) (int, error) {
	b := r.buf
	i := 0
	if len(b) >= 4 && binary.LittleEndian.Uint32(b) == get {
		i = 3
	} else {
		for i < len(b) && class[b[i]]&isToken != 0 {
			i++
		}
		switch {
		case i > methodMax:
			return 0, errMethodLong
		case i == len(b):
			return 0, ErrMore
		case b[i] != ' ' || i == 0:
			return 0, errMethod
		}
	}
	r.method = span{0, uint32(i)}
	i++
	from, query, escaped := i, 0, false
	for i < len(b) && class[b[i]]&isTarget != 0 {
		switch b[i] {
		case '?':
			if query == 0 {
				query = i
			}
		case '%':
			escaped = escaped || query == 0
		}
		i++
	}
	switch {
	case i-from > lim.MaxTarget:
		return 0, errTargetLong
	case i == len(b):
		return 0, ErrMore
	case b[i] != ' ' || i == from:
		return 0, errTarget
	}
	r.target = span{uint32(from), uint32(i)}
	if query == 0 {
		query = i
	}
	if err := r.split(uint32(query), escaped); err != nil {
		return 0, err
	}
	return r.version(i + 1)
}

// version reads the end of the request line.
func (r *Request) version(i int) (int, error) {
	b := r.buf[i:]
	if len(b) < 10 {
		if !prefixes(b, "HTTP/") {
			return 0, errVersion
		}
		return 0, ErrMore
	}
	switch binary.LittleEndian.Uint64(b) {
	case version1:
		r.minor = 1
	case version0:
		r.minor = 0
	default:
		if prefixes(b, "HTTP/") && isDigit(b[5]) && b[6] == '.' && isDigit(b[7]) {
			return 0, errVersionOther
		}
		return 0, errVersion
	}
	if b[8] != '\r' || b[9] != '\n' {
		return 0, errVersion
	}
	return i + 10, nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// prefixes says whether b and s are equal as far as both go.
func prefixes(b []byte, s string) bool {
	n := min(len(b), len(s))
	return string(b[:n]) == s[:n]
}

// split takes the target apart. query is where its question mark is, or its end.
func (r *Request) split(query uint32, escaped bool) error {
	r.path = span{r.target.from, query}
	r.query = span{min(query+1, r.target.to), r.target.to}
	if r.buf[r.target.from] != '/' {
		if err := r.otherForm(); err != nil {
			return err
		}
	}
	if !escaped {
		return nil
	}
	p := r.Path()
	for i := 0; i < len(p); i++ {
		if p[i] != '%' {
			continue
		}
		if len(p)-i < 3 || class[p[i+1]]&class[p[i+2]]&isHex == 0 {
			return errEscape
		}
		i += 2
	}
	return nil
}

// otherForm takes a target apart that is not a path.
func (r *Request) otherForm() error {
	t := r.Target()
	switch {
	case string(r.Method()) == "CONNECT":
		return errConnect
	case len(t) == 1 && t[0] == '*':
		if string(r.Method()) != "OPTIONS" {
			return errTargetForm
		}
		return nil
	}
	from := len("http://")
	if !isFold(t[:min(from, len(t))], "http://") {
		from = len("https://")
		if !isFold(t[:min(from, len(t))], "https://") {
			return errTargetForm
		}
	}
	to := len(t)
	if i := bytes.IndexAny(t[from:], "/?"); i >= 0 {
		to = from + i
	}
	r.host = span{r.target.from + uint32(from), r.target.from + uint32(to)}
	r.path.from = r.host.to
	if from == to || !validHost(r.Host(), true) {
		return errHost
	}
	return nil
}

// headers reads the headers, and the empty line behind them.
func (r *Request) headers(i int, lim *Limits) (int, error) {
	b := r.buf
	for i < len(b) {
		if b[i] == '\r' {
			if i+1 == len(b) {
				break
			}
			if b[i+1] != '\n' {
				return 0, errFieldName
			}
			return i + 2, nil
		}
		f, next, err := fieldLine(b, i)
		switch {
		case err != nil:
			return 0, err
		case next > lim.MaxHeaderBytes:
			return 0, errHeadLong
		case len(r.fields) == lim.MaxHeaders:
			return 0, errFields
		}
		r.fields = append(r.fields, f)
		if err := r.note(f); err != nil {
			return 0, err
		}
		i = next
	}
	return 0, ErrMore
}

// fieldLine reads a header, or a trailer, and says where the next line begins.
func fieldLine(b []byte, i int) (f field, next int, err error) {
	from := i
	for i < len(b) && class[b[i]]&isToken != 0 {
		i++
	}
	if i == len(b) {
		return f, 0, ErrMore
	}
	if b[i] != ':' || i == from {
		return f, 0, errFieldName
	}
	f.name = span{uint32(from), uint32(i)}
	i++
	for i < len(b) && isBlank(b[i]) {
		i++
	}
	from = i
	i = valueEnd(b, i)
	if i == len(b) || b[i] == '\r' && i+1 == len(b) {
		return f, 0, ErrMore
	}
	if b[i] != '\r' || b[i+1] != '\n' {
		return f, 0, errFieldValue
	}
	next = i + 2
	for i > from && isBlank(b[i-1]) {
		i--
	}
	f.value = span{uint32(from), uint32(i)}
	return f, next, nil
}

// note heeds the headers that matter here.
func (r *Request) note(f field) error {
	name := f.name.of(r.buf)
	switch len(name) {
	case 4:
		if isFold(name, "host") {
			return r.noteHost(f.value)
		}
	case 6:
		if isFold(name, "expect") {
			return r.noteExpect(f.value.of(r.buf))
		}
	case 7:
		if isFold(name, "trailer") {
			return noteTrailer(f.value.of(r.buf))
		}
	case 10:
		if isFold(name, "connection") {
			r.noteConnection(f.value.of(r.buf))
		}
	case 14:
		if isFold(name, "content-length") {
			return r.noteLength(f.value.of(r.buf))
		}
	case 17:
		if isFold(name, "transfer-encoding") {
			return r.noteCoding(f.value.of(r.buf))
		}
	}
	return nil
}

func (r *Request) noteHost(v span) error {
	if r.seen&sawHost != 0 {
		return errHostCount
	}
	r.seen |= sawHost
	if !validHost(v.of(r.buf), false) {
		return errHost
	}
	if r.host.to == 0 { // a host in the target comes first
		r.host = v
	}
	return nil
}

func (r *Request) noteExpect(v []byte) error {
	if !isFold(v, "100-continue") {
		return errExpect
	}
	r.seen |= sawContinue
	return nil
}

// noteTrailer looks at what a Trailer header announces.
func noteTrailer(v []byte) error {
	for token, rest, ok := nextToken(v); ok; token, rest, ok = nextToken(rest) {
		if mustLead(token) {
			return errTrailer
		}
	}
	return nil
}

func (r *Request) noteConnection(v []byte) {
	for token, rest, ok := nextToken(v); ok; token, rest, ok = nextToken(rest) {
		switch {
		case isFold(token, "close"):
			r.seen |= sawClose
		case isFold(token, "keep-alive"):
			r.seen |= sawKeepAlive
		}
	}
}

func (r *Request) noteLength(v []byte) error {
	if r.seen&sawLength != 0 || len(v) == 0 {
		return errLength
	}
	r.seen |= sawLength
	n := int64(0)
	for _, c := range v {
		if !isDigit(c) {
			return errLength
		}
		if n > (noLength-9)/10 {
			n = noLength // too long for any limit, and still to be looked at to its end
			continue
		}
		n = n*10 + int64(c-'0')
	}
	r.length = n
	return nil
}

func (r *Request) noteCoding(v []byte) error {
	if r.seen&sawCoding != 0 {
		return errCodings
	}
	r.seen |= sawCoding
	if isFold(v, "chunked") {
		return nil
	}
	if bytes.IndexByte(v, ',') >= 0 {
		return errCodings
	}
	return errCoding
}

// settle looks at the head as a whole.
func (r *Request) settle(lim *Limits) error {
	if r.minor == 1 && r.seen&sawHost == 0 {
		return errHostCount
	}
	if r.minor == 0 {
		r.seen &^= sawContinue // RFC 9110, 10.1.1: of HTTP/1.0 it is ignored
	}
	if r.seen&sawCoding != 0 {
		switch {
		case r.seen&sawLength != 0:
			return errBoth
		case r.minor == 0:
			return errCodingVersion
		}
		r.length = -1
	}
	if r.length > lim.MaxBody {
		return errBodyLong
	}
	return nil
}

// validHost says whether h is a host with or without a port. Escapes in it are refused, and an address in brackets is looked at closely only where asked.
func validHost(h []byte, closely bool) bool {
	i := 0
	if len(h) > 0 && h[0] == '[' {
		end := bytes.IndexByte(h, ']')
		if end < 0 {
			return false
		}
		for _, c := range h[1:end] {
			if class[c]&isHex == 0 && c != ':' && c != '.' {
				return false
			}
		}
		if closely {
			if a, err := netip.ParseAddr(string(h[1:end])); err != nil || !a.Is6() {
				return false
			}
		}
		i = end + 1
	} else {
		for i < len(h) && class[h[i]]&isHost != 0 {
			i++
		}
	}
	if i == len(h) {
		return true
	}
	if h[i] != ':' {
		return false
	}
	for _, c := range h[i+1:] {
		if !isDigit(c) {
			return false
		}
	}
	return true
}
