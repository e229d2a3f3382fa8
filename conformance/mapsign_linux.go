package conformance

import (
	"bytes"
	"os"

	"golang.org/x/sys/unix"
)

// mapSign is other bytes whenever there are other mappings among those that mapped counts: where files are mapped, and in all builds but the race
// detector's, which does not look at it, how much memory in all. Both are read without a look at each mapping: the kernel lists those of files alone in
// map_files (proc_pid_map_files(5)), and keeps the size, which is the first number of statm, as it goes.
//
// It does not see that one file has taken the place of another from end to end, or that as much memory has come as has gone.
func mapSign() (sign []byte, ok bool) {
	fd, err := unix.Open("/proc/self/map_files", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false
	}
	defer unix.Close(fd)
	for {
		const room = 4096
		at := len(sign)
		sign = append(sign, make([]byte, room)...)
		n, err := unix.ReadDirent(fd, sign[at:])
		if err != nil {
			return nil, false
		}
		sign = sign[:at+n]
		if n == 0 {
			break
		}
	}
	if raceBuild {
		return sign, true
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return nil, false
	}
	size, _, _ := bytes.Cut(statm, []byte(" "))
	return append(sign, size...), true
}
