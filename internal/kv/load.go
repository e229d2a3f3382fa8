package kv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/resp"
)

// CorruptError says that an append-only file is damaged in the middle. The server does not start, since what is behind the damage would be lost with the next write.
type CorruptError struct {
	Path   string
	Offset int64 // of the entry that cannot be read, or not be performed
	Reason string
}

// Error says where, and what can be done.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("kv: the append-only file %s is damaged at byte %d: %s; what is before it can be saved by cutting the file off there", e.Path, e.Offset, e.Reason)
}

// loadChunk is how much of the file is read at a time.
const loadChunk = 1 << 20

// loader reads an append-only file.
type loader struct {
	srv     *Server
	s       *session
	path    string
	in      []byte // what was read, and not performed yet
	off     int64  // where in begins in the file
	entries int
}

// load performs what is in the file. It returns where the last whole entry ends; what is behind it, which a crash has left, is cut off.
func (srv *Server) load(f *os.File) (end int64, err error) {
	srv.loading = true
	defer func() { srv.loading = false }()
	l := &loader{srv: srv, path: srv.opt.AppendOnly, s: newSession(srv, reactor.Remote{}, 0)}
	l.s.parser.Init(resp.Limits{Command: gib + restOfRequest}) // an entry is a little longer than what a client has sent
	for eof := false; !eof; {
		n := len(l.in)
		if cap(l.in)-n < loadChunk {
			l.in = append(make([]byte, 0, 2*n+loadChunk), l.in...)
		}
		m, err := io.ReadFull(f, l.in[n:n+loadChunk])
		if eof = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !eof {
			return 0, fmt.Errorf("kv: read %s: %w", l.path, err)
		}
		l.in = l.in[:n+m]
		if err := l.entriesOf(); err != nil {
			if eof, err = l.endsInZeros(f, err); err != nil {
				return 0, err
			}
		}
	}
	if len(l.in) == 0 {
		return l.off, nil
	}
	return l.off, l.cutOff(f)
}

// endsInZeros is asked about an entry that cannot be read. The file of a server that was killed ends in zeros, which were laid out for entries to come: they are not
// read to the end, and what is before them may be the beginning of an entry. Anything else is damage.
func (l *loader) endsInZeros(f *os.File, damage error) (bool, error) {
	zeros := make([]byte, loadChunk)
	for {
		n, err := f.Read(zeros)
		if len(trimZeros(zeros[:n])) > 0 {
			return false, damage
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, fmt.Errorf("kv: read %s: %w", l.path, err)
		}
	}
	var p resp.Parser
	p.Init(resp.Limits{Command: gib + restOfRequest})
	begun := trimZeros(l.in)
	if args, _, err := p.Next(begun); len(begun) == len(l.in) || len(begun) > 0 && begun[0] != '*' || args != nil || err != nil {
		return false, damage
	}
	return true, nil
}

// trimZeros is b without the zeros at its end.
func trimZeros(b []byte) []byte { return bytes.TrimRight(b, "\x00") }

// entriesOf performs the whole entries of what was read, up to one with an error.
func (l *loader) entriesOf() error {
	used := 0
	defer func() {
		l.off += int64(used)
		l.in = l.in[:copy(l.in, l.in[used:])]
	}()
	for {
		if used < len(l.in) && l.in[used] != '*' {
			return &CorruptError{l.path, l.off + int64(used), "no entry begins here"}
		}
		args, n, err := l.s.parser.Next(l.in[used:])
		if err != nil {
			return &CorruptError{l.path, l.off + int64(used), err.Error()}
		}
		if args == nil {
			used += n
			break
		}
		if err := l.perform(args); err != nil {
			return &CorruptError{l.path, l.off + int64(used), err.Error()}
		}
		used += n
		l.entries++
	}
	return nil
}

// perform performs an entry. What a command refuses was not written by us.
func (l *loader) perform(args [][]byte) error {
	cmd := commands.find(args[0])
	changes := cmd != nil && (cmd.flags&cmdWrite != 0 || cmd.name == "select")
	if !changes {
		return fmt.Errorf("%q changes nothing", clip(args[0], 32))
	}
	l.s.args, l.s.out = args, l.s.out[:0]
	l.s.run()
	if bytes.HasPrefix(l.s.out, []byte("-")) {
		return fmt.Errorf("%s: %s", cmd.name, bytes.TrimSpace(l.s.out[1:]))
	}
	return nil
}

// cutOff drops the beginning of an entry at the end of the file, and the zeros behind it, unless whole entries are behind it: then it is its length that is damaged.
func (l *loader) cutOff(f *os.File) error {
	begun := trimZeros(l.in)
	if at, ok := wholeEntry(begun); ok {
		return &CorruptError{l.path, l.off, fmt.Sprintf("the entry there has no end, and another begins at byte %d", l.off+int64(at))}
	}
	if err := f.Truncate(l.off); err != nil {
		return fmt.Errorf("kv: cut %s off: %w", l.path, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("kv: cut %s off: %w", l.path, err)
	}
	if len(begun) == 0 {
		l.srv.opt.Log.Info("kv: the append-only file was not closed; what was laid out behind its last entry was cut off", "path", l.path, "offset", l.off)
		return nil
	}
	l.srv.opt.Log.Warn("kv: the append-only file ended in the middle of an entry, which was cut off", "path", l.path, "offset", l.off, "bytes", len(begun))
	return nil
}

// wholeEntry looks for a whole entry behind the beginning of another. A value may look like one: then the file is called damaged that is not, and
// nothing is lost.
func wholeEntry(in []byte) (at int, ok bool) {
	mark := []byte("\r\n*")
	for at = 0; ; {
		i := bytes.Index(in[at:], mark)
		if i < 0 {
			return 0, false
		}
		at += i + len("\r\n")
		var p resp.Parser
		args, _, err := p.Next(in[at:])
		if err == nil && args != nil && commands.find(args[0]) != nil {
			return at, true
		}
	}
}
