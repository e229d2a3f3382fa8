package http1

// bodyReader takes the body of a request out of the input, a piece at a time.
type bodyReader struct {
	left  int64 // bytes that are still to come, of the body or of the chunk
	total int64 // bytes that chunks have had so far
	extra int   // bytes of extensions that chunks have had so far
	state bodyState
}

type bodyState uint8

const (
	bodyDone    bodyState = iota // or there was none
	bodyPlain                    // left bytes are to come
	chunkSize                    // the line with the size of a chunk is to come
	chunkData                    // left bytes of a chunk are to come
	chunkEnd                     // CR LF is to come
	chunkTrails                  // trailers are to come, and an empty line
)

const (
	chunkLineMax  = 256     // of a chunk's size and extensions
	chunkExtraMax = 4 << 10 // of all extensions together
	chunkDigits   = 15      // what an int64 holds for certain
)

// begin prepares for the body that the head announces.
func (b *bodyReader) begin(r *Request) {
	switch {
	case r.length < 0:
		*b = bodyReader{state: chunkSize}
	case r.length > 0:
		*b = bodyReader{state: bodyPlain, left: r.length}
	default:
		*b = bodyReader{}
	}
}

// next takes one step: it says how many bytes of in are used up, and gives the part of the body that was among them, if there was one.
// The body is complete when the state is bodyDone. ErrMore: it needs a longer in.
func (b *bodyReader) next(r *Request, in []byte, lim *Limits) (piece []byte, n int, err error) {
	switch b.state {
	case bodyPlain, chunkData:
		if len(in) == 0 {
			return nil, 0, ErrMore
		}
		n = int(min(int64(len(in)), b.left))
		if b.left -= int64(n); b.left == 0 {
			if b.state == bodyPlain {
				b.state = bodyDone
			} else {
				b.state = chunkEnd
			}
		}
		return in[:n:n], n, nil
	case chunkSize:
		n, err = b.size(in, lim)
	case chunkEnd:
		switch {
		case len(in) > 0 && in[0] != '\r', len(in) > 1 && in[1] != '\n':
			err = errChunkEnd
		case len(in) < 2:
			err = ErrMore
		default:
			n, b.state = 2, chunkSize
		}
	case chunkTrails:
		n, err = b.trailers(r, in, lim)
	}
	return nil, n, err
}

// size reads the line before a chunk.
func (b *bodyReader) size(in []byte, lim *Limits) (int, error) {
	i, size := 0, int64(0)
	for ; i < len(in) && class[in[i]]&isHex != 0; i++ {
		if i == chunkDigits {
			return 0, errChunkSize
		}
		size = size<<4 | int64(unhex(in[i]))
	}
	switch {
	case i == len(in):
		return 0, ErrMore
	case i == 0 || in[i] != '\r' && in[i] != ';':
		return 0, errChunkSize
	}
	end := valueEnd(in[:min(len(in), chunkLineMax)], i)
	switch {
	case end == chunkLineMax:
		return 0, errChunkLine
	case end == len(in) || in[end] == '\r' && end+1 == len(in):
		return 0, ErrMore
	case in[end] != '\r' || in[end+1] != '\n':
		return 0, errChunkLine
	}
	if b.extra += end - i; b.extra > chunkExtraMax {
		return 0, errChunkLine
	}
	if b.total += size; b.total > lim.MaxBody {
		return 0, errBodyLong
	}
	b.left, b.state = size, chunkData
	if size == 0 {
		b.state = chunkTrails
	}
	return end + 2, nil
}

// unhex is the value of a hexadecimal digit.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// trailers reads what stands behind the last chunk, when all of it is there.
func (b *bodyReader) trailers(r *Request, in []byte, lim *Limits) (int, error) {
	r.tail, r.trailers = in, r.trailers[:0]
	i := 0
	for i < len(in) {
		if in[i] == '\r' {
			if i+1 == len(in) {
				break
			}
			if in[i+1] != '\n' {
				return 0, errFieldName
			}
			b.state = bodyDone
			return i + 2, nil
		}
		f, next, err := fieldLine(in, i)
		if err == ErrMore {
			break
		}
		switch {
		case err != nil:
			return 0, err
		case next > lim.MaxHeaderBytes:
			return 0, errHeadLong
		case len(r.trailers) == lim.MaxHeaders:
			return 0, errFields
		case mustLead(f.name.of(in)):
			return 0, errTrailer
		}
		r.trailers = append(r.trailers, f)
		i = next
	}
	if len(in) > lim.MaxHeaderBytes {
		return 0, errHeadLong
	}
	r.tail, r.trailers = nil, r.trailers[:0] // in is not valid for long
	return 0, ErrMore
}

// mustLead says whether a header tells where a message ends or goes, so that it comes too late as a trailer (RFC 9110, 6.5.1).
func mustLead(name []byte) bool {
	switch len(name) {
	case 2:
		return isFold(name, "te")
	case 4:
		return isFold(name, "host")
	case 7:
		return isFold(name, "trailer")
	case 10:
		return isFold(name, "connection")
	case 14:
		return isFold(name, "content-length")
	case 17:
		return isFold(name, "transfer-encoding")
	}
	return false
}
