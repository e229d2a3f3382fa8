//go:build !linux

package sysx

import (
	"net/netip"
	"syscall"
	"unsafe"
)

// Iovecs is a list of buffers that can be filled again and again. The zero value is empty.
type Iovecs struct {
	bufs [][]byte // a window of all
	all  [][]byte
}

// Set makes v describe bufs, which it keeps alive until Reset or the next Set. bufs itself
// is not kept.
func (v *Iovecs) Set(bufs [][]byte) {
	v.Reset()
	room := MaxTransfer
	for _, b := range bufs {
		b = b[:min(len(b), room)]
		room -= len(b)
		v.all = append(v.all, b)
	}
	v.bufs = v.all
}

// SetOne is Set for one buffer.
func (v *Iovecs) SetOne(b []byte) {
	v.Reset()
	v.all = append(v.all, b)
	v.bufs = v.all
}

// Advance drops the first n bytes, which have been moved.
func (v *Iovecs) Advance(n int) {
	for len(v.bufs) > 0 {
		if l := len(v.bufs[0]); n >= l {
			n -= l
			v.bufs[0] = nil
			v.bufs = v.bufs[1:]
			continue
		}
		v.bufs[0] = v.bufs[0][n:]
		return
	}
}

// Len is the number of bytes that v describes.
func (v *Iovecs) Len() int {
	n := 0
	for _, b := range v.bufs {
		n += len(b)
	}
	return n
}

// Pointer is nil: no kernel reads an array of iovecs by itself here.
func (v *Iovecs) Pointer() (unsafe.Pointer, int) { return nil, len(v.bufs) }

// Reset lets go of all buffers.
func (v *Iovecs) Reset() {
	clear(v.all)
	v.all = v.all[:0]
	v.bufs = nil
}

// MsgBuf is a message with its buffers, control data and address, to be used again and again. The zero
// value is empty.
type MsgBuf struct {
	name       RawSockaddrAny
	nameLen    uint32
	vec        Iovecs
	control    []byte
	controlLen int
	flags      int
	wantName   bool
}

// Set makes m describe bufs and control, either of which may be nil, with no address.
// It keeps them alive until Reset or the next Set.
func (m *MsgBuf) Set(bufs [][]byte, control []byte) {
	m.vec.Set(bufs)
	m.set(control)
}

// SetOne is Set for one buffer.
func (m *MsgBuf) SetOne(b, control []byte) {
	m.vec.SetOne(b)
	m.set(control)
}

func (m *MsgBuf) set(control []byte) {
	m.nameLen, m.flags, m.wantName = 0, 0, false
	m.control, m.controlLen = control, len(control)
}

// WantAddr asks a receive for the address of the sender. Call it after Set.
func (m *MsgBuf) WantAddr() { m.wantName = true }

// SetAddr says where a send goes to; see EncodeAddrFor. Call it after Set.
func (m *MsgBuf) SetAddr(ap netip.AddrPort, path string, family int) syscall.Errno {
	n, errno := EncodeAddrFor(&m.name, ap, path, family)
	if errno == 0 {
		m.nameLen = n
	}
	return errno
}

// Rearm makes m ready for another receive with the same buffers. RecvMsg does it by itself.
func (m *MsgBuf) Rearm() { m.nameLen, m.controlLen, m.flags = 0, len(m.control), 0 }

// Advance drops the first n bytes of the buffers, and the control data with them: that goes out with the first
// byte of a message, and would be sent again.
func (m *MsgBuf) Advance(n int) {
	m.vec.Advance(n)
	if n > 0 {
		m.control, m.controlLen = nil, 0
	}
}

// Addr is the address in m, after a receive that WantAddr asked for it. See DecodeAddr.
func (m *MsgBuf) Addr() (netip.AddrPort, string) { return DecodeAddr(&m.name, m.nameLen) }

// RawAddr is the undecoded address and its length.
func (m *MsgBuf) RawAddr() (*RawSockaddrAny, uint32) { return &m.name, m.nameLen }

// ControlLen is how much control data a receive has left.
func (m *MsgBuf) ControlLen() int { return m.controlLen }

// Flags are the msg_flags that a receive has left (MSG_TRUNC, MSG_CTRUNC, MSG_EOR, ...).
func (m *MsgBuf) Flags() int { return m.flags }

// Len is the number of bytes that the buffers have room for.
func (m *MsgBuf) Len() int { return m.vec.Len() }

// Vecs are the buffers of m.
func (m *MsgBuf) Vecs() *Iovecs { return &m.vec }

// Pointer is nil: no kernel reads a msghdr by itself here.
func (m *MsgBuf) Pointer() unsafe.Pointer { return nil }

// Iovecs is nil for the same reason.
func (m *MsgBuf) Iovecs() (unsafe.Pointer, int) { return m.vec.Pointer() }

// Reset lets go of all buffers.
func (m *MsgBuf) Reset() {
	m.vec.Reset()
	m.set(nil)
}
