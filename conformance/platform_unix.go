//go:build unix

package conformance

import (
	"slices"

	"golang.org/x/sys/unix"
)

// platformCases are those that need files.
func platformCases() []Case {
	return needing(NeedFiles, slices.Concat(orderCases, plainCases, cancelFDCases, deadlineCases, lateFileCases, acceptCases, connectCases, streamCases, datagramCases, fileCases,
		vectorCases, bufferCases, multishotCases, pollCases, pollUpdateCases, levelCases, shutdownCases, closeCases, errorCases,
		fixedFileCases, registeredCases, slotCases, directFileCases, numberCases, idleCases, fairCases, backlogCases, flagCases, workerCases, ringCases, pathCases, pipeCases, socketCases, optionCases,
		selectedCases(),
		bufferGroupCases, arenaCases,
		linkFileCases, linkTimeoutFileCases, skipFileCases, drainFileCases, cancelManyFileCases, fixedBufferCases, ringFileCases(), zeroCopyCases, recvZCCases, systemCases()))
}

func closeFD(fd int) { _ = unix.Close(fd) } // nothing can be done about an error at the end of a case
