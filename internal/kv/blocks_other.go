//go:build !linux

package kv

import "os"

// durableWrites is 0: what a system promises of O_DSYNC differs, and fsync is what packages know how to ask for.
const durableWrites = 0

func setDirect(*os.File, bool) {}
