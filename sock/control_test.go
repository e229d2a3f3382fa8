package sock

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

// all is one message of each kind that the system has.
func all(t testing.TB) []byte {
	t.Helper()
	b := Append(nil, 7, 8, []byte("hello"))
	for _, f := range []func([]byte) ([]byte, error){
		func(b []byte) ([]byte, error) { return AppendRights(b, 3, 4, 1<<31-1) },
		func(b []byte) ([]byte, error) {
			return AppendCredentials(b, Credentials{PID: 1, UID: 1<<32 - 1, GID: 3})
		},
		func(b []byte) ([]byte, error) {
			return AppendPacketInfo(b, PacketInfo{Interface: 2, Local: netip.MustParseAddr("127.0.0.2")})
		},
		func(b []byte) ([]byte, error) {
			return AppendPacketInfo(b, PacketInfo{Interface: 2, Local: netip.MustParseAddr("fe80::1")})
		},
		func(b []byte) ([]byte, error) { return AppendTTL(b, 7) },
		func(b []byte) ([]byte, error) { return AppendHopLimit(b, 9) },
		func(b []byte) ([]byte, error) { return AppendSegmentSize(b, 1200) },
	} {
		got, err := f(b)
		if err != nil && (runtime.GOOS == "linux" || !errors.Is(err, errors.ErrUnsupported)) {
			t.Fatal(err)
		}
		b = got
	}
	return b
}

func TestMessages(t *testing.T) {
	b := all(t)
	var got []any
	for m := range Messages(b) {
		if fds, ok := m.Rights(); ok {
			got = append(got, fds)
		}
		if c, ok := m.Credentials(); ok {
			got = append(got, c)
		}
		if p, ok := m.PacketInfo(); ok {
			got = append(got, p)
		}
		if n, ok := m.HopLimit(); ok {
			got = append(got, n)
		}
		if m.Level == 7 && m.Type == 8 {
			got = append(got, string(m.Data))
		}
	}
	unspecified, local := netip.IPv4Unspecified(), netip.MustParseAddr("127.0.0.2")
	linkLocal := netip.MustParseAddr("fe80::1")
	want := []any{
		"hello", []int{3, 4, 1<<31 - 1}, Credentials{PID: 1, UID: 1<<32 - 1, GID: 3},
		PacketInfo{Interface: 2, Local: local, Dest: unspecified}, PacketInfo{Interface: 2, Local: linkLocal, Dest: linkLocal}, 7, 9,
	}
	if runtime.GOOS != "linux" {
		want = want[:min(len(want), len(got))]
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := Space(5); n != len(Append(nil, 7, 8, []byte("hello"))) {
		t.Errorf("Space(5) is %d", n)
	}
	if n := Space(5, 0, -1); n != Space(5)+2*Space(0) {
		t.Errorf("the space of three is %d", n)
	}
}

func TestSegmentSize(t *testing.T) {
	m := Message{Level: ipprotoUDP, Type: udpGRO, Data: IntOption(1472)}
	n, ok := m.SegmentSize()
	if has := udpGRO != absent; ok != has || ok && n != 1472 {
		t.Errorf("%d, %v", n, ok)
	}
	m.Data = m.Data[:3]
	if n, ok := m.SegmentSize(); ok {
		t.Errorf("of three bytes: %d", n)
	}
}

func TestNextMalformed(t *testing.T) {
	good := Append(nil, 1, 2, []byte("abc"))
	long := slices.Clone(good)
	long[0] += 100
	huge := slices.Clone(good)
	for i := range lenSize {
		huge[i] = 0xff
	}
	short := slices.Clone(good)
	copy(short, make([]byte, lenSize))
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"a header that is cut", good[:dataAt-1]}, {"one byte", []byte{1}}, {"longer than it is", long},
		{"as long as a number can say", huge}, {"shorter than its header", short}, {"cut in its data", good[:dataAt+2]},
	} {
		if m, rest, ok := Next(c.b); ok || !bytes.Equal(rest, c.b) {
			t.Errorf("%s: %v, %v, %v", c.name, m, rest, ok)
		}
		both := append(slices.Clone(good), c.b...)
		n := 0
		for range Messages(both) {
			n++
		}
		if n != 1 {
			t.Errorf("%s behind a good one: %d messages", c.name, n)
		}
	}
	if m, rest, ok := Next(nil); ok || len(rest) > 0 {
		t.Errorf("of nothing: %v, %v", m, rest)
	}
	// The last message may lack what would pad it.
	if m, rest, ok := Next(good[:dataAt+3]); !ok || len(rest) > 0 || string(m.Data) != "abc" {
		t.Errorf("without padding: %v, %v, %v", m, rest, ok)
	}
	for range Messages(append(slices.Clone(good), good...)) {
		break // must be able to
	}
}

