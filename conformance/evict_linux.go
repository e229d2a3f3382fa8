package conformance

import "golang.org/x/sys/unix"

// Evict takes the file out of the page cache, as far as its file system can.
func (t *T) Evict(fd int) {
	t.must("fsync", unix.Fsync(fd))
	t.must("fadvise", unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED))
}
