package reactor

import (
	"os"
	"testing"
)

// Output that is put behind other output comes behind all of it, files and all, and the source is left empty.
func TestOutputMoves(t *testing.T) {
	f := new(os.File) // a mark, which nobody opens
	fill := func(q *txq, parts string) {
		for _, p := range parts {
			if p == 'F' {
				q.file(f, 0, 1)
			} else {
				q.out = append(q.out, byte(p))
			}
		}
	}
	all := func(q *txq) (parts string) {
		for it, ok := q.take(); ok; it, ok = q.take() {
			if parts += string(it.buf); it.file != nil {
				parts += "F"
			}
		}
		return parts
	}
	lists := []string{"", "1", "F", "F1", "1F", "1F2F3"}
	for _, to := range lists {
		for _, from := range lists {
			moves := map[string]func(to, from *txq) *txq{
				"move": func(to, from *txq) *txq { to.move(from); return to },
				"take": func(to, from *txq) *txq {
					m := &mailbox{tx: *to, out: outcome{tx: *from}}
					m.take()
					*from = m.out.tx
					return &m.tx
				},
				"settle": func(to, from *txq) *txq {
					m := &mailbox{c: &Conn{tx: *from}, out: outcome{tx: *to}}
					m.settle()
					*from = m.c.tx
					return &m.out.tx
				},
			}
			for name, move := range moves {
				var a, b txq
				fill(&a, to)
				fill(&b, from)
				got := move(&a, &b)
				fill(&b, "xFy") // nor is the memory of the two one and the same
				if s := all(got); s != to+from {
					t.Errorf("%s: %q behind %q is %q", name, from, to, s)
				}
				if s := all(&b); s != "xFy" {
					t.Errorf("%s: of %q there is %q left", name, from, s)
				}
			}
		}
	}
}
