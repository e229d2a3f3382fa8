package echo

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
)

// TestFixedFiles serves connections that are in slots: with buffers enough, and with two that they share.
func TestFixedFiles(t *testing.T) {
	eachBackend(t, func(t *testing.T, name string) {
		for _, s := range strategies {
			for _, buffers := range []int{0, 2} {
				before := openFDs(t)
				srv := start(t, name, s.s, &Options{FixedFiles: true, Buffers: buffers})
				exchangeAll(t, srv.Addr(), 30, 5, 16<<10)
				idle, err := net.Dial("tcp", srv.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := idle.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(idle, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
				stopServer(t, srv)
				if n, err := idle.Read(make([]byte, 1)); n > 0 || err == nil {
					t.Errorf("%s, %d buffers: read %d bytes, %v from a server that has ended", s.name, buffers, n, err)
				}
				idle.Close()
				if st := srv.Stats(); st.Accepted != 31 {
					t.Errorf("%s, %d buffers: stats %+v, want 31 connections", s.name, buffers, st)
				}
				sameFDs(t, before)
			}
		}
	})
}

// TestFixedFilesFull has more connections than slots: those that find none wait for the others to end, and are served then.
func TestFixedFilesFull(t *testing.T) {
	eachBackend(t, func(t *testing.T, name string) {
		before := openFDs(t)
		srv := start(t, name, api.Block(), &Options{FixedFiles: true, Slots: 3})
		var held []net.Conn
		for range 3 {
			c, err := net.Dial("tcp", srv.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write([]byte("h")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			held = append(held, c)
		}
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				if err := exchange(srv.Addr(), uint64(i), 2, 4<<10); err != nil {
					t.Errorf("connection %d: %v", i, err)
				}
			})
		}
		deadline := time.Now().Add(watchdog)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for srv.Stats().AcceptFailed == 0 {
			if <-tick.C; time.Now().After(deadline) {
				t.Fatalf("accepting into a full table has not failed: %+v", srv.Stats())
			}
		}
		for _, c := range held {
			c.Close()
		}
		within(t, "exchange", wg.Wait)
		stopServer(t, srv)
		if st := srv.Stats(); st.Accepted != 15 {
			t.Errorf("%+v, want 15 accepted", st)
		}
		sameFDs(t, before)
	})
}

// TestFixedFilesChurn has slots filled anew while the closes of what was there are under way.
func TestFixedFilesChurn(t *testing.T) {
	eachBackend(t, func(t *testing.T, name string) {
		srv := start(t, name, api.Block(), &Options{FixedFiles: true, Buffers: 4, BufferSize: 512, Slots: 8, Loops: 2})
		var wg sync.WaitGroup
		for g := range 6 {
			wg.Go(func() {
				for i := range 25 {
					if err := churn(srv.Addr(), g*100+i); err != nil {
						t.Errorf("connection %d of %d: %v", i, g, err)
						return
					}
				}
			})
		}
		within(t, "exchange", wg.Wait)
		stopServer(t, srv)
	})
}

// churn is one short connection; every third is reset with an answer under way.
func churn(addr net.Addr, i int) error {
	if i%3 != 0 {
		return exchange(addr, uint64(i), 1, 2<<10)
	}
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		return err
	}
	if _, err := c.Write(make([]byte, 4<<10)); err != nil {
		return err
	}
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		return err
	}
	return c.Close()
}
