package resp

// Limits bound what a Parser takes. Zero fields mean the defaults.
type Limits struct {
	// Args is how many arguments a command has at most, its name included. Default: 1 Mi.
	Args int
	// Bulk is how many bytes an argument has at most. Default: 512 MiB.
	Bulk int
	// Command is how many bytes a command has at most, as it is sent. It ends one that is going to be longer as soon as that is known. Default: 1 GiB.
	Command int
	// Inline is how many bytes a command has at most that is a line of words. Default: 64 KiB.
	Inline int
}

// The limits of Redis, but for Args, which is 2^31-1 there and costs the memory.
const (
	defaultArgs    = 1 << 20
	defaultBulk    = 512 << 20
	defaultCommand = 1 << 30
	defaultInline  = 64 << 10
)

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		p   *int
		def int
	}{{&l.Args, defaultArgs}, {&l.Bulk, defaultBulk}, {&l.Command, defaultCommand}, {&l.Inline, defaultInline}} {
		if *f.p <= 0 {
			*f.p = f.def
		}
	}
	return l
}

const (
	// A number has so many digits at most: they fit into an int64, and more are beyond every limit. So a line that goes on for longer is not waited for.
	digitsMax = 18
	// So many arguments are kept room for between two commands.
	keptArgs = 64
	// So many bytes of unquoted words are.
	keptScratch = 4 << 10
)

// ProtocolError is input that is not RESP, or beyond a limit. Its text is what Redis says, where Redis finds the same fault. The connection
// cannot go on behind it, since nobody knows where the next command begins.
type ProtocolError string

// Error is the text, which a server sends with "ERR " before it.
func (e ProtocolError) Error() string { return "Protocol error: " + string(e) }

// What can be wrong. Those that Redis has are in its words; it does not look at what stands behind a bulk string.
const (
	errArgs        ProtocolError = "invalid multibulk length"
	errBulk        ProtocolError = "invalid bulk length"
	errInline      ProtocolError = "too big inline request"
	errQuotes      ProtocolError = "unbalanced quotes in request"
	errTerminator  ProtocolError = "a bulk string does not end with CRLF"
	errCommandSize ProtocolError = "too big request"
)

// Parser takes commands from input. The zero Parser has the default limits.
type Parser struct {
	limits  Limits
	ready   bool // limits are filled in
	args    [][]byte
	scratch []byte // words of an inline command whose quotes are gone
	spans   []span // the arguments of the present command that are there

	// The present command, as far as it has been looked at: all relative to the start of the input, which may move in memory between two calls.
	at    int // what is before it has been understood
	left  int // arguments that are still to come, 0 when the command has not begun
	bulk  int // bytes of the next argument, when inBulk
	state state
}

type state uint8

const (
	atStart  state = iota // before the first byte of a command
	inArray               // before the line with the length of an argument
	inBulk                // before an argument
	inInline              // in a line; at is where its end has not been found before
)

// span is where an argument is in the input.
type span struct{ from, to int }

// NewParser makes a Parser.
func NewParser(l Limits) *Parser {
	p := new(Parser)
	p.Init(l)
	return p
}

// Init makes p, which may be a part of something larger, as NewParser does.
func (p *Parser) Init(l Limits) { *p = Parser{limits: l.withDefaults(), ready: true} }

// Reset forgets what p knows of a command that is not complete.
func (p *Parser) Reset() {
	p.at, p.left, p.bulk, p.state = 0, 0, 0, atStart
	p.spans = p.spans[:0]
}

// Next takes the first command from in. It returns the arguments, which point into in, or for an inline command with quotes into p, and are valid until
// the next call; and how many bytes of in are done with. Without a complete command args is nil, and n is what of in can be dropped: empty lines and
// empty arrays, which are no commands. Next must be called again with the rest of in and what comes behind it. A command has at least one argument. The
// error is a ProtocolError, and the same at every further call.
func (p *Parser) Next(in []byte) (args [][]byte, n int, err error) {
	if !p.ready {
		p.Init(p.limits)
	}
	skipped := 0
	for {
		rest := in[skipped:]
		done, err := p.step(rest)
		switch {
		case err != nil:
			return nil, skipped, err
		case done == 0:
			return nil, skipped, nil
		case len(p.args) > 0:
			return p.args, skipped + done, nil
		}
		skipped += done
	}
}

