//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package kv

import "os"

// locks says that lock does something.
const locks = false

// lock does nothing where there is no flock(2).
func lock(*os.File) error { return nil }
