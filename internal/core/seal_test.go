package core

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/invariants"
)

// TestChangeIsReported changes what is being written, in the goroutine of the owner, where the race detector sees nothing wrong.
func TestChangeIsReported(t *testing.T) {
	buf, other := make([]byte, 8), make([]byte, 8)
	m := &api.Msg{Bufs: [][]byte{buf[:1], buf[1:]}}
	fd := devNull(t)
	for _, c := range []struct {
		name   string
		op     api.Op
		change []byte
		report bool
	}{
		{"write", api.WriteFixed(fd, 0, buf, 0, 7), buf, true},
		{"write of vectors", api.WritevFixed(fd, 0, m, 0, 7), buf, true},
		{"send", api.Send(fd, buf, 7), buf, true},
		{"write, and other memory", api.WriteFixed(fd, 0, buf, 0, 7), other, false},
		{"bundle", api.SendBundle(fd, 1, 7), nil, true},
		{"read", api.ReadFixed(fd, 0, buf, 0, 7), buf, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, d := open(t, nil)
			if err := e.RegisterBuffers([][]byte{buf}); err != nil {
				t.Fatal(err)
			}
			if c.op.Flags&api.Bundle != 0 {
				g, err := e.NewBufferGroup(api.BufferGroupOptions{ID: 1, Count: 1, Size: 8, Send: true})
				if err != nil {
					t.Fatal(err)
				}
				b, l, _ := g.Get()
				if err := g.Queue(l, len(b)); err != nil {
					t.Fatal(err)
				}
				c.change = b
			}
			submit(t, e, c.op)
			reap(t, e)
			c.change[5]++
			said := ""
			func() {
				defer func() {
					if p := recover(); p != nil {
						said = fmt.Sprint(p)
						c.change[5]-- // so that the engine can be closed
					}
				}()
				d.end(0, 8)
			}()
			if want := c.report && invariants.Enabled; want != strings.Contains(said, "changed the memory") {
				t.Errorf("Enabled = %v, it said %q", invariants.Enabled, said)
			}
		})
	}
}
