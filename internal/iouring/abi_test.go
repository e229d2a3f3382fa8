package iouring

import (
	"testing"
	"unsafe"
)

// The numbers were taken from a C program compiled against the uapi header. They are written out, not computed, because
// a wrong field would shift a computed expectation along with itself.
func TestStructSizes(t *testing.T) {
	for _, tt := range []struct {
		name      string
		got, want uintptr
	}{
		{"io_uring_sqe", unsafe.Sizeof(SQE{}), 64},
		{"io_uring_sqe, SQE128", unsafe.Sizeof(SQE128{}), 128},
		{"io_uring_cqe", unsafe.Sizeof(CQE{}), 16},
		{"io_uring_cqe, CQE32", unsafe.Sizeof(CQE32{}), 32},
		{"io_sqring_offsets", unsafe.Sizeof(SQRingOffsets{}), 40},
		{"io_cqring_offsets", unsafe.Sizeof(CQRingOffsets{}), 40},
		{"io_uring_params", unsafe.Sizeof(Params{}), 120},
		{"__kernel_timespec", unsafe.Sizeof(Timespec{}), 16},
		{"io_uring_getevents_arg", unsafe.Sizeof(GetEventsArg{}), 24},
		{"io_uring_reg_wait", unsafe.Sizeof(RegWait{}), 64},
		{"io_uring_attr_pi", unsafe.Sizeof(AttrPI{}), 32},
		{"io_uring_recvmsg_out", unsafe.Sizeof(RecvmsgOut{}), 16},
		{"io_timespec", unsafe.Sizeof(IOTimespec{}), 16},
		{"io_uring_files_update", unsafe.Sizeof(FilesUpdate{}), 16},
		{"io_uring_region_desc", unsafe.Sizeof(RegionDesc{}), 64},
		{"io_uring_mem_region_reg", unsafe.Sizeof(MemRegionReg{}), 32},
		{"io_uring_rsrc_register", unsafe.Sizeof(RsrcRegister{}), 32},
		{"io_uring_rsrc_update", unsafe.Sizeof(RsrcUpdate{}), 16},
		{"io_uring_rsrc_update2", unsafe.Sizeof(RsrcUpdate2{}), 32},
		{"io_uring_probe_op", unsafe.Sizeof(ProbeOp{}), 8},
		{"io_uring_probe", unsafe.Sizeof(Probe{}), 16 + 255*8},
		{"io_uring_restriction", unsafe.Sizeof(Restriction{}), 16},
		{"io_uring_clock_register", unsafe.Sizeof(ClockRegister{}), 16},
		{"io_uring_clone_buffers", unsafe.Sizeof(CloneBuffers{}), 32},
		{"io_uring_buf", unsafe.Sizeof(Buf{}), 16},
		{"io_uring_buf_reg", unsafe.Sizeof(BufReg{}), 40},
		{"io_uring_buf_status", unsafe.Sizeof(BufStatus{}), 40},
		{"io_uring_napi", unsafe.Sizeof(NAPI{}), 16},
		{"io_uring_sync_cancel_reg", unsafe.Sizeof(SyncCancelReg{}), 64},
		{"io_uring_file_index_range", unsafe.Sizeof(FileIndexRange{}), 16},
		{"io_uring_query_hdr", unsafe.Sizeof(QueryHdr{}), 40},
		{"io_uring_query_opcode", unsafe.Sizeof(QueryOpcode{}), 48},
		{"io_uring_zcrx_rqe", unsafe.Sizeof(ZCRXRqe{}), 16},
		{"io_uring_zcrx_cqe", unsafe.Sizeof(ZCRXCqe{}), 16},
		{"io_uring_zcrx_offsets", unsafe.Sizeof(ZCRXOffsets{}), 32},
		{"io_uring_zcrx_area_reg", unsafe.Sizeof(ZCRXAreaReg{}), 48},
		{"io_uring_zcrx_ifq_reg", unsafe.Sizeof(ZCRXIfqReg{}), 96},
	} {
		if tt.got != tt.want {
			t.Errorf("sizeof %s: got %d, want %d", tt.name, tt.got, tt.want)
		}
	}
}

