//go:build race

package core

import (
	"runtime"
	"unsafe"

	"github.com/sluiceio/sluice/api"
)

// The race detector sees neither what the kernel writes nor reads. These functions tell it, so that a
// program is reported which touches a buffer in another goroutine while the engine owns it.

// raceEnabled says whether this is a build with the race detector.
const raceEnabled = true

func raceSubmit(op *api.Op) { raceOp(op) }
func raceDone(op *api.Op)   { raceOp(op) }

func raceOp(op *api.Op) {
	reads := false // the engine reads the memory, the program may do so too
	switch {
	case readers.Has(op.Code):
		reads = true
	case op.Code == api.OpUringCmd:
		reads = op.Arg == api.SockSetOpt
	case op.Code == api.OpMadvise:
		return // it neither reads nor writes
	}
	if op.Code == api.OpFilesUpdate && op.Args != nil {
		raceFDs(op.Args.FDs, op.Off != api.AnySlot)
	}
	raceRange(op.Buf, reads)
	if op.Msg != nil && op.Flags&api.BufferSelect == 0 {
		var last []byte
		for _, b := range op.Msg.Bufs {
			// The same memory many times over, as for a block of zeros, would take seconds to say.
			// SAFETY: the addresses are only compared.
			if len(b) != len(last) || unsafe.SliceData(b) != unsafe.SliceData(last) {
				raceRange(b, reads)
			}
			last = b
		}
	}
}

func raceRange(b []byte, reads bool) {
	if len(b) == 0 {
		return
	}
	// SAFETY: the address is of b's own array, which is alive, and is only compared.
	p := unsafe.Pointer(unsafe.SliceData(b))
	if reads {
		runtime.RaceReadRange(p, len(b))
	} else {
		runtime.RaceWriteRange(p, len(b))
	}
}

func raceFDs(fds []int32, reads bool) {
	if len(fds) == 0 {
		return
	}
	// SAFETY: as in raceRange; the array has four bytes for each element.
	raceRange(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(fds))), 4*len(fds)), reads)
}

func raceLease(b []byte)   { raceRange(b, false) }
func raceRelease(b []byte) { raceRange(b, false) }
