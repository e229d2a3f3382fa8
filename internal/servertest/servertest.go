// Package servertest is for tests that run servers of package reactor.
package servertest

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/sluiceio/sluice/reactor"
)

// watchdog is how long a server may take to end.
const watchdog = 60 * time.Second

// Start starts a server that ends with the test.
func Start(t testing.TB, cfg reactor.Config, h reactor.Handler) *reactor.Server {
	t.Helper()
	s, err := reactor.Start(cfg, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Shutdown(t, s) })
	return s
}

// Shutdown ends a server, and wants it to leave no connection open.
func Shutdown(t testing.TB, s *reactor.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if st := s.Stats(); st.Open != 0 {
		t.Errorf("after the shutdown %d connections are open", st.Open)
	}
}

// Allocated is how many bytes of the heap have been allocated in all.
func Allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