// step looks for the end of one command: done is where it is, 0 that it is not there. p.args is empty for one that is none.
func (p *Parser) step(in []byte) (done int, err error) {
	if p.state == atStart {
		if len(in) == 0 {
			return 0, nil
		}
		p.begin()
		if in[0] != '*' {
			p.state = inInline
		} else if done, err = p.header(in); done != 0 || err != nil || p.state == atStart {
			return done, err
		}
	}
	if p.state == inInline {
		return p.inline(in)
	}
	for p.left > 0 {
		if ok, err := p.argument(in); !ok {
			return 0, err
		}
	}
	return p.finish(in), nil
}

// begin drops what the command before has left.
func (p *Parser) begin() {
	p.at, p.left, p.bulk = 0, 0, 0
	p.spans = p.spans[:0]
	p.args = p.args[:0]
	if cap(p.spans) > keptArgs {
		p.spans, p.args = nil, nil
	}
	if cap(p.scratch) > keptScratch {
		p.scratch = nil
	}
}

// header reads how many arguments there will be. done is not 0 for an array without any.
func (p *Parser) header(in []byte) (done int, err error) {
	n, end, ok := number(in, 1)
	switch {
	case !ok && end == 0:
		return 0, nil
	case !ok, n > int64(p.limits.Args):
		return 0, errArgs
	case n <= 0:
		return end, nil
	case n*minArg > int64(p.limits.Command):
		return 0, errCommandSize
	}
	p.at, p.left, p.state = end, int(n), inArray
	return 0, nil
}

// minArg is how many bytes an argument takes at least: $0, and two line ends.
const minArg = 6

// argument goes on with one argument; ok says that it is complete.
func (p *Parser) argument(in []byte) (ok bool, err error) {
	if p.state == inArray {
		if p.at == len(in) {
			return false, nil
		}
		if in[p.at] != '$' {
			return false, ProtocolError("expected '$', got '" + printable(in[p.at]) + "'")
		}
		n, end, ok := number(in, p.at+1)
		switch {
		case !ok && end == 0:
			return false, nil
		case !ok, n < 0, n > int64(p.limits.Bulk):
			return false, errBulk
		case int64(end)+n+2+int64(p.left-1)*minArg > int64(p.limits.Command):
			return false, errCommandSize
		}
		p.at, p.bulk, p.state = end, int(n), inBulk
	}
	if len(in)-p.at < p.bulk+2 {
		return false, nil
	}
	end := p.at + p.bulk
	if in[end] != '\r' || in[end+1] != '\n' {
		return false, errTerminator
	}
	p.spans = append(p.spans, span{p.at, end})
	p.at, p.state = end+2, inArray
	p.left--
	return true, nil
}

// finish makes the arguments of the spans.
func (p *Parser) finish(in []byte) (done int) {
	for _, s := range p.spans {
		p.args = append(p.args, in[s.from:s.to:s.to])
	}
	p.state = atStart
	return p.at
}

// printable is a byte as a message may have it: a reply is one line.
func printable(b byte) string {
	if b == '\r' || b == '\n' {
		return " "
	}
	return string([]byte{b})
}

// number reads the line from at on, which must be a whole number in the form that Redis takes: no plus, no leading zeros. end is behind
// the line. When it is not ok, end is 0 if the line is not complete, and else not.
func number(in []byte, at int) (n int64, end int, ok bool) {
	i := at
	negative := i < len(in) && in[i] == '-'
	if negative {
		i++
	}
	digits := i
	for ; i < len(in); i++ {
		d := in[i] - '0'
		if d > 9 {
			break
		}
		if i-digits == digitsMax {
			return 0, i, false
		}
		n = n*10 + int64(d)
	}
	switch {
	case i == len(in), in[i] == '\r' && i+1 == len(in):
		return 0, 0, false
	case in[i] != '\r', in[i+1] != '\n', i == digits, in[digits] == '0' && (i > digits+1 || negative):
		return 0, i, false
	case negative:
		n = -n
	}
	return n, i + 2, true
}
