package sysx

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inlineVecs iovecs need no memory of their own: enough for a header, a body and a trailer,
// and small enough to be part of every slot.
const inlineVecs = 8

// Iovecs is an array of struct iovec that can be filled again and again. It must lie on the
// heap, and must not be copied once filled, when the kernel is to read it after
// the call that got its address (io_uring). The zero value is empty.
type Iovecs struct {
	vecs   []unix.Iovec // inline[:n] or more[:n]
	more   []unix.Iovec
	inline [inlineVecs]unix.Iovec
}

// Set makes v describe bufs, which it keeps alive until Reset or the next Set. bufs itself
// is not kept. It allocates only for more buffers than v has ever held, and more than eight.
func (v *Iovecs) Set(bufs [][]byte) {
	v.Reset()
	n := len(bufs)
	if n <= inlineVecs {
		v.vecs = v.inline[:n]
	} else {
		if cap(v.more) < n {
			v.more = make([]unix.Iovec, n)
		}
		v.vecs = v.more[:n]
	}
	room := MaxTransfer
	for i, b := range bufs {
		b = b[:min(len(b), room)]
		room -= len(b)
		// SAFETY: a typed pointer into b, which it keeps alive.
		v.vecs[i].Base = unsafe.SliceData(b)
		v.vecs[i].SetLen(len(b))
	}
}

// SetOne is Set for one buffer.
func (v *Iovecs) SetOne(b []byte) {
	v.Reset()
	v.vecs = v.inline[:1]
	// SAFETY: as in Set.
	v.vecs[0].Base = unsafe.SliceData(b)
	v.vecs[0].SetLen(len(b))
}

// Advance drops the first n bytes, which have been moved.
func (v *Iovecs) Advance(n int) {
	for len(v.vecs) > 0 {
		first := &v.vecs[0]
		if l := int(first.Len); n >= l {
			n -= l
			*first = unix.Iovec{}
			v.vecs = v.vecs[1:]
			continue
		}
		if n > 0 {
			// SAFETY: n is less than first.Len, so the result points into the same buffer.
			first.Base = (*byte)(unsafe.Add(unsafe.Pointer(first.Base), n))
			first.SetLen(int(first.Len) - n)
		}
		return
	}
}

// Len is the number of bytes that v describes.
func (v *Iovecs) Len() int {
	n := 0
	for i := range v.vecs {
		n += int(v.vecs[i].Len)
	}
	return n
}

// Pointer gives the array and its length, to be handed to the kernel. It is nil for an empty one, and
// holds until Set, Advance or Reset.
func (v *Iovecs) Pointer() (unsafe.Pointer, int) {
	// SAFETY: the pointer keeps v or v.more alive, and is not turned into a number here.
	return unsafe.Pointer(unsafe.SliceData(v.vecs)), len(v.vecs)
}

// Reset lets go of all buffers.
func (v *Iovecs) Reset() {
	clear(v.vecs)
	v.vecs = nil
}

// MsgBuf is a struct msghdr with all that it points to, to be used again and again. It must lie on
// the heap, and must not be copied, when the kernel is to read it after the call that
// got its address (io_uring). The zero value is empty.
type MsgBuf struct {
	hdr      unix.Msghdr
	name     RawSockaddrAny
	vec      Iovecs
	control  []byte
	wantName bool
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
	m.hdr = unix.Msghdr{}
	m.wantName = false
	m.control = control
	m.setVec()
	m.setControl()
}

func (m *MsgBuf) setVec() {
	// SAFETY: the array is part of m, or hangs on it.
	m.hdr.Iov = unsafe.SliceData(m.vec.vecs)
	m.hdr.SetIovlen(len(m.vec.vecs))
}

func (m *MsgBuf) setControl() {
	m.hdr.Control = nil
	if len(m.control) > 0 {
		m.hdr.Control = &m.control[0]
	}
	m.hdr.SetControllen(len(m.control))
}

// WantAddr asks a receive for the address of the sender. Call it after Set.
func (m *MsgBuf) WantAddr() {
	m.wantName = true
	m.name = RawSockaddrAny{}
	m.setName(SockaddrLen)
}

// SetRoom makes m describe no memory, but how much of it an address and the control data may take, for a receive into
// memory that the kernel chooses.
func (m *MsgBuf) SetRoom(name uint32, control int) {
	m.Set(nil, nil)
	m.hdr.Namelen = name
	m.hdr.SetControllen(control)
}

// SetAddr says where a send goes to; see EncodeAddrFor. Call it after Set.
func (m *MsgBuf) SetAddr(ap netip.AddrPort, path string, family int) syscall.Errno {
	n, errno := EncodeAddrFor(&m.name, ap, path, family)
	if errno != 0 {
		return errno
	}
	m.setName(n)
	return 0
}

func (m *MsgBuf) setName(n uint32) {
	// SAFETY: name is part of m, so the pointer is good for as long as m is there and not copied.
	m.hdr.Name = (*byte)(unsafe.Pointer(&m.name))
	m.hdr.Namelen = n
}

// rearm puts back the two lengths and the flags that an earlier receive with m has overwritten.
func (m *MsgBuf) rearm() {
	if m.wantName {
		m.hdr.Namelen = SockaddrLen
	}
	m.setControl()
	m.hdr.Flags = 0
}

// Rearm makes m ready for another receive with the same buffers. RecvMsg does it by itself;
// an SQE that is prepared again with the same m needs it.
func (m *MsgBuf) Rearm() { m.rearm() }

// Advance drops the first n bytes of the buffers, and the control data with them: that goes out with the first
// byte of a message, and would be sent again.
func (m *MsgBuf) Advance(n int) {
	m.vec.Advance(n)
	m.setVec()
	if n > 0 {
		m.control = nil
		m.setControl()
	}
}

// Addr is the address in m, after a receive that WantAddr asked for it. See DecodeAddr.
func (m *MsgBuf) Addr() (netip.AddrPort, string) {
	if m.hdr.Name == nil {
		return netip.AddrPort{}, ""
	}
	return DecodeAddr(&m.name, m.hdr.Namelen)
}

// RawAddr is the undecoded address and its length.
func (m *MsgBuf) RawAddr() (*RawSockaddrAny, uint32) { return &m.name, m.hdr.Namelen }

// ControlLen is how much control data a receive has left.
func (m *MsgBuf) ControlLen() int { return int(m.hdr.Controllen) }

// Flags are the msg_flags that a receive has left (MSG_TRUNC, MSG_CTRUNC, MSG_EOR, ...).
func (m *MsgBuf) Flags() int { return int(m.hdr.Flags) }

// Len is the number of bytes that the buffers have room for.
func (m *MsgBuf) Len() int { return m.vec.Len() }

// Vecs are the buffers of m.
func (m *MsgBuf) Vecs() *Iovecs { return &m.vec }

// Pointer is the address of the msghdr, to be handed to the kernel. It keeps m alive.
func (m *MsgBuf) Pointer() unsafe.Pointer {
	// SAFETY: hdr is the first field of m; the pointer is not turned into a number here.
	return unsafe.Pointer(&m.hdr)
}

// Iovecs is the array of iovecs and its length, to be handed to the kernel.
func (m *MsgBuf) Iovecs() (unsafe.Pointer, int) { return m.vec.Pointer() }

// Reset lets go of all buffers.
func (m *MsgBuf) Reset() {
	m.vec.Reset()
	m.control = nil
	m.wantName = false
	m.hdr = unix.Msghdr{}
}
