package http1

import (
	"strings"
	"testing"
)

// A head that comes a byte at a time is looked at when it is complete, whatever was there before, and not for each byte.
func TestWorthwhile(t *testing.T) {
	s := New(func(*Response, *Request) {}, nil)
	whole := []byte("GET / HTTP/1.1\r\nHost: h\r\nA: " + strings.Repeat("x", 10_000) + "\r\n\r\n")
	for looked := 1; looked < len(whole); looked++ {
		if !s.worthwhile(whole, looked) {
			t.Errorf("a head of %d bytes is complete, and is not looked at because its first %d were", len(whole), looked)
		}
	}
	times, looked := 0, 1
	for n := 2; n < len(whole); n++ {
		if s.worthwhile(whole[:n], looked) {
			times++
			looked = n
		}
	}
	if times > 15 {
		t.Errorf("%d bytes were looked at %d times before all were there", len(whole), times)
	}
	long := []byte(strings.Repeat("x", s.opt.Limits.MaxHeaderBytes+1))
	if !s.worthwhile(long, len(long)-1) {
		t.Error("a head that has become too long is not looked at")
	}
}