func TestAppendAnywhere(t *testing.T) {
	b := Append([]byte("x"), 1, 2, []byte("abc"))
	if len(b)%alignment != 0 || b[0] != 'x' {
		t.Fatalf("%v", b)
	}
	if m, _, ok := Next(b[alignment:]); !ok || string(m.Data) != "abc" {
		t.Errorf("a message behind one byte begins where it cannot: %v", b)
	}
}

func TestOutOfRange(t *testing.T) {
	dst := []byte("12345678")
	if strconv.IntSize > 32 {
		if _, err := AppendCredentials(dst, Credentials{PID: wide()}); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a pid of more than 32 bits: %v", err)
		}
	}
	for _, c := range []struct {
		name string
		do   func() ([]byte, error)
		want error
	}{
		{"negative fd", func() ([]byte, error) { return AppendRights(dst, 1, -1) }, syscall.EBADF},
		{"wide fd", func() ([]byte, error) { return AppendRights(dst, wide()) }, syscall.EBADF},
		{"no address", func() ([]byte, error) { return AppendPacketInfo(dst, PacketInfo{}) }, syscall.EINVAL},
		{"interface", func() ([]byte, error) {
			return AppendPacketInfo(dst, PacketInfo{Interface: -1, Local: netip.IPv4Unspecified()})
		}, syscall.EINVAL},
		{"ttl 0", func() ([]byte, error) { return AppendTTL(dst, 0) }, syscall.EINVAL},
		{"ttl 256", func() ([]byte, error) { return AppendTTL(dst, 256) }, syscall.EINVAL},
		{"hops", func() ([]byte, error) { return AppendHopLimit(dst, -1) }, syscall.EINVAL},
		{"segment of 0", func() ([]byte, error) { return AppendSegmentSize(dst, 0) }, syscall.EINVAL},
		{"segment of 65536", func() ([]byte, error) { return AppendSegmentSize(dst, 1<<16) }, syscall.EINVAL},
	} {
		got, err := c.do()
		if !errors.Is(err, c.want) && !errors.Is(err, errors.ErrUnsupported) || string(got) != string(dst) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}

// wide is a number that has more than 32 bits where an int has, else a negative one.
func wide() int {
	n := int64(1)<<32 + 1
	if strconv.IntSize == 32 {
		n = -1
	}
	return int(n)
}

func TestIntOption(t *testing.T) {
	for _, v := range []int{0, 1, -1, 1<<31 - 1, -1 << 31} {
		if got, ok := ParseIntOption(IntOption(v)); got != v || !ok {
			t.Errorf("%d became %d, %v", v, got, ok)
		}
	}
	if got, ok := ParseIntOption([]byte{200}); got != 200 || !ok {
		t.Errorf("of one byte: %d, %v", got, ok)
	}
	for _, n := range []int{0, 2, 3, 5, 8} {
		if got, ok := ParseIntOption(make([]byte, n)); ok {
			t.Errorf("of %d bytes: %d", n, got)
		}
	}
}

// FuzzControl: no bytes make the parsers panic, hang, or see what is not in them, and what they see can be put together again.
func FuzzControl(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(all(f))
	f.Add(all(f)[:30])
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		var again []byte
		for m := range Messages(b) {
			total += dataAt + len(m.Data)
			if total > len(b) {
				t.Fatalf("%d bytes of messages in %d bytes", total, len(b))
			}
			fds, ok := m.Rights()
			if ok && len(fds) != len(m.Data)/intSize {
				t.Fatalf("%d fds in %d bytes", len(fds), len(m.Data))
			}
			_, _ = m.Credentials()
			_, _ = m.PacketInfo()
			_, _ = m.HopLimit()
			_, _ = m.SegmentSize()
			_, _ = ParseIntOption(m.Data)
			again = Append(again, m.Level, m.Type, m.Data)
		}
		rest := again
		for m := range Messages(b) {
			var same Message
			var ok bool
			if same, rest, ok = Next(rest); !ok || same.Level != m.Level || same.Type != m.Type || !bytes.Equal(same.Data, m.Data) {
				t.Fatalf("%v became %v, %v", m, same, ok)
			}
		}
	})
}
