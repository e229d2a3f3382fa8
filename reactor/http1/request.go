package http1

import "slices"

// Limits bound the head of a request. Zero means the default.
type Limits struct {
	// MaxTarget bounds the target, in bytes. Beyond it the answer is 414. Default: 8192.
	MaxTarget int
	// MaxHeaderBytes bounds the request line and the headers, and the trailers of a chunked body, in bytes. Beyond it the answer is 431. Default: 32 KiB.
	MaxHeaderBytes int
	// MaxHeaders bounds the number of headers. Beyond it the answer is 431. Default: 100.
	MaxHeaders int
	// MaxBody bounds the body, in bytes. Beyond it the answer is 413. Default: 1 MiB.
	MaxBody int64
}

const (
	defaultMaxTarget      = 8 << 10
	defaultMaxHeaderBytes = 32 << 10
	defaultMaxHeaders     = 100
	defaultMaxBody        = 1 << 20

	// Offsets are kept in 32 bits.
	headerBytesMax = 1 << 30
)

func (l *Limits) withDefaults() Limits {
	var d Limits
	if l != nil {
		d = *l
	}
	if d.MaxTarget <= 0 {
		d.MaxTarget = defaultMaxTarget
	}
	if d.MaxHeaderBytes <= 0 {
		d.MaxHeaderBytes = defaultMaxHeaderBytes
	}
	d.MaxHeaderBytes = min(d.MaxHeaderBytes, headerBytesMax)
	if d.MaxHeaders <= 0 {
		d.MaxHeaders = defaultMaxHeaders
	}
	if d.MaxBody <= 0 {
		d.MaxBody = defaultMaxBody
	}
	return d
}

// Request is a request. All that its methods return points into the memory that it was received into: it is valid until the handler returns, and
// must not be changed. Clone makes one that stays.
type Request struct {
	buf      []byte // from the beginning of the request line
	method   span
	target   span
	path     span
	query    span
	host     span
	fields   []field
	length   int64 // of the body, -1 if it is chunked
	body     []byte
	tail     []byte // the trailers as they were received
	trailers []field
	minor    uint8 // of the version
	seen     uint8 // which of the headers that matter here there were
}

// span is a part of a buffer.
type span struct{ from, to uint32 }

func (s span) of(b []byte) []byte { return b[s.from:s.to:s.to] }

// field is a header.
type field struct{ name, value span }

// The headers that matter here, and what they say.
const (
	sawHost = 1 << iota
	sawLength
	sawCoding
	sawClose
	sawKeepAlive
	sawContinue
)

// Method is the method, in the letters of the request.
func (r *Request) Method() []byte { return r.method.of(r.buf) }

// Target is the target as it is in the request line.
func (r *Request) Target() []byte { return r.target.of(r.buf) }

// Path is the path of the target, with its escapes. It is empty for http://host, and "*" for OPTIONS *.
func (r *Request) Path() []byte { return r.path.of(r.buf) }

// Query is what stands behind the question mark of the target.
func (r *Request) Query() []byte { return r.query.of(r.buf) }

// Host is the host, with a port if there is one: of the target, if it has one, else of the header. It is empty when HTTP/1.0 gives none.
func (r *Request) Host() []byte { return r.host.of(r.buf) }

// Minor is 1 for HTTP/1.1, and 0 for HTTP/1.0.
func (r *Request) Minor() int { return int(r.minor) }

// KeepAlive says whether the client lets the connection be used again.
func (r *Request) KeepAlive() bool {
	if r.seen&sawClose != 0 {
		return false
	}
	return r.minor == 1 || r.seen&sawKeepAlive != 0
}

// IsHead says whether the method is HEAD.
func (r *Request) IsHead() bool { return string(r.Method()) == "HEAD" }

// IsGet says whether the method is GET.
func (r *Request) IsGet() bool { return string(r.Method()) == "GET" }

// ContentLength is the length of the body as the head tells it, -1 for a chunked one.
func (r *Request) ContentLength() int64 { return r.length }

// Body is the body. It is empty when the body is not complete: for a BodyFunc.
func (r *Request) Body() []byte { return r.body }

// Header is the value of the first header of that name, nil if there is none. Case does not matter in the name.
func (r *Request) Header(name string) []byte { return find(r.buf, r.fields, name) }

// Headers is how many headers there are.
func (r *Request) Headers() int { return len(r.fields) }

// HeaderAt is the i-th header, in the order of the request.
func (r *Request) HeaderAt(i int) (name, value []byte) {
	f := &r.fields[i]
	return f.name.of(r.buf), f.value.of(r.buf)
}

// Trailer is the value of the first trailer of that name behind a chunked body that is complete, nil if there is none.
func (r *Request) Trailer(name string) []byte { return find(r.tail, r.trailers, name) }

// Trailers is how many trailers there are.
func (r *Request) Trailers() int { return len(r.trailers) }

// TrailerAt is the i-th trailer.
func (r *Request) TrailerAt(i int) (name, value []byte) {
	f := &r.trailers[i]
	return f.name.of(r.tail), f.value.of(r.tail)
}

// Clone makes a copy that is the caller's for ever.
func (r *Request) Clone() *Request {
	c := *r
	c.buf, c.body, c.tail = slices.Clone(r.buf), slices.Clone(r.body), slices.Clone(r.tail)
	c.fields, c.trailers = slices.Clone(r.fields), slices.Clone(r.trailers)
	return &c
}

func find(b []byte, fields []field, name string) []byte {
	for i := range fields {
		f := &fields[i]
		if int(f.name.to-f.name.from) == len(name) && isFold(f.name.of(b), name) {
			return f.value.of(b)
		}
	}
	return nil
}
