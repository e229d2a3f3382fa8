package kv

import (
	"errors"
	"os"

	"github.com/sluiceio/sluice/arena"
)

const (
	// blockSize is what O_DIRECT wants places in the file and in memory, and lengths, to be multiples of. No common device or file system has larger blocks.
	blockSize = 4096
	// pieceMax bounds one write in blocks.
	pieceMax = 1 << 20
	// layOutSize is how much of the file is laid out at a time, and layOutMax how large a write may be that room is laid out for: a larger one costs more than
	// what the file system has to do for it.
	layOutSize = 1 << 20
	layOutMax  = 64 << 10
)

// blocks is how the file is written with FsyncAlways, where the system has O_DSYNC: in whole blocks, which are durable when the write has completed.
// Most of them are written over zeros that are in the file already, so that nothing changes but data: a file that grows makes
// the file system write where it ends, too, each time. The entries of the last block are written again with the next ones. Behind them the file has zeros, up
// to where it is laid out; they are cut off when the file is closed, or read.
//
//	|<- entries ->|<- new ->|0 0|0 0 0 0 0 0 0 0|
//	^             ^             ^               ^ blocks
//	at            at+tail       end of write    room
type blocks struct {
	mem  *arena.Arena
	buf  []byte // what is written. It begins with the entries of the last block
	zero []byte
	at   int64 // where buf begins in the file
	tail int   // how many bytes of entries buf begins with, less than blockSize
	room int64 // up to here the file is laid out
}

// newBlocks goes on behind the entries of a file, which end at end.
func newBlocks(f *os.File, end int64) (*blocks, error) {
	mem, err := arena.New(pieceMax+layOutSize, nil)
	if err != nil {
		return nil, err
	}
	all := mem.Bytes()
	b := &blocks{mem: mem, buf: all[:pieceMax], zero: all[pieceMax:], tail: int(end % blockSize)}
	b.at = end - int64(b.tail)
	b.room = b.at + int64(wholeBlocks(b.tail))
	if _, err := f.ReadAt(b.buf[:b.tail], b.at); err != nil {
		return nil, errors.Join(err, mem.Close())
	}
	return b, nil
}

// fill takes entries as far as one write has room for them: n bytes. whole is what is to be written at b.at.
func (b *blocks) fill(entries []byte) (n int, whole []byte) {
	n = copy(b.buf[b.tail:], entries)
	end := wholeBlocks(b.tail + n)
	clear(b.buf[b.tail+n : end])
	return n, b.buf[:end]
}

// wrote is told when that is in the file.
func (b *blocks) wrote(n int) {
	end := b.tail + n
	b.room = max(b.room, b.at+int64(wholeBlocks(end)))
	full := end / blockSize * blockSize
	b.tail = copy(b.buf, b.buf[full:end])
	b.at += int64(full)
}

// cramped says whether room is to be laid out for a write.
func (b *blocks) cramped(whole []byte) bool {
	return len(whole) <= layOutMax && b.at+int64(len(whole)) > b.room
}

// close gives the memory back.
func (b *blocks) close() error { return b.mem.Close() }

// wholeBlocks is n rounded up to whole blocks.
func wholeBlocks(n int) int { return (n + blockSize - 1) / blockSize * blockSize }
