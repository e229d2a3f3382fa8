package optab

import "github.com/sluiceio/sluice/api"

// How says how an operation is performed.
type How uint8

// The ways. The first two are the same on io_uring; the others are for where the kernel's io_uring does not perform the operation, or
// is not there.
const (
	Nobody How = iota // it is not performed
	Engine            // by the engine itself
	Call              // by a system call that never waits
	Quick             // at once, by system calls that never wait, if it takes any
	Tried             // by system calls that do not wait; the engine waits until the file is ready
	Worker            // by a system call in a thread of the pool
)

// Doc is what docs/OPERATIONS.md says of an operation beside the facts in Info.
type Doc struct {
	Make   []string // its constructors in package api
	Res    string   // what Completion.Res is when it succeeds
	Errors string   // those that are its own, beside EBADF and those of the system call that it is named after
	How    How
	Note   string   // how else it is done
	Rules  []string // families of docs/SEMANTICS.md
	Not    string   // why it is not performed, for operations that are not Done
}

const (
	bytesMoved = "the number of bytes, 0 at the end of the stream or file"
	bytesGone  = "the number of bytes, which may be fewer than asked for"
	newFD      = "the new fd, close-on-exec; with Into 0, or the slot that AnySlot has found"
	zero       = "0"
	noted      = "Without it the data is copied, and the notification follows at once; but where the program has set SO_ZEROCOPY it is sent with MSG_ZEROCOPY."
	registered = "It comes with registered memory, files and buffers: "
)

