package sysx

import "golang.org/x/sys/unix"

// LockLimit is RLIMIT_MEMLOCK in bytes, and whether it holds for the calling thread: not with CAP_IPC_LOCK.
func LockLimit() (limit uint64, limited bool) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &r); err != nil || r.Cur == unix.RLIM_INFINITY {
		return 0, false
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData // 64 bits in that version
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return r.Cur, true
	}
	return r.Cur, data[0].Effective&(1<<unix.CAP_IPC_LOCK) == 0
}
