//go:build unix || windows

package offheap

import (
	"errors"
	"math"
	"os"
	"sync"
	"testing"

	"github.com/sluiceio/sluice/api"
)

func mapped(t *testing.T, n int) *Map {
	t.Helper()
	m, err := New(n, Small)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestHold(t *testing.T) {
	if Any() {
		t.Fatal("there is memory that nobody has mapped")
	}
	if Hold(make([]byte, 8)) != nil {
		t.Error("the Go heap is held")
	}
	page := os.Getpagesize()
	a, b, c := mapped(t, 3*page), mapped(t, 1), mapped(t, 2*page)
	for _, m := range []*Map{a, b, c} {
		mem := m.Bytes()
		for _, part := range [][]byte{mem, mem[:1], mem[len(mem)-1:], mem[100:200]} {
			if got := Hold(part); got != m {
				t.Fatalf("a part of %p is held by %p", m, got)
			}
		}
		if m.Uses() != 4 {
			t.Errorf("%d uses, want 4", m.Uses())
		}
	}
	if Hold(nil) != nil || Hold(a.Bytes()[:0]) != nil || Hold(make([]byte, 8)) != nil {
		t.Error("what is no part of any is held")
	}
	for i := range 4 {
		if n, err := b.Close(); n != 4-i || err != nil {
			t.Errorf("Close with %d uses: %d, %v", 4-i, n, err)
		}
		b.Release()
	}
	mem := b.Bytes()
	if n, err := b.Close(); n != 0 || err != nil {
		t.Errorf("Close: %d, %v", n, err)
	}
	if Hold(mem) != nil {
		t.Error("memory that is gone is held")
	}
	a.Abandon()
	if a.Uses() != 4 || Hold(a.Bytes()) != a {
		t.Errorf("memory that is abandoned and in use has %d uses", a.Uses())
	}
	for range 5 {
		if a.Bytes()[0] != 0 { // it is there
			t.Error("it has changed")
		}
		a.Release()
	}
	for range 4 {
		c.Release()
	}
	c.Abandon()
	if Any() {
		t.Errorf("%d are left", len(list()))
	}
}

func TestSizes(t *testing.T) {
	for _, n := range []int{0, -1, math.MinInt, math.MaxInt, math.MaxInt - hugeMax + 1} {
		if _, err := New(n, Small); !errors.Is(err, api.ErrInvalidOption) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := New(1, Best+1); !errors.Is(err, api.ErrInvalidOption) {
		t.Errorf("pages of no kind: %v", err)
	}
	if Any() {
		t.Error("something was mapped")
	}
	m := mapped(t, 1)
	if n := len(m.Bytes()); n != os.Getpagesize() || m.Pages() != Small {
		t.Errorf("%d bytes of kind %d", n, m.Pages())
	}
	m.Abandon()
}

// TestManyGoroutines: who holds memory can use it, and in the end all is gone.
func TestManyGoroutines(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				m, err := New(os.Getpagesize(), Small)
				if err != nil {
					t.Error(err)
					return
				}
				var users sync.WaitGroup
				for range 2 {
					h := Hold(m.Bytes()[8:])
					if h != m {
						t.Errorf("%p is held, want %p", h, m)
						return
					}
					users.Go(func() {
						if h.Bytes()[0] != 0 {
							t.Error("it is not fresh")
						}
						h.Release()
					})
				}
				if i%2 == 0 {
					m.Abandon()
				}
				users.Wait()
				if i%2 == 1 {
					if n, err := m.Close(); n != 0 || err != nil {
						t.Errorf("Close: %d, %v", n, err)
					}
				}
			}
		})
	}
	wg.Wait()
	if Any() {
		t.Errorf("%d are left", len(list()))
	}
}
