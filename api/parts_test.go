package api

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

// parts makes the buffer of a message.
func parts(name, control, payload, flags uint32, room int, data string) []byte {
	b := make([]byte, PartsHead+PartsName+room, PartsHead+PartsName+room+len(data)+8)
	for i, n := range []uint32{name, control, payload, flags} {
		binary.NativeEndian.PutUint32(b[4*i:], n)
	}
	for i := range b[PartsHead:] {
		b[PartsHead+i] = 'n'
		if i >= PartsName {
			b[PartsHead+i] = 'c'
		}
	}
	return append(b, data...)
}

func TestPartsOf(t *testing.T) {
	for _, c := range []struct {
		what                 string
		buf                  []byte
		room                 int
		name, control, flags int
		payload              string
	}{
		{"all of it", parts(16, 8, 4, 0, 24, "data"), 24, 16, 8, 0, "data"},
		{"nothing", parts(0, 0, 0, 0, 0, ""), 0, 0, 0, 0, ""},
		{"a name that was cut", parts(200, 0, 4, 0, 0, "data"), 0, PartsName, 0, 0, "data"},
		{"lengths of hostile size", parts(math.MaxUint32, math.MaxUint32, math.MaxUint32, 0, 24, "data"), 24, PartsName, 24, 0, "data"},
		{"control data without room", parts(0, 8, 1, 8, 0, "x"), 0, 0, 0, 8, "x"},
		{"more payload than there is", parts(0, 0, 1000, 0x20, 8, "cut"), 8, 0, 0, 0x20, "cut"},
		{"every flag", parts(0, 0, 0, math.MaxUint32, 0, ""), 0, 0, 0, -1, ""},
	} {
		p, ok := PartsOf(c.buf, &Msg{Control: make([]byte, c.room)})
		if !ok || string(p.Name) != strings.Repeat("n", c.name) || string(p.Control) != strings.Repeat("c", c.control) ||
			string(p.Payload) != c.payload || p.Flags != c.flags {
			t.Errorf("%s: %q, %q, %q, %#x, %v", c.what, p.Name, p.Control, p.Payload, p.Flags, ok)
		}
		if cap(p.Name) != len(p.Name) || cap(p.Control) != len(p.Control) {
			t.Errorf("%s: what is appended to a part is written into the next", c.what)
		}
	}
	full := parts(16, 8, 4, 0, 24, "data")
	for n := range PartsHead + PartsName + 24 {
		if _, ok := PartsOf(full[:n], &Msg{Control: make([]byte, 24)}); ok {
			t.Fatalf("the first %d bytes are taken for a message", n)
		}
	}
	if _, ok := PartsOf(full, nil); ok {
		t.Error("a message without a Msg")
	}
	if _, ok := PartsOf(nil, &Msg{}); ok {
		t.Error("a message without a buffer")
	}
}

func FuzzPartsOf(f *testing.F) {
	f.Add(parts(16, 8, 4, 0, 24, "data"), 24)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, buf []byte, room int) {
		if room < 0 || room > 1<<16 {
			return
		}
		p, ok := PartsOf(buf, &Msg{Control: make([]byte, room)})
		if ok && len(p.Name)+len(p.Control)+len(p.Payload) > len(buf)-PartsHead {
			t.Errorf("%d bytes are in %d", len(p.Name)+len(p.Control)+len(p.Payload), len(buf))
		}
	})
}
