// Package optab is the one table of facts about operations: what each is called, which way it
// moves data, which flags it knows, and which kernel brought it. What an operation means is
// told in package api; how it is done, in internal/attempt and uring.
package optab

//go:generate go run ./gen

import "github.com/sluiceio/sluice/api"

// Direction is the queue of its fd that a stream operation stands in.
type Direction uint8

// The directions. None is for operations that are in no order.
const (
	Read Direction = iota
	Write
	None
)

// Info are the facts of one operation.
type Info struct {
	Dir       Direction   // of a stream operation
	Position  bool        // Off is a position: in order only at CurrentPosition
	Vector    bool        // moves Msg.Bufs rather than Buf
	Msg       bool        // needs Op.Msg
	Fixed     bool        // the memory is of the registered buffer Op.Group
	FD        bool        // acts on Op.FD
	FD2       bool        // acts on Args.FD2, too
	At        bool        // of FD and FD2: they are directories of paths, and may be AtCWD
	Args      bool        // needs Op.Args
	Opens     bool        // Res is a new fd
	Control   bool        // acts on other operations, and is not held up by Drain
	Pool      bool        // a readiness backend needs a worker for it
	Notifies  bool        // has a second completion when its memory is free again
	Done      bool        // performed by the engines of this version
	Flags     api.OpFlags // the flags that it knows
	MinKernel string      // the Linux version whose io_uring has it
}

const (
	streamFlags = api.DontWait | api.Unordered
	recvFlags   = streamFlags | api.WaitAll | api.EOF
)

