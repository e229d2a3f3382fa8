package echo

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// ServeNet is the baseline: the same echo on Go's net, with a goroutine and a buffer of size bytes per
// connection. It serves l until ctx is done, closes it and the connections, and returns when the goroutines
// have ended.
func ServeNet(ctx context.Context, l net.Listener, size int) error {
	var mu sync.Mutex
	conns := map[net.Conn]bool{} // guarded by mu
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	closed := make(chan struct{})
	defer func() { <-closed }()
	context.AfterFunc(ctx, func() {
		defer close(closed)
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for c := range conns {
			c.Close()
		}
	})
	defer cancel() // also after an error: the goroutines must end

	for backoff := backoffMin; ; {
		c, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				c.Close()
			}
			return nil
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			select { // as the loops do
			case <-time.After(backoff):
			case <-ctx.Done():
			}
			backoff = min(2*backoff, backoffMax)
			continue
		}
		backoff = backoffMin
		mu.Lock()
		conns[c] = true
		if ctx.Err() != nil { // it was not there to be closed
			c.Close()
		}
		mu.Unlock()
		wg.Go(func() {
			echoNet(c, size)
			mu.Lock()
			delete(conns, c)
			mu.Unlock()
		})
	}
}

// echoNet serves one connection. Both errors mean that it has ended; TCP_NODELAY is Go's default.
func echoNet(c net.Conn, size int) {
	defer c.Close()
	buf := make([]byte, size)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}
