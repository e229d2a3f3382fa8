package reactor

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/sock"
)

const (
	// packetGroupID is the buffer group of the sockets of UDP, whose buffers must have room for the largest datagram.
	packetGroupID = 1

	// packetMost is the largest datagram that can be sent: 65,535 bytes less the headers of IPv4 and UDP.
	packetMost = 65507

	// trainBytes and trainLength bound what the kernel takes as one (UDP_SEGMENT): the bytes with the headers of IPv6 must fit into 16 bits, and
	// older kernels take 64 segments.
	trainBytes  = 65535 - 48
	trainLength = 64

	// trainLook is among how many trains a reply looks for one to its peer. More would cost more than a system call for each.
	trainLook = 16

	// segmentSure is a size that a path to another machine takes as a rule: 1500 bytes less the headers of IPv6 and UDP.
	segmentSure = 1452

	// packetCost is what a datagram counts beside its bytes for what may wait, so that empty ones do not wait without a bound.
	packetCost = 64

	// trainsMost is how many trains a loop keeps for later.
	trainsMost = 64
)

// packets is a socket of UDP, of one loop.
type packets struct {
	l       *loop
	handler PacketHandler
	fd      int32
	index   uint32 // of the listener
	addr    netip.AddrPort
	msg     api.Msg // how much room control data has
	packet  Packet

	open       []*train // to be handed over at the end of the turn
	unsent     int      // what waits to be sent, in open and in flight: bytes, and packetCost for each datagram
	segmentMax int      // segments that are larger are sent one by one; 0: all are
}

// train is datagrams of one size to one peer, that are sent at once; the last may be shorter.
type train struct {
	ps      *packets
	to      route
	size    int // of a segment
	n       int // how many
	full    bool
	buf     []byte
	bufs    [1][]byte
	control []byte
	msg     api.Msg
	slot    uint32
}

// openPackets has a socket ready to be used by the loop.
func (l *loop) openPackets(i int) error {
	ln := &l.listeners[i]
	udp, ok := ln.addr.(*net.UDPAddr)
	if !ok {
		return nil
	}
	h, _ := l.srv.handler.(PacketHandler) // Start has looked
	ps := &packets{l: l, handler: h, fd: ln.fd, index: uint32(i), addr: unmapped(udp.AddrPort()), segmentMax: packetMost}
	ps.msg.Control = make([]byte, packetControl)
	ln.packets = ps
	packetOptions(ln.fd, udp.IP.To4() == nil, udp.IP.IsUnspecified())
	if l.packetGroup != nil {
		return nil
	}
	size := api.PartsHead + api.PartsName + packetControl + 1<<16
	g, err := l.engine.NewBufferGroup(api.BufferGroupOptions{ID: packetGroupID, Count: l.cfg.PacketBuffers, Size: size})
	if err != nil {
		return fmt.Errorf("reactor: the buffers for packets: %w", err)
	}
	l.packetGroup = g
	return nil
}

func (l *loop) armPackets(ps *packets, ln *listener) {
	if ln.armed || ln.fd < 0 || l.stopping {
		return
	}
	ln.armed = true
	l.push(api.RecvMsgMultishot(int(ln.fd), packetGroupID, &ps.msg, tagOf(kindPacket, ps.index)))
}

// packetDone handles the completion of a receive.
func (l *loop) packetDone(i uint32, done *api.Completion) {
	ln := &l.listeners[i]
	ps := ln.packets
	if !done.More() {
		ln.armed = false
	}
	switch err := done.Err(); {
	case done.Res >= 0:
		ln.rest = 0
		l.packetIn(ps, done)
	case err == api.ErrCanceled, errors.Is(err, syscall.ENOBUFS): // which are back at the end of the turn
	default:
		l.acceptFailed(ln, i, err)
		return
	}
	l.armPackets(ps, ln)
}

// packetIn calls the handler.
func (l *loop) packetIn(ps *packets, done *api.Completion) {
	p := &ps.packet
	*p = Packet{socket: ps, Local: ps.addr}
	if len(done.Buf) > 0 { // an empty datagram of nobody has none
		parts, ok := api.PartsOf(done.Buf, &ps.msg)
		if !ok {
			panic("reactor: a buffer that cannot be taken apart") // a fault of the engine
		}
		p.Data = parts.Payload
		p.to.peer = sock.ParseAddr(parts.Name).IP
		p.From = unmapped(p.to.peer)
		p.SegmentSize = len(p.Data)
		for m := range sock.Messages(parts.Control) {
			if n, ok := m.SegmentSize(); ok && n > 0 && n < len(p.Data) {
				p.SegmentSize = n
			}
			if info, ok := m.PacketInfo(); ok && info.Local.IsValid() {
				p.to.local = info.Local
				p.Local = netip.AddrPortFrom(info.Local.Unmap(), ps.addr.Port())
			}
		}
	}
	n := uint64(1)
	if p.SegmentSize > 0 {
		n = uint64((len(p.Data) + p.SegmentSize - 1) / p.SegmentSize)
	}
	l.packetsIn.Add(n)
	defer l.packetOver(ps, done)
	if l.stopping {
		return // what is answered already must get out some time
	}
	ps.handler.OnPacket(p)
}

