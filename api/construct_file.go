package api

// Openat opens path, relative to the directory dirfd (AtCWD for the working directory), as open(2) does. Res is the new fd,
// close-on-exec whether flags has O_CLOEXEC or not. mode is that of a file that is created. It never waits for a device or for the other end of a
// FIFO: to open one for reading succeeds at once, to open one for writing that nobody reads is ENXIO. For whoever holds a lease on
// the file it waits, unless flags has O_NONBLOCK.
//
// Of this and all other operations on paths: dirfd does not matter when path is absolute. The strings are the program's at
// once, what else the operation points to (how, out, a buffer) when it has had its completion.
func Openat(dirfd int, path string, flags, mode uint32, tag uint64) Op {
	return Op{Code: OpOpenat, FD: fd32(dirfd), Arg: flags, Off: int64(mode), Args: &Args{Path: path}, Tag: tag}
}

// Openat2 is Openat in the way that how says: openat2(2), which refuses flags that it does not know. A nil how is EFAULT.
func Openat2(dirfd int, path string, how *OpenHow, tag uint64) Op {
	return Op{Code: OpOpenat2, FD: fd32(dirfd), Args: &Args{Path: path, How: how}, Tag: tag}
}

// Statx puts into out what mask (STATX_*) asks for of path, relative to dirfd; of dirfd itself with an empty path and
// AT_EMPTY_PATH in flags. A nil out is EFAULT.
func Statx(dirfd int, path string, flags, mask uint32, out *StatxBuf, tag uint64) Op {
	return Op{Code: OpStatx, FD: fd32(dirfd), Arg: flags, Off: int64(mask), Args: &Args{Path: path, Stat: out}, Tag: tag}
}

// Unlinkat removes path, relative to dirfd; a directory with AT_REMOVEDIR in flags.
func Unlinkat(dirfd int, path string, flags uint32, tag uint64) Op {
	return Op{Code: OpUnlinkat, FD: fd32(dirfd), Arg: flags, Args: &Args{Path: path}, Tag: tag}
}

// Mkdirat makes the directory path, relative to dirfd.
func Mkdirat(dirfd int, path string, mode uint32, tag uint64) Op {
	return Op{Code: OpMkdirat, FD: fd32(dirfd), Off: int64(mode), Args: &Args{Path: path}, Tag: tag}
}

// Renameat renames oldPath, relative to oldDir, to newPath, relative to newDir. flags are RENAME_*.
func Renameat(oldDir int, oldPath string, newDir int, newPath string, flags uint32, tag uint64) Op {
	return Op{Code: OpRenameat, FD: fd32(oldDir), Arg: flags, Args: &Args{Path: oldPath, FD2: fd32(newDir), NewPath: newPath}, Tag: tag}
}

// Linkat makes newPath another name of oldPath. flags are AT_SYMLINK_FOLLOW and AT_EMPTY_PATH.
func Linkat(oldDir int, oldPath string, newDir int, newPath string, flags uint32, tag uint64) Op {
	return Op{Code: OpLinkat, FD: fd32(oldDir), Arg: flags, Args: &Args{Path: oldPath, FD2: fd32(newDir), NewPath: newPath}, Tag: tag}
}

// Symlinkat makes newPath, relative to newDir, a symbolic link to target.
func Symlinkat(target string, newDir int, newPath string, tag uint64) Op {
	return Op{Code: OpSymlinkat, FD: fd32(newDir), Args: &Args{Path: target, NewPath: newPath}, Tag: tag}
}

// Getxattr reads the extended attribute name of path into buf. Res is its length; an empty buf only asks for that.
func Getxattr(path, name string, buf []byte, tag uint64) Op {
	return Op{Code: OpGetxattr, FD: AtCWD, Buf: buf, Args: &Args{Path: path, Name: name}, Tag: tag}
}

// Setxattr sets the extended attribute name of path to value. flags are XATTR_CREATE or XATTR_REPLACE.
func Setxattr(path, name string, value []byte, flags uint32, tag uint64) Op {
	return Op{Code: OpSetxattr, FD: AtCWD, Buf: value, Arg: flags, Args: &Args{Path: path, Name: name}, Tag: tag}
}

