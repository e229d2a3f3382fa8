package iouring

import "unsafe"

// CurrentPosition as an offset makes a read or write use and advance the position of the file, as read(2) does.
const CurrentPosition = ^uint64(0)

// sizeofOpenHow is sizeof(struct open_how), version 0, the only one there is.
const sizeofOpenHow = 24

// PrepRead reads n bytes at off into p.
func (s *SQE) PrepRead(fd int32, p unsafe.Pointer, n uint32, off uint64) {
	s.set(IORING_OP_READ, fd, address(p), n, off)
}

// PrepWrite writes n bytes from p at off.
func (s *SQE) PrepWrite(fd int32, p unsafe.Pointer, n uint32, off uint64) {
	s.set(IORING_OP_WRITE, fd, address(p), n, off)
}

// PrepReadFixed is PrepRead into registered buffer index, inside which p has to lie.
func (s *SQE) PrepReadFixed(fd int32, p unsafe.Pointer, n uint32, off uint64, index uint16) {
	s.set(IORING_OP_READ_FIXED, fd, address(p), n, off)
	s.BufIndex = index
}

// PrepWriteFixed is PrepWrite from registered buffer index, inside which p has to lie.
func (s *SQE) PrepWriteFixed(fd int32, p unsafe.Pointer, n uint32, off uint64, index uint16) {
	s.set(IORING_OP_WRITE_FIXED, fd, address(p), n, off)
	s.BufIndex = index
}

// PrepReadv reads into the n struct iovec at iov. The array itself may be reused once the SQE has been consumed.
func (s *SQE) PrepReadv(fd int32, iov unsafe.Pointer, n uint32, off uint64) {
	s.set(IORING_OP_READV, fd, address(iov), n, off)
}

// PrepWritev writes the n struct iovec at iov. The array itself may be reused once the SQE has been consumed.
func (s *SQE) PrepWritev(fd int32, iov unsafe.Pointer, n uint32, off uint64) {
	s.set(IORING_OP_WRITEV, fd, address(iov), n, off)
}

// PrepReadvFixed is PrepReadv into parts of registered buffer index.
func (s *SQE) PrepReadvFixed(fd int32, iov unsafe.Pointer, n uint32, off uint64, index uint16) {
	s.set(IORING_OP_READV_FIXED, fd, address(iov), n, off)
	s.BufIndex = index
}

// PrepWritevFixed is PrepWritev from parts of registered buffer index.
func (s *SQE) PrepWritevFixed(fd int32, iov unsafe.Pointer, n uint32, off uint64, index uint16) {
	s.set(IORING_OP_WRITEV_FIXED, fd, address(iov), n, off)
	s.BufIndex = index
}

// PrepReadMultishot reads whenever fd has data, each time into a buffer of group. A zero n means the whole buffer.
func (s *SQE) PrepReadMultishot(fd int32, n uint32, off uint64, group uint16) {
	s.set(IORING_OP_READ_MULTISHOT, fd, 0, n, off)
	s.SetBufferGroup(group)
}

// PrepFsync is fsync(2), or fdatasync(2) with IORING_FSYNC_DATASYNC. A zero n with a zero off means the whole file.
func (s *SQE) PrepFsync(fd int32, n uint32, off uint64, flags uint32) {
	s.set(IORING_OP_FSYNC, fd, 0, n, off)
	s.OpFlags = flags
}

// PrepSyncFileRange is sync_file_range(2).
func (s *SQE) PrepSyncFileRange(fd int32, n uint32, off uint64, flags uint32) {
	s.set(IORING_OP_SYNC_FILE_RANGE, fd, 0, n, off)
	s.OpFlags = flags
}

// PrepFallocate is fallocate(2).
func (s *SQE) PrepFallocate(fd int32, mode uint32, off, n uint64) {
	s.set(IORING_OP_FALLOCATE, fd, n, mode, off)
}

// PrepFtruncate is ftruncate(2).
func (s *SQE) PrepFtruncate(fd int32, n uint64) { s.set(IORING_OP_FTRUNCATE, fd, 0, 0, n) }

// PrepFadvise is posix_fadvise(2).
func (s *SQE) PrepFadvise(fd int32, off uint64, n, advice uint32) {
	s.set(IORING_OP_FADVISE, fd, 0, n, off)
	s.OpFlags = advice
}

// PrepMadvise is madvise(2).
func (s *SQE) PrepMadvise(p unsafe.Pointer, n, advice uint32) {
	s.set(IORING_OP_MADVISE, -1, address(p), n, 0)
	s.OpFlags = advice
}

// PrepOpenat is openat(2); path is NUL-terminated.
func (s *SQE) PrepOpenat(dirFD int32, path unsafe.Pointer, flags, mode uint32) {
	s.set(IORING_OP_OPENAT, dirFD, address(path), mode, 0)
	s.OpFlags = flags
}

