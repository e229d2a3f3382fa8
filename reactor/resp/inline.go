package resp

import "bytes"

// inline looks for the end of a line, and takes its words.
func (p *Parser) inline(in []byte) (done int, err error) {
	eol := bytes.IndexByte(in[p.at:], '\n')
	if eol < 0 {
		if p.at = len(in); p.at > p.limits.Inline {
			return 0, errInline
		}
		return 0, nil
	}
	eol += p.at
	if eol > p.limits.Inline {
		return 0, errInline
	}
	line := in[:eol]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if err := p.words(line); err != nil {
		return 0, err
	}
	p.state = atStart
	return eol + 1, nil
}

// words takes a line apart as a shell would: words, 'words', and "words" with escapes in them.
func (p *Parser) words(line []byte) error {
	if cap(p.scratch) < len(line) && bytes.ContainsAny(line, `"'`) {
		p.scratch = make([]byte, 0, max(len(line), 64)) // words get shorter, so that it does not move while arguments point into it
	}
	p.scratch = p.scratch[:0]
	p.args = p.args[:0]
	for i := 0; ; {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return nil
		}
		word, next, ok := p.word(line, i)
		if !ok {
			return errQuotes
		}
		if len(p.args) == p.limits.Args {
			return errArgs
		}
		p.args = append(p.args, word)
		i = next
	}
}

func isSpace(b byte) bool { return b == ' ' || b-'\t' <= '\r'-'\t' }

// endsWord says whether b ends a word outside of quotes. Vertical tabs and form feeds part words, but do not end one: so it is in Redis.
func endsWord(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }

// word takes the word at i.
func (p *Parser) word(line []byte, i int) (word []byte, next int, ok bool) {
	start := i
	for i < len(line) && !endsWord(line[i]) && line[i] != '"' && line[i] != '\'' {
		i++
	}
	if i == len(line) || endsWord(line[i]) {
		return line[start:i:i], i, true
	}
	from := len(p.scratch)
	p.scratch = append(p.scratch, line[start:i]...)
	for i < len(line) && !endsWord(line[i]) {
		switch line[i] {
		case '"':
			i, ok = p.quoted(line, i+1)
		case '\'':
			i, ok = p.quotedRaw(line, i+1)
		default:
			p.scratch = append(p.scratch, line[i])
			i++
			continue
		}
		// A closing quote ends the word, and must have a space behind it.
		if !ok || i < len(line) && !isSpace(line[i]) {
			return nil, 0, false
		}
		break
	}
	to := len(p.scratch)
	return p.scratch[from:to:to], i, true
}

// quoted takes what is in double quotes, from i on, and returns what is behind them.
func (p *Parser) quoted(line []byte, i int) (next int, ok bool) {
	for ; i < len(line); i++ {
		b := line[i]
		switch {
		case b == '"':
			return i + 1, true
		case b == '\\' && i+3 < len(line) && line[i+1] == 'x' && isHex(line[i+2]) && isHex(line[i+3]):
			b = hex(line[i+2])<<4 | hex(line[i+3])
			i += 3
		case b == '\\' && i+1 < len(line):
			i++
			b = escaped(line[i])
		}
		p.scratch = append(p.scratch, b)
	}
	return i, false
}

// quotedRaw takes what is in single quotes, in which only a single quote is escaped.
func (p *Parser) quotedRaw(line []byte, i int) (next int, ok bool) {
	for ; i < len(line); i++ {
		b := line[i]
		if b == '\'' {
			return i + 1, true
		}
		if b == '\\' && i+1 < len(line) && line[i+1] == '\'' {
			i++
			b = '\''
		}
		p.scratch = append(p.scratch, b)
	}
	return i, false
}

func escaped(b byte) byte {
	switch b {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return b
}

func isHex(b byte) bool { return b-'0' <= 9 || (b|0x20)-'a' <= 5 }

func hex(b byte) byte {
	if b <= '9' {
		return b - '0'
	}
	return (b | 0x20) - 'a' + 10
}