var docs = [api.OpCount]Doc{
	api.OpNop:           {Make: []string{"Nop"}, Res: zero, How: Quick, Rules: []string{"SUB", "CMP"}},
	api.OpReadv:         {Make: []string{"Readv"}, Res: bytesMoved, Errors: "EINVAL: more than 1024 buffers, or an Off below CurrentPosition.", How: Tried, Note: "A regular file that is not in memory goes to a worker.", Rules: []string{"VEC", "FIL", "STR"}},
	api.OpWritev:        {Make: []string{"Writev"}, Res: bytesGone, Errors: "EINVAL: more than 1024 buffers, or an Off below CurrentPosition.", How: Tried, Note: "A regular file that cannot be written at once goes to a worker.", Rules: []string{"VEC", "FIL", "STR"}},
	api.OpFsync:         {Make: []string{"Fsync"}, Res: zero, Errors: "EINVAL: a socket or pipe.", How: Worker, Rules: []string{"FIL", "WRK"}},
	api.OpReadFixed:     {Make: []string{"ReadFixed"}, Res: bytesMoved, Errors: "EFAULT: there is no such registered buffer, or Buf is not wholly inside. EINVAL: an Off below CurrentPosition.", How: Tried, Note: "A regular file that is not in memory goes to a worker.", Rules: []string{"FIX", "FIL", "STR", "ORD"}},
	api.OpWriteFixed:    {Make: []string{"WriteFixed"}, Res: bytesGone, Errors: "EFAULT: there is no such registered buffer, or Buf is not wholly inside. EINVAL: an Off below CurrentPosition.", How: Tried, Note: "A regular file that cannot be written at once goes to a worker.", Rules: []string{"FIX", "FIL", "STR", "ORD"}},
	api.OpPoll:          {Make: []string{"Poll", "PollMultishot"}, Res: "the conditions that hold", Errors: "EINVAL: a condition beyond 16 bits.", How: Tried, Rules: []string{"POL"}},
	api.OpPollRemove:    {Make: []string{"PollRemove", "PollUpdate", "PollRetag"}, Res: zero, Errors: "ENOENT: there is no such poll any more.", How: Engine, Rules: []string{"POL", "CAN"}},
	api.OpSyncFileRange: {Make: []string{"SyncFileRange"}, Res: zero, How: Worker, Rules: []string{"FIL", "WRK"}},
	api.OpSendMsg:       {Make: []string{"SendMsg"}, Res: bytesGone, Errors: "EMSGSIZE: more than 1024 buffers.", How: Tried, Rules: []string{"VEC", "DGM", "STR"}},
	api.OpRecvMsg:       {Make: []string{"RecvMsg", "RecvMsgBuffer", "RecvMsgMultishot"}, Res: "the number of bytes, 0 at the end of the stream", Errors: "EMSGSIZE: more than 1024 buffers. EINVAL: WaitAll with MSG_PEEK, or flags that contradict each other. ENOBUFS: no buffer is left in the group, or there is no such group. EFAULT: a buffer of a multishot has no room for the head.", How: Tried, Rules: []string{"VEC", "DGM", "STR", "RMM"}},
	api.OpTimeout:       {Make: []string{"Timeout", "TimeoutAt", "TimeoutWall", "TimeoutCount", "Tick"}, Res: "never positive: it ends with ETIME (os.ErrDeadlineExceeded), and with 0 when its count was reached first", Errors: "EINVAL: a negative time.", How: Engine, Rules: []string{"TMO"}},
	api.OpTimeoutRemove: {Make: []string{"TimeoutRemove", "TimeoutUpdate", "TimeoutUpdateAt"}, Res: zero, Errors: "ENOENT: there is no such timeout any more.", How: Engine, Rules: []string{"TMO", "CAN"}},
	api.OpAccept:        {Make: []string{"Accept", "AcceptMultishot"}, Res: newFD, Errors: "EMFILE: the connection stays in the backlog.", How: Tried, Rules: []string{"ACC", "DIR"}},
	api.OpCancel:        {Make: []string{"Cancel", "CancelFD", "CancelOp", "CancelAny"}, Res: "0, or how many were ended by fd, code, or of any kind", Errors: "ENOENT: there is no such operation any more. EALREADY: it will complete by itself.", How: Quick, Note: "The engine finds the operations, whatever performs them.", Rules: []string{"CAN"}},
	api.OpLinkTimeout:   {Make: []string{"LinkTimeout"}, Res: "never positive: ETIME when it has cancelled its operation, ECANCELED when that ended before", Errors: "EINVAL: it stands behind no operation with Link or HardLink. ENOENT, EALREADY: it came too late.", How: Engine, Rules: []string{"LTO", "LNK"}},
	api.OpConnect:       {Make: []string{"Connect"}, Res: zero, Errors: "never EINPROGRESS or EAGAIN.", How: Tried, Rules: []string{"CON"}},
	api.OpFallocate:     {Make: []string{"Fallocate"}, Res: zero, How: Worker, Rules: []string{"FIL", "WRK"}},
	api.OpOpenat:        {Make: []string{"Openat"}, Res: newFD, Errors: "ENXIO: a FIFO for writing that nobody reads.", How: Worker, Rules: []string{"PTH", "WRK", "DIR"}},
	api.OpClose:         {Make: []string{"Close", "CloseSlot"}, Res: zero, How: Call, Rules: []string{"CLO", "DIR"}},
	api.OpStatx:         {Make: []string{"Statx"}, Res: zero, How: Worker, Rules: []string{"PTH", "WRK"}},
	api.OpRead:          {Make: []string{"Read", "ReadBuffer"}, Res: bytesMoved, Errors: "EINVAL: an Off below CurrentPosition.", How: Tried, Note: "A regular file that is not in memory goes to a worker.", Rules: []string{"FIL", "STR", "RDB", "ORD"}},
	api.OpWrite:         {Make: []string{"Write"}, Res: bytesGone, Errors: "EINVAL: an Off below CurrentPosition.", How: Tried, Note: "A regular file that cannot be written at once goes to a worker.", Rules: []string{"FIL", "STR", "ORD"}},
	api.OpFadvise:       {Make: []string{"Fadvise"}, Res: zero, How: Worker, Rules: []string{"FIL", "WRK"}},
	api.OpMadvise:       {Make: []string{"Madvise"}, Res: zero, How: Worker, Rules: []string{"FIL", "WRK"}},
	api.OpSend:          {Make: []string{"Send", "SendBundle"}, Res: bytesGone, Errors: "EPIPE, without a SIGPIPE. Of a bundle ENOBUFS: nothing is in line, or there is no such group; EBUSY: another one of the group is in flight.", How: Tried, Note: "A bundle is IORING_OP_SENDMSG to the kernel.", Rules: []string{"STR", "DGM", "ORD", "SBN"}},
	api.OpRecv:          {Make: []string{"Recv", "RecvBuffer", "RecvMultishot"}, Res: "the number of bytes, 0 at the end of the stream", Errors: "ENOBUFS: no buffer is left in the group, or there is no such group. EINVAL: flags that contradict each other.", How: Tried, Rules: []string{"STR", "DGM", "BUF", "MSH", "ORD"}},
	api.OpOpenat2:       {Make: []string{"Openat2"}, Res: newFD, How: Worker, Rules: []string{"PTH", "WRK", "DIR"}},
	api.OpSplice:        {Make: []string{"Splice"}, Res: bytesMoved, Errors: "EINVAL: neither of the two is a pipe.", How: Tried, Note: "A regular file goes to a worker.", Rules: []string{"SPL", "ORD"}},
	api.OpTee:           {Make: []string{"Tee"}, Res: "the number of bytes, 0 at the end of the stream", Errors: "EINVAL: one of the two is no pipe.", How: Tried, Rules: []string{"SPL", "ORD"}},
	api.OpShutdown:      {Make: []string{"Shutdown"}, Res: zero, How: Call, Rules: []string{"SHU"}},
	api.OpRenameat:      {Make: []string{"Renameat"}, Res: zero, How: Worker, Rules: []string{"PTH", "WRK"}},
	api.OpUnlinkat:      {Make: []string{"Unlinkat"}, Res: zero, How: Worker, Rules: []string{"PTH", "WRK"}},
	api.OpMkdirat:       {Make: []string{"Mkdirat"}, Res: zero, How: Worker, Rules: []string{"PTH", "WRK"}},
	api.OpSymlinkat:     {Make: []string{"Symlinkat"}, Res: zero, How: Worker, Rules: []string{"PTH", "WRK"}},
	api.OpLinkat:        {Make: []string{"Linkat"}, Res: zero, How: Worker, Rules: []string{"PTH", "WRK"}},
	api.OpMsgRing:       {Make: []string{"Message", "MessageFile"}, Res: "0; of MessageFile the slot in the other engine's table", Errors: "EBADF: there is no engine to send to, or it is closed. EOVERFLOW: too many completions wait there.", How: Engine, Rules: []string{"MSG", "REG"}},
	api.OpFsetxattr:     {Make: []string{"Fsetxattr"}, Res: zero, How: Worker, Rules: []string{"PTH", "WRK"}},
	api.OpSetxattr:      {Make: []string{"Setxattr"}, Res: zero, How: Worker, Rules: []string{"PTH", "WRK"}},
	api.OpFgetxattr:     {Make: []string{"Fgetxattr"}, Res: "the length of the value", Errors: "ERANGE: the buffer is too short.", How: Worker, Rules: []string{"PTH", "WRK"}},
	api.OpGetxattr:      {Make: []string{"Getxattr"}, Res: "the length of the value", Errors: "ERANGE: the buffer is too short.", How: Worker, Rules: []string{"PTH", "WRK"}},
	api.OpSocket:        {Make: []string{"Socket"}, Res: newFD, How: Quick, Rules: []string{"SOC", "DIR"}},
	api.OpUringCmd:      {Make: []string{"Getsockopt", "Setsockopt", "SocketInQ", "SocketOutQ"}, Res: "the length of the option's value, 0 when it was set, or how many bytes wait", Errors: "EOPNOTSUPP: an unknown command.", How: Quick, Note: "The commands for sockets came with Linux 6.7.", Rules: []string{"SOC"}},
	api.OpReadMultishot: {Make: []string{"ReadMultishot"}, Res: "the number of bytes, 0 at the end of the stream", Errors: "EBADFD: a file that cannot be waited for. ENOBUFS: no buffer is left in the group, or there is no such group. EINVAL: DontWait, or not both of BufferSelect and Multishot.", How: Tried, Rules: []string{"RDM", "RDB"}},
	api.OpWaitid:        {Make: []string{"Waitid"}, Res: zero, Errors: "ECHILD: there is no such child.", How: Tried, Rules: []string{"CHD"}},
	api.OpFutexWait:     {Make: []string{"FutexWait"}, Res: zero, Errors: "EAGAIN: the word does not hold the value to begin with.", How: Tried, Rules: []string{"FTX"}},
	api.OpFutexWake:     {Make: []string{"FutexWake"}, Res: "how many were woken", How: Quick, Rules: []string{"FTX"}},
	api.OpFutexWaitv:    {Make: []string{"FutexWaitv"}, Res: "the index of a word that was woken", Errors: "EAGAIN: one of the words does not hold its value to begin with.", How: Tried, Rules: []string{"FTX"}},
	api.OpFtruncate:     {Make: []string{"Ftruncate"}, Res: zero, How: Worker, Rules: []string{"FIL", "WRK"}},
	api.OpBind:          {Make: []string{"Bind"}, Res: zero, How: Quick, Rules: []string{"SOC"}},
	api.OpListen:        {Make: []string{"Listen"}, Res: zero, How: Quick, Rules: []string{"SOC"}},
	api.OpReadvFixed:    {Make: []string{"ReadvFixed"}, Res: bytesMoved, Errors: "EFAULT: there is no such registered buffer, or a buffer is not wholly inside. EINVAL: more than 1024 buffers, or an Off below CurrentPosition.", How: Tried, Note: "A regular file that is not in memory goes to a worker.", Rules: []string{"FIX", "VEC", "FIL", "STR"}},
	api.OpWritevFixed:   {Make: []string{"WritevFixed"}, Res: bytesGone, Errors: "EFAULT: there is no such registered buffer, or a buffer is not wholly inside. EINVAL: more than 1024 buffers, or an Off below CurrentPosition.", How: Tried, Note: "A regular file that cannot be written at once goes to a worker.", Rules: []string{"FIX", "VEC", "FIL", "STR"}},
	api.OpPipe:          {Make: []string{"Pipe"}, Res: zero, How: Quick, Rules: []string{"SPL", "DIR"}},

	api.OpFilesUpdate:    {Make: []string{"FilesUpdate"}, Res: "how many slots were filled, emptied or kept", Errors: "ENXIO: there is no table. EINVAL: slots that it does not have. ENFILE: no slot is empty.", How: Engine, Rules: []string{"REG"}},
	api.OpFixedFDInstall: {Make: []string{"InstallFD"}, Res: "the new fd, close-on-exec", Errors: "EBADF: the slot is empty, or FixedFile is missing.", How: Call, Rules: []string{"REG"}},
	api.OpProvideBuffers: {Not: registered + "the older way to provide buffers. Engine.NewBufferGroup does it on every kernel."},
	api.OpRemoveBuffers:  {Not: registered + "the older way to take provided buffers back. BufferGroup.Close does it on every kernel."},
	api.OpSendZC:         {Make: []string{"SendZC", "SendZCFixed"}, Res: bytesGone + "; then 0, with Notif", Errors: "EINVAL: SkipSuccess. EFAULT: with FixedBuffer, memory that is not in the registered buffer.", How: Tried, Note: noted, Rules: []string{"ZCP", "STR"}},
	api.OpSendMsgZC:      {Make: []string{"SendMsgZC"}, Res: bytesGone + "; then 0, with Notif", Errors: "EMSGSIZE: more than 1024 buffers. EINVAL: SkipSuccess.", How: Tried, Note: noted, Rules: []string{"ZCP", "VEC", "DGM"}},
	api.OpRecvZC:         {Make: []string{"RecvZC"}, Res: "the number of bytes, 0 at the end of the stream", Errors: "EINVAL: no such group, or one that was not made with BufferGroupOptions.ZeroCopy. ENOTSOCK. EPROTONOSUPPORT: another protocol than TCP. ENOMEM: there is data, and no page of the group is left to copy it to.", How: Tried, Note: "io_uring, too, receives by copying (IORING_OP_RECV) where no network card writes into the group; `sluice probe` asks each interface, and says what it lacks.", Rules: []string{"ZCR", "MSH"}},
	api.OpEpollCtl:       {Not: "It changes the interest list of an epoll instance without a system call. What an epoll instance is there for, to tell when files are ready, Poll and PollMultishot do in any engine, with no instance at all, and no backend but one has such a thing."},
	api.OpEpollWait:      {Not: "It waits for an epoll instance, for programs that move to io_uring step by step. An epoll fd of the program's can be waited for with Poll on every backend; the loop of this library is Complete."},
}

// DocOf is what is said of c, which must be Valid. The result is shared and not to be changed.
func DocOf(c api.OpCode) *Doc { return &docs[c] }