// PrepOpenat2 is openat2(2); how points at a struct open_how.
func (s *SQE) PrepOpenat2(dirFD int32, path, how unsafe.Pointer) {
	s.set(IORING_OP_OPENAT2, dirFD, address(path), sizeofOpenHow, address(how))
}

// PrepClose is close(2).
func (s *SQE) PrepClose(fd int32) { s.set(IORING_OP_CLOSE, fd, 0, 0, 0) }

// PrepCloseSlot empties a slot of the registered files.
func (s *SQE) PrepCloseSlot(slot uint32) {
	s.set(IORING_OP_CLOSE, 0, 0, 0, 0)
	s.SetTargetSlot(slot)
}

// PrepStatx is statx(2); out points at a struct statx.
func (s *SQE) PrepStatx(dirFD int32, path unsafe.Pointer, flags, mask uint32, out unsafe.Pointer) {
	s.set(IORING_OP_STATX, dirFD, address(path), mask, address(out))
	s.OpFlags = flags
}

// PrepSplice is splice(2). CurrentPosition as an offset means a nil pointer there.
func (s *SQE) PrepSplice(fdIn int32, offIn uint64, fdOut int32, offOut uint64, n, flags uint32) {
	s.set(IORING_OP_SPLICE, fdOut, offIn, n, offOut)
	s.FileIndex = uint32(fdIn)
	s.OpFlags = flags
}

// PrepTee is tee(2).
func (s *SQE) PrepTee(fdIn, fdOut int32, n, flags uint32) {
	s.set(IORING_OP_TEE, fdOut, 0, n, 0)
	s.FileIndex = uint32(fdIn)
	s.OpFlags = flags
}

// PrepPipe is pipe2(2); fds points at two int32.
func (s *SQE) PrepPipe(fds *[2]int32, flags uint32) {
	// SAFETY: see address; the array must be heap memory until the completion, because the kernel writes to it.
	s.set(IORING_OP_PIPE, 0, address(unsafe.Pointer(fds)), 0, 0)
	s.OpFlags = flags
}

// PrepRenameat is renameat2(2).
func (s *SQE) PrepRenameat(oldDirFD int32, oldPath unsafe.Pointer, newDirFD int32, newPath unsafe.Pointer, flags uint32) {
	s.set(IORING_OP_RENAMEAT, oldDirFD, address(oldPath), uint32(newDirFD), address(newPath))
	s.OpFlags = flags
}

// PrepLinkat is linkat(2).
func (s *SQE) PrepLinkat(oldDirFD int32, oldPath unsafe.Pointer, newDirFD int32, newPath unsafe.Pointer, flags uint32) {
	s.set(IORING_OP_LINKAT, oldDirFD, address(oldPath), uint32(newDirFD), address(newPath))
	s.OpFlags = flags
}

// PrepSymlinkat is symlinkat(2).
func (s *SQE) PrepSymlinkat(target unsafe.Pointer, newDirFD int32, newPath unsafe.Pointer) {
	s.set(IORING_OP_SYMLINKAT, newDirFD, address(target), 0, address(newPath))
}

// PrepUnlinkat is unlinkat(2).
func (s *SQE) PrepUnlinkat(dirFD int32, path unsafe.Pointer, flags uint32) {
	s.set(IORING_OP_UNLINKAT, dirFD, address(path), 0, 0)
	s.OpFlags = flags
}

// PrepMkdirat is mkdirat(2).
func (s *SQE) PrepMkdirat(dirFD int32, path unsafe.Pointer, mode uint32) {
	s.set(IORING_OP_MKDIRAT, dirFD, address(path), mode, 0)
}

// PrepFgetxattr is fgetxattr(2).
func (s *SQE) PrepFgetxattr(fd int32, name, value unsafe.Pointer, n uint32) {
	s.set(IORING_OP_FGETXATTR, fd, address(name), n, address(value))
}

// PrepFsetxattr is fsetxattr(2).
func (s *SQE) PrepFsetxattr(fd int32, name, value unsafe.Pointer, n, flags uint32) {
	s.set(IORING_OP_FSETXATTR, fd, address(name), n, address(value))
	s.OpFlags = flags
}

// PrepGetxattr is getxattr(2).
func (s *SQE) PrepGetxattr(path, name, value unsafe.Pointer, n uint32) {
	s.set(IORING_OP_GETXATTR, 0, address(name), n, address(value))
	s.Addr3 = address(path)
}

// PrepSetxattr is setxattr(2).
func (s *SQE) PrepSetxattr(path, name, value unsafe.Pointer, n, flags uint32) {
	s.set(IORING_OP_SETXATTR, 0, address(name), n, address(value))
	s.Addr3 = address(path)
	s.OpFlags = flags
}
