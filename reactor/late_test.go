//go:build unix

package reactor_test

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/sluiceio/sluice/reactor"
)

// parting is a recorder that says something when a read deadline has passed.
type parting struct {
	*recorder
	say func(*reactor.Conn)
}

func (p parting) OnReadDeadline(c *reactor.Conn) { p.say(c) }

// TestReadDeadliner: the handler has the last word when a read deadline passes, and OnClose learns why the connection has ended. Other ends are as without it.
func TestReadDeadliner(t *testing.T) {
	const soon = 30 * time.Millisecond
	boom := errors.New("on purpose")
	for _, tc := range []struct {
		name string
		set  func(cfg *reactor.Config, p *parting)
		send string
		want string // that comes
		end  error
	}{
		{name: "in OnOpen", set: func(_ *reactor.Config, p *parting) {
			p.onOpen = func(c *reactor.Conn) { c.SetReadDeadline(time.Now().Add(soon)) }
		}, want: "late", end: os.ErrDeadlineExceeded},
		{name: "behind half a message", send: "half", set: func(_ *reactor.Config, p *parting) {
			p.onData = func(c *reactor.Conn) { c.SetReadDeadline(time.Now().Add(soon)) }
			p.say = func(c *reactor.Conn) { c.Write(append([]byte("late: "), c.Peek(-1)...)) }
		}, want: "late: half", end: os.ErrDeadlineExceeded},
		{name: "behind output", send: "x", set: func(_ *reactor.Config, p *parting) {
			p.onData = func(c *reactor.Conn) {
				c.Write(c.Next(-1))
				c.SetReadDeadline(time.Now().Add(soon))
			}
		}, want: "xlate", end: os.ErrDeadlineExceeded},
		{name: "moved on", send: "x", set: func(_ *reactor.Config, p *parting) {
			p.onOpen = func(c *reactor.Conn) { c.SetReadDeadline(time.Now().Add(time.Hour)) }
			p.onData = func(c *reactor.Conn) { c.Discard(-1); c.SetReadDeadline(time.Now().Add(soon)) }
		}, want: "late", end: os.ErrDeadlineExceeded},
		{name: "abort", set: func(_ *reactor.Config, p *parting) {
			p.onOpen = func(c *reactor.Conn) { c.SetReadDeadline(time.Now().Add(soon)) }
			p.say = func(c *reactor.Conn) { c.Abort(boom) }
		}, end: boom},
		{name: "idle, not read", set: func(cfg *reactor.Config, p *parting) { cfg.IdleTimeout = soon }, end: os.ErrDeadlineExceeded},
		{name: "open, not read", set: func(cfg *reactor.Config, p *parting) { cfg.OpenTimeout = soon }, end: os.ErrDeadlineExceeded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eachVariant(t, func(t *testing.T, cfg reactor.Config) {
				p := parting{newRecorder(), func(c *reactor.Conn) { c.WriteString("late") }}
				tc.set(&cfg, &p)
				c := dial(t, serve(t, cfg, p))
				send(t, c, tc.send)
				got, err := io.ReadAll(c)
				if string(got) != tc.want || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("got %q, %v; want %q and the end", got, err, tc.want)
				}
				c.Close() // what it has left unread is waited for
				if end := p.wait(t, "close"); !errors.Is(end.err, tc.end) {
					t.Errorf("closed by %v, want %v", end.err, tc.end)
				}
			})
		})
	}
}

// TestReadDeadlinerPanics: a panic in OnReadDeadline ends its connection, and the timers of others go on.
func TestReadDeadlinerPanics(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg reactor.Config) {
		cfg.Log = slog.New(slog.DiscardHandler)
		p := parting{newRecorder(), func(*reactor.Conn) { panic("on purpose") }}
		p.onOpen = func(c *reactor.Conn) { c.SetReadDeadline(time.Now().Add(30 * time.Millisecond)) }
		s := serve(t, cfg, p)
		for range 3 {
			dial(t, s)
		}
		for range 3 {
			var want *reactor.PanicError
			if end := p.wait(t, "close"); !errors.As(end.err, &want) {
				t.Errorf("closed by %v, want a PanicError", end.err)
			}
		}
	})
}
