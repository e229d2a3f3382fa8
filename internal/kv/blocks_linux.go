package kv

import (
	"os"
	"syscall"

	"github.com/sluiceio/sluice/internal/sysx"
)

// durableWrites is how a file is opened whose writes are durable when they have completed, 0: there are none.
const durableWrites = syscall.O_DSYNC

// setDirect has writes go to the device without the page cache, where the file system can: it may not, and they are durable all the same.
func setDirect(f *os.File, on bool) { _ = sysx.SetDirect(int32(f.Fd()), on) }