func TestStructOffsets(t *testing.T) {
	type check struct {
		field     string
		got, want uintptr
	}
	var (
		sqe  SQE
		cqe  CQE
		c32  CQE32
		s128 SQE128
		par  Params
		sqo  SQRingOffsets
		cqo  CQRingOffsets
		ts   Timespec
		arg  GetEventsArg
		rw   RegWait
		pi   AttrPI
		rmo  RecvmsgOut
		its  IOTimespec
	)
	for name, checks := range map[string][]check{
		"io_uring_sqe": {
			{"opcode", unsafe.Offsetof(sqe.Opcode), 0}, {"flags", unsafe.Offsetof(sqe.Flags), 1},
			{"ioprio", unsafe.Offsetof(sqe.Ioprio), 2}, {"fd", unsafe.Offsetof(sqe.Fd), 4},
			{"off", unsafe.Offsetof(sqe.Off), 8}, {"addr", unsafe.Offsetof(sqe.Addr), 16},
			{"len", unsafe.Offsetof(sqe.Len), 24}, {"rw_flags", unsafe.Offsetof(sqe.OpFlags), 28},
			{"user_data", unsafe.Offsetof(sqe.UserData), 32}, {"buf_index", unsafe.Offsetof(sqe.BufIndex), 40},
			{"personality", unsafe.Offsetof(sqe.Personality), 42}, {"file_index", unsafe.Offsetof(sqe.FileIndex), 44},
			{"addr3", unsafe.Offsetof(sqe.Addr3), 48}, {"__pad2", unsafe.Offsetof(sqe.Pad2), 56},
			{"cmd+16", unsafe.Offsetof(s128.Cmd), 64},
		},
		"io_uring_cqe": {
			{"user_data", unsafe.Offsetof(cqe.UserData), 0}, {"res", unsafe.Offsetof(cqe.Res), 8},
			{"flags", unsafe.Offsetof(cqe.Flags), 12}, {"big_cqe", unsafe.Offsetof(c32.BigCQE), 16},
		},
		"io_uring_params": {
			{"sq_entries", unsafe.Offsetof(par.SQEntries), 0}, {"cq_entries", unsafe.Offsetof(par.CQEntries), 4},
			{"flags", unsafe.Offsetof(par.Flags), 8}, {"sq_thread_cpu", unsafe.Offsetof(par.SQThreadCPU), 12},
			{"sq_thread_idle", unsafe.Offsetof(par.SQThreadIdle), 16}, {"features", unsafe.Offsetof(par.Features), 20},
			{"wq_fd", unsafe.Offsetof(par.WQFd), 24}, {"resv", unsafe.Offsetof(par.Resv), 28},
			{"sq_off", unsafe.Offsetof(par.SQOff), 40}, {"cq_off", unsafe.Offsetof(par.CQOff), 80},
		},
		"io_sqring_offsets": {
			{"head", unsafe.Offsetof(sqo.Head), 0}, {"tail", unsafe.Offsetof(sqo.Tail), 4},
			{"ring_mask", unsafe.Offsetof(sqo.RingMask), 8}, {"ring_entries", unsafe.Offsetof(sqo.RingEntries), 12},
			{"flags", unsafe.Offsetof(sqo.Flags), 16}, {"dropped", unsafe.Offsetof(sqo.Dropped), 20},
			{"array", unsafe.Offsetof(sqo.Array), 24}, {"resv1", unsafe.Offsetof(sqo.Resv1), 28},
			{"user_addr", unsafe.Offsetof(sqo.UserAddr), 32},
		},
		"io_cqring_offsets": {
			{"head", unsafe.Offsetof(cqo.Head), 0}, {"tail", unsafe.Offsetof(cqo.Tail), 4},
			{"ring_mask", unsafe.Offsetof(cqo.RingMask), 8}, {"ring_entries", unsafe.Offsetof(cqo.RingEntries), 12},
			{"overflow", unsafe.Offsetof(cqo.Overflow), 16}, {"cqes", unsafe.Offsetof(cqo.CQEs), 20},
			{"flags", unsafe.Offsetof(cqo.Flags), 24}, {"resv1", unsafe.Offsetof(cqo.Resv1), 28},
			{"user_addr", unsafe.Offsetof(cqo.UserAddr), 32},
		},
		"__kernel_timespec": {{"tv_sec", unsafe.Offsetof(ts.Sec), 0}, {"tv_nsec", unsafe.Offsetof(ts.Nsec), 8}},
		"io_uring_getevents_arg": {
			{"sigmask", unsafe.Offsetof(arg.Sigmask), 0}, {"sigmask_sz", unsafe.Offsetof(arg.SigmaskSz), 8},
			{"min_wait_usec", unsafe.Offsetof(arg.MinWaitUsec), 12}, {"ts", unsafe.Offsetof(arg.TS), 16},
		},
		"io_uring_reg_wait": {
			{"ts", unsafe.Offsetof(rw.TS), 0}, {"min_wait_usec", unsafe.Offsetof(rw.MinWaitUsec), 16},
			{"flags", unsafe.Offsetof(rw.Flags), 20}, {"sigmask", unsafe.Offsetof(rw.Sigmask), 24},
			{"sigmask_sz", unsafe.Offsetof(rw.SigmaskSz), 32}, {"pad", unsafe.Offsetof(rw.Pad), 36},
			{"pad2", unsafe.Offsetof(rw.Pad2), 48},
		},
		"io_uring_attr_pi": {
			{"flags", unsafe.Offsetof(pi.Flags), 0}, {"app_tag", unsafe.Offsetof(pi.AppTag), 2},
			{"len", unsafe.Offsetof(pi.Len), 4}, {"addr", unsafe.Offsetof(pi.Addr), 8},
			{"seed", unsafe.Offsetof(pi.Seed), 16}, {"rsvd", unsafe.Offsetof(pi.Rsvd), 24},
		},
		"io_uring_recvmsg_out": {
			{"namelen", unsafe.Offsetof(rmo.NameLen), 0}, {"controllen", unsafe.Offsetof(rmo.ControlLen), 4},
			{"payloadlen", unsafe.Offsetof(rmo.PayloadLen), 8}, {"flags", unsafe.Offsetof(rmo.Flags), 12},
		},
		"io_timespec": {{"tv_sec", unsafe.Offsetof(its.Sec), 0}, {"tv_nsec", unsafe.Offsetof(its.Nsec), 8}},
	} {
		for _, c := range checks {
			if c.got != c.want {
				t.Errorf("offsetof(%s, %s): got %d, want %d", name, c.field, c.got, c.want)
			}
		}
	}
}

