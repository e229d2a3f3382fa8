package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A file that can be verified consists of units, each with a header. The rest of a unit is made of its position and
// generation, so that no two units are alike, and the checksum is of all but itself.
//
//	0        8        16           24       28         32
//	+--------+--------+------------+--------+----------+------
//	| magic  | offset | generation | length | checksum | data
//	+--------+--------+------------+--------+----------+------
const (
	sealMagic  = 0x31626563_69756c73 // "sluiceb1"
	sealOffset = 8
	sealGen    = 16
	sealLen    = 24
	sealSum    = 28
	sealData   = 32

	pageSize = 4096
)

// anyGeneration is what checkSeal takes for a block of which it is not known how often it was written.
const anyGeneration = 0

// wrongBlock says that a unit is not what was written there.
type wrongBlock struct {
	offset int64 // of the unit
	reason string
}

func (e *wrongBlock) Error() string {
	return fmt.Sprintf("wrong data at offset %d: %s", e.offset, e.reason)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// unitOf is the size of the units of a file that is used in blocks of bs: as large as may be, so that one written in blocks
// of one size can be verified in blocks of another.
func unitOf(bs int64) int {
	if bs%pageSize == 0 {
		return pageSize
	}
	return sectorSize
}

// sealBlock fills b, which goes to offset, with units. A generation is never 0.
func sealBlock(b []byte, unit int, offset int64, generation uint64) {
	for ; len(b) > 0; b = b[unit:] {
		u := b[:unit:unit]
		x := uint64(offset)*0x9e3779b97f4a7c15 ^ generation
		for i := sealData; i < unit; i += 8 {
			x = x*6364136223846793005 + 1442695040888963407 // Knuth's MMIX: quick, and no two units alike
			binary.LittleEndian.PutUint64(u[i:], x)
		}
		binary.LittleEndian.PutUint64(u, sealMagic)
		binary.LittleEndian.PutUint64(u[sealOffset:], uint64(offset))
		binary.LittleEndian.PutUint64(u[sealGen:], generation)
		binary.LittleEndian.PutUint32(u[sealLen:], uint32(unit))
		binary.LittleEndian.PutUint32(u[sealSum:], sumOf(u))
		offset += int64(unit)
	}
}

func sumOf(u []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, u[:sealSum]), castagnoli, u[sealData:])
}

// checkSeal compares b, which was read at offset, with what sealBlock has made of it. It returns a *wrongBlock.
func checkSeal(b []byte, unit int, offset int64, generation uint64) error {
	for ; len(b) > 0; b = b[unit:] {
		u := b[:unit]
		if why := checkUnit(u, offset, generation); why != "" {
			return &wrongBlock{offset, why}
		}
		offset += int64(unit)
	}
	return nil
}

func checkUnit(u []byte, offset int64, generation uint64) string {
	if binary.LittleEndian.Uint64(u) != sealMagic {
		return "no header, as bench file makes them"
	}
	if n := binary.LittleEndian.Uint32(u[sealLen:]); n != uint32(len(u)) {
		return fmt.Sprintf("a header for %d bytes, not %d", n, len(u))
	}
	if sum, want := binary.LittleEndian.Uint32(u[sealSum:]), sumOf(u); sum != want {
		return fmt.Sprintf("the checksum is %08x, the data has %08x", sum, want)
	}
	if got := binary.LittleEndian.Uint64(u[sealOffset:]); got != uint64(offset) {
		return fmt.Sprintf("data that was written for offset %d", got)
	}
	if got := binary.LittleEndian.Uint64(u[sealGen:]); generation != anyGeneration && got != generation {
		return fmt.Sprintf("data of another write: %x, not %x", got, generation)
	}
	return ""
}
