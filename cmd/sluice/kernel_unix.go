//go:build unix

package main

import "golang.org/x/sys/unix"

// kernel is what the kernel calls itself, "" if it does not tell.
func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}
