//go:build unix

package porttest

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRefusing wants clients to be refused, and nobody else to get the port meanwhile.
func TestRefusing(t *testing.T) {
	addr := Refusing(t).String()
	for range 2 { // the first client changes nothing
		c, err := net.Dial("tcp", addr)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a client: %v", err)
		}
		if err == nil {
			c.Close()
		}
		for _, at := range []string{addr, strings.Replace(addr, "127.0.0.1", "0.0.0.0", 1)} {
			ln, err := net.Listen("tcp4", at)
			if !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("a server at %s: %v", at, err)
			}
			if err == nil {
				ln.Close()
			}
		}
	}
	if other := Refusing(t).String(); other == addr {
		t.Errorf("two have %s", addr)
	}
}

// TestSilent wants clients to get no answer.
func TestSilent(t *testing.T) {
	addr := Silent(t).String()
	for range 5 {
		c, err := net.DialTimeout("tcp", addr, 50*time.Millisecond)
		if !isTimeout(err) {
			t.Errorf("a client: %v", err)
		}
		if err == nil {
			c.Close()
		}
	}
}
