package echo

import "github.com/sluiceio/sluice/api"

// A tag says what has completed, on which connection:
//
//	63  60 59             40 39      24 23             0
//	+-----+-----------------+----------+---------------+
//	|kind |   generation    |  buffer  |      fd       |
//	+-----+-----------------+----------+---------------+
//
// With Options.FixedFiles the fd is a slot. The generation counts the uses of the number, and the buffer is that of a send, or a spare one. A kernel gives out
// no fds of more than 24 bits unless fs.nr_open was raised above 2^24; such a connection is closed at once.
const (
	fdBits     = 24
	bufferBits = 16
	genBits    = 20

	fdMax   = 1<<fdBits - 1
	genMask = 1<<genBits - 1
)

// kind is what an operation is for.
type kind uint8

const (
	kindAccept kind = iota
	kindBackoff
	kindRecv
	kindSend
	kindRecvSpare // into a buffer outside of the group
	kindSendSpare
	kindClose
	kindCancel
	kindOption
	kindUnlisten // the close of the listener
)

func tagOf(k kind, gen uint32, buffer uint16, fd int32) uint64 {
	return uint64(k)<<(fdBits+bufferBits+genBits) | uint64(gen&genMask)<<(fdBits+bufferBits) |
		uint64(buffer)<<fdBits | uint64(uint32(fd)&fdMax)
}

func tagKind(t uint64) kind     { return kind(t >> (fdBits + bufferBits + genBits)) }
func tagGen(t uint64) uint32    { return uint32(t>>(fdBits+bufferBits)) & genMask }
func tagBuffer(t uint64) uint16 { return uint16(t >> fdBits) }
func tagFD(t uint64) int32      { return int32(t & fdMax) }

// bufferOf is the number of the buffer in a lease, whose layout package api documents.
func bufferOf(l api.Lease) uint16 { return uint16(l) }

// conn is a connection. It lies in a slice at the index of its fd, or slot.
type conn struct {
	gen   uint32 // of the number, genBits of it count
	sends uint32 // in flight
	state connState
}

// connState are facts about a connection.
type connState uint8

const (
	isOpen    connState = 1 << iota
	receiving           // a receive is in flight
	paused              // it has as many sends in flight as it may; it receives again when some are done
	atEOF               // the peer sends no more
	closing             // its close is in flight
)

func (c *conn) is(s connState) bool { return c.state&s != 0 }