// packetOver gives the buffer back. A panic is logged.
func (l *loop) packetOver(ps *packets, done *api.Completion) {
	if v := recover(); v != nil {
		_ = l.srv.panicked(v) // which has logged it
	}
	ps.packet = Packet{}
	if len(done.Buf) == 0 {
		return
	}
	if err := l.packetGroup.Release(done.Lease); err != nil {
		panic("reactor: a lease was released twice: " + err.Error()) // a fault of this package
	}
}

// queue puts a datagram into a train.
func (ps *packets) queue(to route, b []byte) error {
	switch {
	case len(b) > packetMost:
		ps.l.packetsDropped.Add(1)
		return syscall.EMSGSIZE
	case ps.unsent+len(b)+packetCost > ps.l.cfg.PacketQueue:
		ps.l.packetsDropped.Add(1)
		return ErrOutputFull
	}
	ps.unsent += len(b) + packetCost
	t := ps.trainFor(to, len(b))
	t.buf = append(t.buf, b...)
	t.n++
	t.full = t.full || len(b) < t.size || t.n == trainLength
	return nil
}

// trainFor is the train for n more bytes. Those to one peer go in order, so that it is the last one to that peer, if it has room, or a new one.
func (ps *packets) trainFor(to route, n int) *train {
	for i := len(ps.open) - 1; i >= max(0, len(ps.open)-trainLook); i-- {
		t := ps.open[i]
		if t.to != to {
			continue
		}
		if !t.full && n > 0 && n <= t.size && t.size <= ps.segmentMax && len(t.buf)+n <= trainBytes {
			return t
		}
		break
	}
	t := ps.l.newTrain(ps, to, n)
	ps.open = append(ps.open, t)
	return t
}

func (l *loop) newTrain(ps *packets, to route, size int) *train {
	var t *train
	if n := len(l.freeTrains); n > 0 {
		t = l.freeTrains[n-1]
		l.freeTrains = l.freeTrains[:n-1]
	} else {
		t = &train{slot: uint32(len(l.trains))}
		l.trains = append(l.trains, t)
	}
	t.ps, t.to, t.size, t.n, t.full = ps, to, size, 0, false
	return t
}

// flushPackets hands over what was replied in this turn.
func (l *loop) flushPackets() {
	for i := range l.listeners {
		ps := l.listeners[i].packets
		if ps == nil || len(ps.open) == 0 {
			continue
		}
		for _, t := range ps.open {
			l.depart(t)
		}
		clear(ps.open)
		ps.open = ps.open[:0]
	}
}

// depart sends a train.
func (l *loop) depart(t *train) {
	t.control = t.control[:0]
	if t.n > 1 {
		t.control, _ = sock.AppendSegmentSize(t.control, t.size) // there is one, or segmentMax is 0
	}
	if t.to.local.IsValid() {
		t.control, _ = sock.AppendPacketInfo(t.control, sock.PacketInfo{Local: t.to.local}) // which has come by it
	}
	t.bufs[0] = t.buf
	t.msg = api.Msg{Bufs: t.bufs[:], Addr: api.IPAddr(t.to.peer), Control: t.control}
	l.push(api.SendMsg(int(t.ps.fd), &t.msg, tagOf(kindReply, t.slot)))
}

// replied handles the completion of a send.
func (l *loop) replied(slot uint32, done *api.Completion) {
	t := l.trains[slot]
	ps := t.ps
	switch {
	case done.Res >= 0:
		l.packetsOut.Add(uint64(t.n))
	case t.n > 1 && done.Err() != api.ErrCanceled && !l.stopping:
		// The path takes no segments of this size, or the system none at all.
		ps.segmentMax = min(t.size-1, segmentSure)
		if t.size <= segmentSure {
			ps.segmentMax = 0
		}
		l.uncouple(t)
	default:
		l.packetsDropped.Add(uint64(t.n))
	}
	ps.unsent -= len(t.buf) + t.n*packetCost
	l.retire(t)
	if l.stopping && ps.unsent == 0 {
		l.unlisten(int(ps.index))
	}
}

// uncouple sends the datagrams of a train one by one.
func (l *loop) uncouple(t *train) {
	for rest := t.buf; len(rest) > 0; {
		n := min(t.size, len(rest))
		one := l.newTrain(t.ps, t.to, n)
		one.buf, one.n, one.full = append(one.buf, rest[:n]...), 1, true
		t.ps.open = append(t.ps.open, one)
		t.ps.unsent += n + packetCost
		rest = rest[n:]
	}
}

// retire keeps a train for later. The slots of all stay, as many as were in use at once.
func (l *loop) retire(t *train) {
	if len(l.freeTrains) >= trainsMost {
		t.buf = nil
	}
	t.buf, t.bufs[0], t.msg = t.buf[:0], nil, api.Msg{}
	l.freeTrains = append(l.freeTrains, t)
}