func TestNsToTimespec(t *testing.T) {
	for _, tt := range []struct {
		ns   int64
		want Timespec
	}{
		{-1, Timespec{}},
		{-1 << 63, Timespec{}},
		{0, Timespec{}},
		{1, Timespec{Nsec: 1}},
		{nsPerSec - 1, Timespec{Nsec: nsPerSec - 1}},
		{nsPerSec, Timespec{Sec: 1}},
		{3*nsPerSec + 7, Timespec{Sec: 3, Nsec: 7}},
		{1<<63 - 1, Timespec{Sec: 9223372036, Nsec: 854775807}},
	} {
		if got := NsToTimespec(tt.ns); got != tt.want {
			t.Errorf("NsToTimespec(%d): got %v, want %v", tt.ns, got, tt.want)
		}
	}
}

// TestPrepClearsEverything guards the promise that a recycled entry never leaks fields: preparing a dirty entry has to
// give the same bytes as preparing a clean one.
func TestPrepClearsEverything(t *testing.T) {
	for name, prep := range prepCases() {
		var clean, dirty SQE
		// SAFETY: SQE is plain old data of 64 bytes, all of which may be viewed as bytes.
		for i := range unsafe.Slice((*byte)(unsafe.Pointer(&dirty)), unsafe.Sizeof(dirty)) {
			unsafe.Slice((*byte)(unsafe.Pointer(&dirty)), unsafe.Sizeof(dirty))[i] = 0xa5
		}
		prep(&clean)
		prep(&dirty)
		if clean != dirty {
			t.Errorf("%s: leaks old fields\nclean %+v\ndirty %+v", name, clean, dirty)
		}
	}
}

// TestPrepCoversOpcodes makes sure that no opcode was forgotten, and that each method uses the one of its name.
func TestPrepCoversOpcodes(t *testing.T) {
	var seen [IORING_OP_LAST]bool
	for name, prep := range prepCases() {
		var s SQE
		prep(&s)
		if s.Opcode >= IORING_OP_LAST {
			t.Errorf("%s: opcode %d out of range", name, s.Opcode)
			continue
		}
		seen[s.Opcode] = true
	}
	for op, ok := range seen {
		if !ok {
			t.Errorf("no Prep method for opcode %d", op)
		}
	}
}