var table = [api.OpCount]Info{
	api.OpNop:            {Done: true, Dir: None, MinKernel: "5.1"},
	api.OpReadv:          {Done: true, FD: true, Dir: Read, Position: true, Vector: true, Msg: true, Flags: streamFlags | api.EOF, MinKernel: "5.1"},
	api.OpWritev:         {Done: true, FD: true, Dir: Write, Position: true, Vector: true, Msg: true, Flags: streamFlags, MinKernel: "5.1"},
	api.OpFsync:          {Done: true, FD: true, Pool: true, Dir: None, Flags: api.DataSync, MinKernel: "5.1"},
	api.OpReadFixed:      {Done: true, FD: true, Fixed: true, Dir: Read, Position: true, Flags: streamFlags | api.EOF, MinKernel: "5.1"},
	api.OpWriteFixed:     {Done: true, FD: true, Fixed: true, Dir: Write, Position: true, Flags: streamFlags, MinKernel: "5.1"},
	api.OpPoll:           {Done: true, FD: true, Dir: None, Flags: api.Multishot | api.Level, MinKernel: "5.1"},
	api.OpPollRemove:     {Done: true, Control: true, Flags: api.Update | api.UpdateTag, Dir: None, MinKernel: "5.1"},
	api.OpSyncFileRange:  {Done: true, FD: true, Args: true, Pool: true, Dir: None, MinKernel: "5.2"},
	api.OpSendMsg:        {Done: true, FD: true, Dir: Write, Vector: true, Msg: true, Flags: streamFlags | api.WaitAll, MinKernel: "5.3"},
	api.OpRecvMsg:        {Done: true, FD: true, Dir: Read, Vector: true, Msg: true, Flags: recvFlags | api.BufferSelect | api.Multishot, MinKernel: "5.3"},
	api.OpTimeout:        {Done: true, Dir: None, Flags: api.Abs | api.Multishot | api.Boottime | api.Realtime | api.TimeoutOK, MinKernel: "5.4"},
	api.OpTimeoutRemove:  {Done: true, Control: true, Flags: api.Update | api.Abs, Dir: None, MinKernel: "5.5"},
	api.OpAccept:         {Done: true, FD: true, Opens: true, Dir: Read, Flags: streamFlags | api.Multishot | api.IntoSlot, MinKernel: "5.5"},
	api.OpCancel:         {Done: true, Control: true, Dir: None, Flags: api.ByFD | api.ByOp | api.Any | api.First, MinKernel: "5.5"},
	api.OpLinkTimeout:    {Done: true, Flags: api.Abs, Dir: None, MinKernel: "5.5"},
	api.OpConnect:        {Done: true, FD: true, Dir: Write, Msg: true, Flags: api.Unordered, MinKernel: "5.5"},
	api.OpFallocate:      {Done: true, FD: true, Args: true, Pool: true, Dir: None, MinKernel: "5.6"},
	api.OpOpenat:         {Done: true, FD: true, At: true, Args: true, Opens: true, Pool: true, Dir: None, Flags: api.IntoSlot, MinKernel: "5.6"},
	api.OpClose:          {Done: true, FD: true, Dir: None, MinKernel: "5.6"},
	api.OpFilesUpdate:    {Done: true, Args: true, Dir: None, MinKernel: "5.6"},
	api.OpStatx:          {Done: true, FD: true, At: true, Args: true, Pool: true, Dir: None, MinKernel: "5.6"},
	api.OpRead:           {Done: true, FD: true, Dir: Read, Position: true, Flags: streamFlags | api.EOF | api.BufferSelect, MinKernel: "5.6"},
	api.OpWrite:          {Done: true, FD: true, Dir: Write, Position: true, Flags: streamFlags, MinKernel: "5.6"},
	api.OpFadvise:        {Done: true, FD: true, Args: true, Pool: true, Dir: None, MinKernel: "5.6"},
	api.OpMadvise:        {Done: true, Pool: true, Dir: None, MinKernel: "5.6"},
	api.OpSend:           {Done: true, FD: true, Dir: Write, Flags: streamFlags | api.WaitAll | api.BufferSelect | api.Bundle, MinKernel: "5.6"},
	api.OpRecv:           {Done: true, FD: true, Dir: Read, Flags: recvFlags | api.BufferSelect | api.Multishot | api.Bundle, MinKernel: "5.6"},
	api.OpOpenat2:        {Done: true, FD: true, At: true, Args: true, Opens: true, Pool: true, Dir: None, Flags: api.IntoSlot, MinKernel: "5.6"},
	api.OpEpollCtl:       {MinKernel: "5.6"},
	api.OpSplice:         {Done: true, FD: true, FD2: true, Args: true, Flags: streamFlags | api.FixedFD2, Dir: Read, Position: true, MinKernel: "5.7"},
	api.OpProvideBuffers: {MinKernel: "5.7"},
	api.OpRemoveBuffers:  {MinKernel: "5.7"},
	api.OpTee:            {Done: true, FD: true, FD2: true, Args: true, Flags: streamFlags | api.FixedFD2, Dir: Read, MinKernel: "5.8"},
	api.OpShutdown:       {Done: true, FD: true, Dir: Write, MinKernel: "5.11"},
	api.OpRenameat:       {Done: true, FD: true, FD2: true, At: true, Args: true, Pool: true, Dir: None, MinKernel: "5.11"},
	api.OpUnlinkat:       {Done: true, FD: true, At: true, Args: true, Pool: true, Dir: None, MinKernel: "5.11"},
	api.OpMkdirat:        {Done: true, FD: true, At: true, Args: true, Pool: true, Dir: None, MinKernel: "5.15"},
	api.OpSymlinkat:      {Done: true, FD: true, At: true, Args: true, Pool: true, Dir: None, MinKernel: "5.15"},
	api.OpLinkat:         {Done: true, FD: true, FD2: true, At: true, Args: true, Pool: true, Dir: None, MinKernel: "5.15"},
	api.OpMsgRing:        {Done: true, Args: true, Dir: None, MinKernel: "5.18"},
	api.OpFsetxattr:      {Done: true, FD: true, Args: true, Pool: true, Dir: None, MinKernel: "5.19"},
	api.OpSetxattr:       {Done: true, Args: true, Pool: true, Dir: None, MinKernel: "5.19"},
	api.OpFgetxattr:      {Done: true, FD: true, Args: true, Pool: true, Dir: None, MinKernel: "5.19"},
	api.OpGetxattr:       {Done: true, Args: true, Pool: true, Dir: None, MinKernel: "5.19"},
	api.OpSocket:         {Done: true, Opens: true, Dir: None, Flags: api.IntoSlot, MinKernel: "5.19"},
	api.OpUringCmd:       {Done: true, FD: true, Dir: None, MinKernel: "5.19"},
	api.OpSendZC:         {Done: true, FD: true, Dir: Write, Notifies: true, Flags: streamFlags | api.WaitAll | api.ReportUsage | api.FixedBuffer, MinKernel: "6.0"},
	api.OpSendMsgZC:      {Done: true, FD: true, Dir: Write, Notifies: true, Vector: true, Msg: true, Flags: streamFlags | api.WaitAll | api.ReportUsage, MinKernel: "6.1"},
	api.OpReadMultishot:  {Done: true, FD: true, Dir: Read, Flags: streamFlags | api.EOF | api.BufferSelect | api.Multishot, MinKernel: "6.7"},
	api.OpWaitid:         {Done: true, Args: true, Dir: None, MinKernel: "6.7"},
	api.OpFutexWait:      {Done: true, Args: true, Flags: api.Shared, Dir: None, MinKernel: "6.7"},
	api.OpFutexWake:      {Done: true, Args: true, Flags: api.Shared, Dir: None, MinKernel: "6.7"},
	api.OpFutexWaitv:     {Done: true, Args: true, Dir: None, MinKernel: "6.7"},
	api.OpFixedFDInstall: {Done: true, FD: true, Opens: true, Dir: None, MinKernel: "6.8"},
	api.OpFtruncate:      {Done: true, FD: true, Pool: true, Dir: None, MinKernel: "6.9"},
	api.OpBind:           {Done: true, FD: true, Msg: true, Dir: None, MinKernel: "6.11"},
	api.OpListen:         {Done: true, FD: true, Dir: None, MinKernel: "6.11"},
	api.OpRecvZC:         {Done: true, FD: true, Dir: Read, Flags: api.Unordered | api.EOF | api.BufferSelect | api.Multishot, MinKernel: "6.15"},
	api.OpEpollWait:      {MinKernel: "6.15"},
	api.OpReadvFixed:     {Done: true, FD: true, Fixed: true, Dir: Read, Position: true, Vector: true, Msg: true, Flags: streamFlags | api.EOF, MinKernel: "6.15"},
	api.OpWritevFixed:    {Done: true, FD: true, Fixed: true, Dir: Write, Position: true, Vector: true, Msg: true, Flags: streamFlags, MinKernel: "6.15"},
	api.OpPipe:           {Done: true, Args: true, Dir: None, Flags: api.IntoSlot, MinKernel: "6.16"},
}

// Of gives the facts of c, which must be Valid. The result is shared and not to be changed.
func Of(c api.OpCode) *Info { return &table[c] }

// DirectionOf is the queue that op stands in.
func DirectionOf(op *api.Op) Direction {
	in := &table[op.Code]
	switch {
	case op.Flags&api.Unordered != 0, in.Position && op.Off != api.CurrentPosition:
		return None
	case op.Code == api.OpShutdown && op.Arg != api.ShutWrite:
		// These two must reach a receive or a send that waits, so they do not queue behind it.
		return None
	}
	return in.Dir
}
