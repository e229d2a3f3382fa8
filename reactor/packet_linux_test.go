package reactor_test

import (
	"bytes"
	"net"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/sock"
)

// option sets an option of a socket.
func option(t *testing.T, c *net.UDPConn, level, name, value int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var serr error
	if err := raw.Control(func(fd uintptr) { serr = unix.SetsockoptInt(int(fd), level, name, value) }); err != nil || serr != nil {
		t.Fatal(err, serr)
	}
}

// segments reads what has come at once, of a socket with UDP_GRO.
func segments(t *testing.T, c *net.UDPConn) (list [][]byte) {
	t.Helper()
	b, control := make([]byte, 1<<16), make([]byte, 64)
	n, cn, _, _, err := c.ReadMsgUDP(b, control)
	if err != nil {
		t.Fatal(err)
	}
	size := max(n, 1)
	for m := range sock.Messages(control[:cn]) {
		if s, ok := m.SegmentSize(); ok {
			size = s
		}
	}
	return slices.Collect(slices.Chunk(b[:n], size))
}

// TestPacketBatches sends several datagrams at once. The server gets them at once, and its answers leave, and come, at once, too.
func TestPacketBatches(t *testing.T) {
	for _, tc := range []struct {
		name          string
		size, n, last int
	}{
		{"full", 500, 20, 500},
		{"a short last one", 500, 20, 7},
		{"tiny", 1, 64, 1},
		{"two large", 30000, 2, 30000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eachPackets(t, func(t *testing.T, cfg reactor.Config) {
				most := make(chan int, 64)
				s := serve(t, cfg, &packeteer{on: func(p *reactor.Packet) {
					most <- len(slices.Collect(p.Segments()))
					echoPackets(t)(p)
				}})
				c := dialUDP(t, "udp", s.Addrs()[0].String())
				option(t, c, unix.IPPROTO_UDP, unix.UDP_SEGMENT, tc.size)
				option(t, c, unix.IPPROTO_UDP, unix.UDP_GRO, 1)
				msg := ripple(tc.size*(tc.n-1) + tc.last)
				if _, err := c.Write(msg); err != nil {
					t.Fatal(err)
				}
				if n := <-most; n != tc.n {
					t.Errorf("%d datagrams came at once, want %d", n, tc.n)
				}
				got := segments(t, c)
				if len(got) != tc.n || !bytes.Equal(slices.Concat(got...), msg) {
					t.Errorf("%d answers came at once, want %d", len(got), tc.n)
				}
				if st := s.Stats(); st.PacketsIn != uint64(tc.n) {
					t.Errorf("%d packets came", st.PacketsIn)
				}
			})
		})
	}
}

// TestPacketsUncoupled has the kernel refuse to send several at once: they are sent one by one, then and later.
func TestPacketsUncoupled(t *testing.T) {
	eachPackets(t, func(t *testing.T, cfg reactor.Config) {
		s := serve(t, cfg, &packeteer{on: func(p *reactor.Packet) {
			for i := range 5 {
				if err := p.Reply(bytes.Repeat([]byte{byte(i)}, 100)); err != nil {
					t.Error(err)
				}
			}
		}})
		// Without checksums there are no segments (udp_send_skb in net/ipv4/udp.c: EIO).
		reactor.PacketFDs(s, func(fd int) {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1); err != nil {
				t.Error(err)
			}
		})
		c := dialUDP(t, "udp", s.Addrs()[0].String())
		for range 3 {
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				if got := receive(t, c); !bytes.Equal(got, bytes.Repeat([]byte{byte(i)}, 100)) {
					t.Errorf("answer %d is %d × %d", i, len(got), got[0])
				}
			}
		}
		if st := s.Stats(); st.PacketsDropped != 0 {
			t.Errorf("%d were dropped", st.PacketsDropped)
		}
	})
}

// TestPacketRefused answers somebody who is gone, with which nothing else must suffer.
func TestPacketRefused(t *testing.T) {
	eachPackets(t, func(t *testing.T, cfg reactor.Config) {
		s := serve(t, cfg, &packeteer{on: echoPackets(t)})
		gone := dialUDP(t, "udp", s.Addrs()[0].String())
		c := dialUDP(t, "udp", s.Addrs()[0].String())
		for range 20 {
			if _, err := gone.Write([]byte("x")); err != nil && err != syscall.ECONNREFUSED {
				break // it is closed now
			}
			gone.Close()
			if _, err := c.Write([]byte("y")); err != nil {
				t.Fatal(err)
			}
			if got := receive(t, c); string(got) != "y" {
				t.Errorf("got %q", got)
			}
		}
	})
}