// Fgetxattr is Getxattr of an open file.
func Fgetxattr(fd int, name string, buf []byte, tag uint64) Op {
	return Op{Code: OpFgetxattr, FD: fd32(fd), Buf: buf, Args: &Args{Name: name}, Tag: tag}
}

// Fsetxattr is Setxattr of an open file.
func Fsetxattr(fd int, name string, value []byte, flags uint32, tag uint64) Op {
	return Op{Code: OpFsetxattr, FD: fd32(fd), Buf: value, Arg: flags, Args: &Args{Name: name}, Tag: tag}
}

// Fallocate allocates or frees space of a file: mode is FALLOC_FL_*.
func Fallocate(fd int, mode uint32, off, n int64, tag uint64) Op {
	return Op{Code: OpFallocate, FD: fd32(fd), Arg: mode, Off: off, Args: &Args{Len: n}, Tag: tag}
}

// Ftruncate sets the size of a file.
func Ftruncate(fd int, size int64, tag uint64) Op {
	return Op{Code: OpFtruncate, FD: fd32(fd), Off: size, Tag: tag}
}

// Fadvise tells the kernel how n bytes from off will be used (0: to the end): advice is POSIX_FADV_*. Advice that does not
// suit the kind of file is ignored.
func Fadvise(fd int, off, n int64, advice uint32, tag uint64) Op {
	return Op{Code: OpFadvise, FD: fd32(fd), Arg: advice, Off: off, Args: &Args{Len: n}, Tag: tag}
}

// Madvise tells the kernel how mem will be used: advice is MADV_*. mem must be whole pages, which memory of the Go heap is not.
func Madvise(mem []byte, advice uint32, tag uint64) Op {
	return Op{Code: OpMadvise, FD: -1, Buf: mem, Arg: advice, Tag: tag}
}

// Fsync makes what was written to the file durable; with DataSync only the data.
func Fsync(fd int, tag uint64) Op { return Op{Code: OpFsync, FD: fd32(fd), Tag: tag} }

// SyncFileRange writes n bytes from off (0: to the end) to the disk: flags are SYNC_FILE_RANGE_*. It makes
// nothing durable.
func SyncFileRange(fd int, off, n int64, flags uint32, tag uint64) Op {
	return Op{Code: OpSyncFileRange, FD: fd32(fd), Arg: flags, Off: off, Args: &Args{Len: n}, Tag: tag}
}

// Splice moves up to n bytes from one file to another without copying them to the program; one of the two is a pipe.
// offIn and offOut are positions, CurrentPosition for a pipe and for the file's own. flags are SPLICE_F_*. It waits until it
// can move something, whatever O_NONBLOCK of the files says, but with SPLICE_F_NONBLOCK or DontWait it is EAGAIN. Res is how many bytes, 0 at
// the end. Nobody reads what it writes: EPIPE, without a signal.
//
// It takes its turn in the order of what is read from fdIn and of what is written to fdOut, unless it has a position
// there. A socket or device that lacks O_NONBLOCK has it for the time of the system call, which others who use the same open file may notice.
func Splice(fdIn int, offIn int64, fdOut int, offOut int64, n int, flags uint32, tag uint64) Op {
	return Op{Code: OpSplice, FD: fd32(fdIn), Off: offIn, Arg: flags, Args: &Args{FD2: fd32(fdOut), Off2: offOut, Len: int64(n)}, Tag: tag}
}

// Tee is Splice from a pipe to another that leaves the bytes in the first.
func Tee(fdIn, fdOut, n int, flags uint32, tag uint64) Op {
	return Op{Code: OpTee, FD: fd32(fdIn), Arg: flags, Args: &Args{FD2: fd32(fdOut), Len: int64(n)}, Tag: tag}
}

// Pipe makes a pipe and puts its ends into fds, the one to read from first; close-on-exec always. flags are O_NONBLOCK and the like (pipe2(2)).
// A nil fds is EFAULT. After a failure fds is as it was.
func Pipe(fds *[2]int32, flags uint32, tag uint64) Op {
	return Op{Code: OpPipe, FD: -1, Arg: flags, Args: &Args{Pipe: fds}, Tag: tag}
}