func prepCases() map[string]func(*SQE) {
	p := unsafe.Pointer(new([64]byte)) // never dereferenced: nothing of this is submitted
	return map[string]func(*SQE){
		"Nop":              func(s *SQE) { s.PrepNop() },
		"NopResult":        func(s *SQE) { s.PrepNopResult(-5) },
		"PollAdd":          func(s *SQE) { s.PrepPollAdd(3, 1) },
		"PollRemove":       func(s *SQE) { s.PrepPollRemove(7) },
		"PollUpdate":       func(s *SQE) { s.PrepPollUpdate(7, 8, 1, IORING_POLL_UPDATE_EVENTS) },
		"Timeout":          func(s *SQE) { s.PrepTimeout((*Timespec)(p), 1, IORING_TIMEOUT_ABS) },
		"TimeoutRemove":    func(s *SQE) { s.PrepTimeoutRemove(7, 0) },
		"TimeoutUpdate":    func(s *SQE) { s.PrepTimeoutUpdate((*Timespec)(p), 7, 0) },
		"LinkTimeout":      func(s *SQE) { s.PrepLinkTimeout((*Timespec)(p), 0) },
		"Cancel":           func(s *SQE) { s.PrepCancel(7, IORING_ASYNC_CANCEL_ALL) },
		"CancelFD":         func(s *SQE) { s.PrepCancelFD(3, 0) },
		"CancelOp":         func(s *SQE) { s.PrepCancelOp(IORING_OP_RECV, 0) },
		"MsgRing":          func(s *SQE) { s.PrepMsgRing(3, 1, 2, 0) },
		"MsgRingFD":        func(s *SQE) { s.PrepMsgRingFD(3, 1, 2, 0) },
		"FilesUpdate":      func(s *SQE) { s.PrepFilesUpdate(p, 2, 1) },
		"FixedFdInstall":   func(s *SQE) { s.PrepFixedFdInstall(1, 0) },
		"ProvideBuffers":   func(s *SQE) { s.PrepProvideBuffers(p, 8, 2, 3, 4) },
		"RemoveBuffers":    func(s *SQE) { s.PrepRemoveBuffers(2, 3) },
		"EpollCtl":         func(s *SQE) { s.PrepEpollCtl(3, 4, 1, p) },
		"EpollWait":        func(s *SQE) { s.PrepEpollWait(3, p, 4, 0) },
		"Waitid":           func(s *SQE) { s.PrepWaitid(1, 2, p, 4, 0) },
		"FutexWait":        func(s *SQE) { s.PrepFutexWait((*uint32)(p), 1, 2, 3, 0) },
		"FutexWake":        func(s *SQE) { s.PrepFutexWake((*uint32)(p), 1, 2, 3, 0) },
		"FutexWaitv":       func(s *SQE) { s.PrepFutexWaitv(p, 1, 0) },
		"UringCmd":         func(s *SQE) { s.PrepUringCmd(3, 4) },
		"UringCmdSock":     func(s *SQE) { s.PrepUringCmdSock(3, SOCKET_URING_OP_GETSOCKOPT, 1, 2, p, 4) },
		"Read":             func(s *SQE) { s.PrepRead(3, p, 8, 1) },
		"Write":            func(s *SQE) { s.PrepWrite(3, p, 8, 1) },
		"ReadFixed":        func(s *SQE) { s.PrepReadFixed(3, p, 8, 1, 2) },
		"WriteFixed":       func(s *SQE) { s.PrepWriteFixed(3, p, 8, 1, 2) },
		"Readv":            func(s *SQE) { s.PrepReadv(3, p, 1, 1) },
		"Writev":           func(s *SQE) { s.PrepWritev(3, p, 1, 1) },
		"ReadvFixed":       func(s *SQE) { s.PrepReadvFixed(3, p, 1, 1, 2) },
		"WritevFixed":      func(s *SQE) { s.PrepWritevFixed(3, p, 1, 1, 2) },
		"ReadMultishot":    func(s *SQE) { s.PrepReadMultishot(3, 0, 0, 2) },
		"Fsync":            func(s *SQE) { s.PrepFsync(3, 0, 0, IORING_FSYNC_DATASYNC) },
		"SyncFileRange":    func(s *SQE) { s.PrepSyncFileRange(3, 8, 1, 2) },
		"Fallocate":        func(s *SQE) { s.PrepFallocate(3, 1, 2, 8) },
		"Ftruncate":        func(s *SQE) { s.PrepFtruncate(3, 8) },
		"Fadvise":          func(s *SQE) { s.PrepFadvise(3, 1, 8, 2) },
		"Madvise":          func(s *SQE) { s.PrepMadvise(p, 8, 2) },
		"Openat":           func(s *SQE) { s.PrepOpenat(-100, p, 1, 2) },
		"Openat2":          func(s *SQE) { s.PrepOpenat2(-100, p, p) },
		"Close":            func(s *SQE) { s.PrepClose(3) },
		"CloseSlot":        func(s *SQE) { s.PrepCloseSlot(3) },
		"Statx":            func(s *SQE) { s.PrepStatx(-100, p, 1, 2, p) },
		"Splice":           func(s *SQE) { s.PrepSplice(3, 1, 4, 2, 8, 1) },
		"Tee":              func(s *SQE) { s.PrepTee(3, 4, 8, 1) },
		"Pipe":             func(s *SQE) { s.PrepPipe((*[2]int32)(p), 1) },
		"Renameat":         func(s *SQE) { s.PrepRenameat(-100, p, -100, p, 1) },
		"Linkat":           func(s *SQE) { s.PrepLinkat(-100, p, -100, p, 1) },
		"Symlinkat":        func(s *SQE) { s.PrepSymlinkat(p, -100, p) },
		"Unlinkat":         func(s *SQE) { s.PrepUnlinkat(-100, p, 1) },
		"Mkdirat":          func(s *SQE) { s.PrepMkdirat(-100, p, 1) },
		"Fgetxattr":        func(s *SQE) { s.PrepFgetxattr(3, p, p, 8) },
		"Fsetxattr":        func(s *SQE) { s.PrepFsetxattr(3, p, p, 8, 1) },
		"Getxattr":         func(s *SQE) { s.PrepGetxattr(p, p, p, 8) },
		"Setxattr":         func(s *SQE) { s.PrepSetxattr(p, p, p, 8, 1) },
		"Recv":             func(s *SQE) { s.PrepRecv(3, p, 8, 1) },
		"RecvMultishot":    func(s *SQE) { s.PrepRecvMultishot(3, 2, 1) },
		"Recvmsg":          func(s *SQE) { s.PrepRecvmsg(3, p, 1) },
		"RecvmsgMultishot": func(s *SQE) { s.PrepRecvmsgMultishot(3, p, 2, 1) },
		"RecvZC":           func(s *SQE) { s.PrepRecvZC(3, 8, 1) },
		"Send":             func(s *SQE) { s.PrepSend(3, p, 8, 1) },
		"SendTo":           func(s *SQE) { s.PrepSendTo(3, p, 8, 1, p, 16) },
		"SendZC":           func(s *SQE) { s.PrepSendZC(3, p, 8, 1, IORING_SEND_ZC_REPORT_USAGE) },
		"SendZCFixed":      func(s *SQE) { s.PrepSendZCFixed(3, p, 8, 1, 0, 2) },
		"Sendmsg":          func(s *SQE) { s.PrepSendmsg(3, p, 1) },
		"SendmsgZC":        func(s *SQE) { s.PrepSendmsgZC(3, p, 1) },
		"Accept":           func(s *SQE) { s.PrepAccept(3, p, (*uint32)(p), 1) },
		"AcceptMultishot":  func(s *SQE) { s.PrepAcceptMultishot(3, 1) },
		"Connect":          func(s *SQE) { s.PrepConnect(3, p, 16) },
		"Bind":             func(s *SQE) { s.PrepBind(3, p, 16) },
		"Listen":           func(s *SQE) { s.PrepListen(3, 16) },
		"Socket":           func(s *SQE) { s.PrepSocket(2, 1, 0, 0) },
		"Shutdown":         func(s *SQE) { s.PrepShutdown(3, 1) },
	}
}
