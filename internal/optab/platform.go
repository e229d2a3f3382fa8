package optab

import (
	"runtime"

	"github.com/sluiceio/sluice/api"
)

// linuxOnly are the operations whose system calls no other system has. There they are absent, so that Submit
// tells, rather than taken and failed.
var linuxOnly = api.Ops(api.OpSyncFileRange, api.OpFallocate, api.OpStatx, api.OpFadvise, api.OpOpenat2, api.OpSplice, api.OpTee,
	api.OpFsetxattr, api.OpSetxattr, api.OpFgetxattr, api.OpGetxattr,
	api.OpWaitid, api.OpFutexWait, api.OpFutexWake, api.OpFutexWaitv)

// Done is the set of the operations that the engines of this version perform on this platform.
func Done() (s api.OpSet) { return doneOn(runtime.GOOS) }

func doneOn(goos string) (s api.OpSet) {
	for c := range api.OpCode(api.OpCount) {
		if table[c].Done {
			s |= api.Ops(c)
		}
	}
	if goos != "linux" {
		s &^= linuxOnly
	}
	return s
}

// Personal are the operations that take a personality: those that the credentials of who performs them matter for.
const Personal = api.OpSet(1<<api.OpOpenat | 1<<api.OpOpenat2 | 1<<api.OpStatx | 1<<api.OpUnlinkat | 1<<api.OpRenameat | 1<<api.OpMkdirat |
	1<<api.OpSymlinkat | 1<<api.OpLinkat | 1<<api.OpGetxattr | 1<<api.OpSetxattr | 1<<api.OpFgetxattr | 1<<api.OpFsetxattr |
	1<<api.OpConnect | 1<<api.OpBind)

// Pooled is the set of the operations that always need a worker where the kernel does not perform them.
func Pooled() (s api.OpSet) {
	for c := range api.OpCode(api.OpCount) {
		if table[c].Pool {
			s |= api.Ops(c)
		}
	}
	return s & Done()
}

// LinuxOnly says whether c is absent on other systems.
func LinuxOnly(c api.OpCode) bool { return linuxOnly.Has(c) }
