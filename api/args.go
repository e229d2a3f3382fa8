package api

// Args holds what does not fit into an Op: paths, second files, and where results go. The
// caller makes it (the constructors do), may use it for one operation at a time, and leaves it alone until
// that operation's last completion.
type Args struct {
	// Path is the file that an operation is about: relative paths start at the directory Op.FD. It is the target of a symlinkat, and
	// the old path of a renameat or linkat. A path that holds a NUL is EINVAL.
	Path string
	// NewPath is what renameat, linkat and symlinkat make.
	NewPath string
	// Name is that of an extended attribute.
	Name string
	// Off2 is the position in FD2 that a splice writes at, CurrentPosition for none (a pipe has none).
	Off2 int64
	// Len is how many bytes, where Op.Buf does not tell.
	Len int64
	// FD2 is the second fd: the directory of NewPath, the output of a splice or tee.
	FD2 int32
	// How is what openat2 does.
	How *OpenHow
	// Stat is where statx puts its result.
	Stat *StatxBuf
	// Pipe is where pipe puts the ends, the one to read from first.
	Pipe *[2]int32
	// FDs are what FilesUpdate puts into slots, and where it tells which.
	FDs []int32
	// Child is where waitid puts its result. It may be nil.
	Child *ChildInfo
	// Futexes are what to wait for: one, or up to 128 of a FutexWaitv.
	Futexes []Futex
	// To is the engine that a message goes to.
	To Engine
	// ToTag is the tag of the completion there.
	ToTag uint64
}

// AtCWD as the directory of a path is the working directory of the process (AT_FDCWD).
const AtCWD = -100

// OpenHow is how openat2(2) opens a file. The layout is the kernel's.
type OpenHow struct {
	Flags   uint64 // O_*
	Mode    uint64 // of a file that is created, else 0
	Resolve uint64 // RESOLVE_*
}

// StatxBuf is what statx(2) tells of a file. The layout is the kernel's.
type StatxBuf struct {
	Mask           uint32 // STATX_*: which of the fields are filled in
	Blksize        uint32
	Attributes     uint64
	Nlink          uint32
	UID, GID       uint32
	Mode           uint16
	_              uint16
	Ino            uint64
	Size           uint64
	Blocks         uint64
	AttributesMask uint64
	Atime          StatxTime
	Btime          StatxTime
	Ctime          StatxTime
	Mtime          StatxTime
	RdevMajor      uint32
	RdevMinor      uint32
	DevMajor       uint32
	DevMinor       uint32
	MntID          uint64
	DioMemAlign    uint32
	DioOffsetAlign uint32
	_              [12]uint64 // what later kernels add
}

// StatxTime is a time in a StatxBuf.
type StatxTime struct {
	Sec  int64
	Nsec uint32
	_    int32
}

// ChildInfo is what waitid(2) tells of a process. It is zero when WNOHANG was asked for and nothing has happened.
type ChildInfo struct {
	PID    int32
	UID    uint32
	Signo  int32 // SIGCHLD
	Status int32 // the exit status, or the signal
	Code   int32 // CLD_EXITED, CLD_KILLED, …
}

// Futex is one word to wait for, as long as it holds Val.
type Futex struct {
	Addr *uint32
	Val  uint32
	// Shared makes it one that other processes use too.
	Shared bool
}
