package iouring

import (
	"errors"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// needs skips a test when the kernel is too old for a register call, which it says with EINVAL.
func needs(t *testing.T, err error, what string) {
	t.Helper()
	if errors.Is(err, syscall.EINVAL) {
		t.Skipf("kernel without %s: %v", what, err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestProbe(t *testing.T) {
	r := newRing(t, 8, 0)
	p, err := r.Probe()
	if err != nil {
		t.Fatal(err)
	}
	if !OpSupported(p, IORING_OP_NOP) || !OpSupported(p, IORING_OP_RECV) {
		t.Error("NOP and RECV are not supported")
	}
	if OpSupported(p, 0xff) || OpSupported(p, p.LastOp+1) || OpSupported(nil, IORING_OP_NOP) {
		t.Error("something unknown is supported")
	}
	t.Logf("last opcode of the kernel %d, of the package %d", p.LastOp, IORING_OP_LAST-1)
}

func TestQueryOpcodes(t *testing.T) {
	r := newRing(t, 8, 0)
	q, err := QueryOpcodes()
	needs(t, err, "IORING_REGISTER_QUERY")
	p, err := r.Probe()
	if err != nil {
		t.Fatal(err)
	}
	if q.NrRequestOpcodes != uint32(p.LastOp)+1 || q.FeatureFlags != uint64(r.Features()) {
		t.Errorf("got %+v, which differs from the probe: last %d, features %#x", q, p.LastOp, r.Features())
	}
	if q.NrRegisterOpcodes <= IORING_REGISTER_QUERY || q.EnterFlags&IORING_ENTER_ABS_TIMER == 0 {
		t.Errorf("got %+v", q)
	}
	t.Logf("%+v", q)
}

func TestEventfd(t *testing.T) {
	r := newRing(t, 8, 0)
	efd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(efd)
	signalled := func() bool {
		var b [8]byte
		next(t, r).PrepNop()
		one(t, r)
		n, _ := unix.Read(efd, b[:])
		return n == 8
	}
	if err := r.RegisterEventfd(efd); err != nil {
		t.Fatal(err)
	}
	if !signalled() {
		t.Error("no signal")
	}
	r.SetEventfdDisabled(true)
	if signalled() {
		t.Error("signal although disabled")
	}
	r.SetEventfdDisabled(false)
	if !signalled() {
		t.Error("no signal after enabling")
	}
	if err := r.UnregisterEventfd(); err != nil {
		t.Fatal(err)
	}
	if err := r.RegisterEventfdAsync(efd); err != nil {
		t.Fatal(err)
	}
	if signalled() {
		t.Error("signal for an inline completion")
	}
	if err := r.UnregisterEventfd(); err != nil {
		t.Fatal(err)
	}
	if err := r.UnregisterEventfd(); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("got %v, want ENXIO", err)
	}
}

func TestSyncCancel(t *testing.T) {
	r := newRing(t, 8, 0)
	rx, _ := socketPair(t, unix.SOCK_STREAM)
	buf := heap(1)
	p, n := Bytes(buf)
	for range 2 {
		s := next(t, r)
		s.PrepRecv(rx, p, n, 0)
		s.UserData = 5
	}
	submit(t, r, 0)
	got, err := r.SyncCancel(&SyncCancelReg{Addr: 5, Fd: -1, Flags: IORING_ASYNC_CANCEL_ALL, Timeout: NoTimeout})
	needs(t, err, "IORING_REGISTER_SYNC_CANCEL")
	t.Logf("cancelled %d", got)
	for _, c := range run(t, r, 2) {
		if c.Res != -int32(unix.ECANCELED) {
			t.Errorf("got %+v, want ECANCELED", c)
		}
	}
	if _, err := r.SyncCancel(&SyncCancelReg{Addr: 5, Fd: -1, Timeout: NoTimeout}); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("nothing to cancel: got %v, want ENOENT", err)
	}
}

func TestRestrictions(t *testing.T) {
	r := newRing(t, 8, IORING_SETUP_R_DISABLED)
	err := r.RegisterRestrictions([]Restriction{
		{Opcode: IORING_RESTRICTION_SQE_OP, Arg: IORING_OP_NOP},
		{Opcode: IORING_RESTRICTION_REGISTER_OP, Arg: IORING_REGISTER_ENABLE_RINGS},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.EnableRings(); err != nil {
		t.Fatal(err)
	}
	next(t, r).PrepNop()
	next(t, r).PrepClose(-1)
	cqes := run(t, r, 2)
	if cqes[0].Res != 0 || cqes[1].Res != -int32(unix.EACCES) {
		t.Errorf("got %+v, want 0 and EACCES", cqes)
	}
	if _, err := r.Probe(); !errors.Is(err, syscall.EACCES) {
		t.Errorf("Probe: got %v, want EACCES", err)
	}
}

func TestPersonality(t *testing.T) {
	r := newRing(t, 8, 0)
	id, err := r.RegisterPersonality()
	if err != nil {
		t.Fatal(err)
	}
	s := next(t, r)
	s.PrepNop()
	s.Personality = id
	if res := one(t, r); res != 0 {
		t.Errorf("got %d", res)
	}
	if err := r.UnregisterPersonality(id); err != nil {
		t.Fatal(err)
	}
	if err := r.UnregisterPersonality(id); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("got %v, want EINVAL", err)
	}
}

func TestWorkers(t *testing.T) {
	r := newRing(t, 8, 0)
	if _, err := r.RegisterIOWQMaxWorkers(3, 5); err != nil {
		t.Fatal(err)
	}
	if old, err := r.RegisterIOWQMaxWorkers(0, 0); err != nil || old != [2]uint32{3, 5} {
		t.Errorf("got %v, %v, want the limits just set", old, err)
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	if err := r.RegisterIOWQAff(&set); err != nil {
		t.Error(err)
	}
	if err := r.UnregisterIOWQAff(); err != nil {
		t.Error(err)
	}
}

func TestClock(t *testing.T) {
	r := newRing(t, 8, 0)
	needs(t, r.RegisterClock(unix.CLOCK_BOOTTIME), "IORING_REGISTER_CLOCK")
	if err := r.RegisterClock(unix.CLOCK_REALTIME); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("got %v, want EINVAL", err)
	}
}

func TestNAPIStatic(t *testing.T) {
	r := newRing(t, 8, 0)
	if err := r.RegisterNAPI(&NAPI{BusyPollTo: 10, OpParam: IO_URING_NAPI_TRACKING_STATIC}); err != nil {
		t.Skip("kernel without static tracking:", err)
	}
	id := func(op uint8, id uint32) error { return r.RegisterNAPI(&NAPI{Opcode: op, OpParam: id}) }
	for _, c := range []struct {
		op   uint8
		id   uint32
		want error
	}{
		{IO_URING_NAPI_STATIC_ADD_ID, 1 << 30, nil},
		{IO_URING_NAPI_STATIC_ADD_ID, 1 << 30, syscall.EEXIST},
		{IO_URING_NAPI_STATIC_ADD_ID, 1, syscall.EINVAL}, // numbers up to that of processors are no queues
		{IO_URING_NAPI_STATIC_DEL_ID, 1 << 30, nil},
		{IO_URING_NAPI_STATIC_DEL_ID, 1 << 30, syscall.ENOENT},
	} {
		if err := id(c.op, c.id); !errors.Is(err, c.want) {
			t.Errorf("op %d of %#x: got %v, want %v", c.op, c.id, err, c.want)
		}
	}
	if err := r.UnregisterNAPI(nil); err != nil {
		t.Error(err)
	}
}

func TestNAPI(t *testing.T) {
	r := newRing(t, 8, 0)
	if err := r.RegisterNAPI(&NAPI{BusyPollTo: 10}); err != nil {
		t.Skip("kernel without NAPI:", err) // A build option decides, so no errno tells for sure.
	}
	var old NAPI
	if err := r.UnregisterNAPI(&old); err != nil || old.BusyPollTo != 10 {
		t.Errorf("got %+v, %v, want the setting just made", old, err)
	}
}

func TestRegisteredFiles(t *testing.T) {
	r := newRing(t, 8, 0)
	f := tempFile(t)
	if _, err := f.WriteString("content"); err != nil {
		t.Fatal(err)
	}
	fd := int32(f.Fd())
	buf := heap(16)
	p, n := Bytes(buf)
	read := func(slot int32) int32 {
		s := next(t, r)
		s.PrepRead(slot, p, n, 0)
		s.Flags |= IOSQE_FIXED_FILE
		return one(t, r)
	}
	check := func(slot, want int32) {
		t.Helper()
		if got := read(slot); got != want {
			t.Errorf("slot %d: got %d, want %d", slot, got, want)
		}
	}
	if err := r.RegisterFiles([]int32{-1, fd}); err != nil {
		t.Fatal(err)
	}
	check(0, -int32(unix.EBADF))
	check(1, 7)
	if n, err := r.FilesUpdate(0, []int32{fd, IORING_REGISTER_FILES_SKIP}, nil); n != 2 || err != nil {
		t.Errorf("FilesUpdate: got %d, %v, want 2", n, err)
	}
	check(0, 7)
	check(1, 7)
	next(t, r).PrepCloseSlot(1)
	if res := one(t, r); res != 0 {
		t.Errorf("PrepCloseSlot: got %d", res)
	}
	check(1, -int32(unix.EBADF))
	if err := r.UnregisterFiles(); err != nil {
		t.Fatal(err)
	}

	if err := r.RegisterFilesTags([]int32{fd}, []uint64{99}); err != nil {
		t.Fatal(err)
	}
	if err := r.UnregisterFiles(); err != nil {
		t.Fatal(err)
	}
	if c := run(t, r, 1)[0]; c.UserData != 99 {
		t.Errorf("tag: got %+v, want user data 99", c)
	}
	if err := r.RegisterFilesTags([]int32{fd}, []uint64{1, 2}); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("too many tags: got %v, want EINVAL", err)
	}

	if err := r.RegisterFilesSparse(8); err != nil {
		t.Fatal(err)
	}
	if err := r.RegisterFileAllocRange(4, 1); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int32{4, -int32(unix.ENFILE)} {
		s := next(t, r)
		s.PrepSocket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 0)
		s.SetTargetSlotAlloc()
		if res := one(t, r); res != want {
			t.Errorf("allocated slot: got %d, want %d", res, want)
		}
	}
}

func TestRegisteredBuffers(t *testing.T) {
	r := newRing(t, 8, 0)
	a := newArena(t, 2, 4096)
	iovs := make([]unix.Iovec, 2)
	for i := range iovs {
		iovs[i].Base = unsafe.SliceData(a.buf(uint16(i)))
		iovs[i].SetLen(a.size)
	}
	if err := r.RegisterBuffers(iovs); err != nil {
		t.Fatal(err)
	}
	f := tempFile(t)
	copy(a.buf(0), "hello")
	s := next(t, r)
	s.PrepWriteFixed(int32(f.Fd()), unsafe.Pointer(iovs[0].Base), 5, 0, 0)
	s.Flags |= IOSQE_IO_LINK
	next(t, r).PrepReadFixed(int32(f.Fd()), unsafe.Pointer(iovs[1].Base), 5, 0, 1)
	for _, c := range run(t, r, 2) {
		if c.Res != 5 {
			t.Errorf("got %+v, want 5", c)
		}
	}
	if got := string(a.buf(1)[:5]); got != "hello" {
		t.Errorf("got %q", got)
	}

	t.Run("clone", func(t *testing.T) {
		clone := newRing(t, 8, 0)
		needs(t, clone.CloneBuffers(&CloneBuffers{SrcFd: uint32(r.Fd())}), "IORING_REGISTER_CLONE_BUFFERS")
		next(t, clone).PrepReadFixed(int32(f.Fd()), unsafe.Pointer(iovs[0].Base), 3, 2, 0)
		if res := one(t, clone); res != 3 || string(a.buf(0)[:5]) != "llolo" {
			t.Errorf("got %d and %q", res, a.buf(0)[:5])
		}
	})
	if err := r.UnregisterBuffers(); err != nil {
		t.Fatal(err)
	}
	if err := r.UnregisterBuffers(); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("got %v, want ENXIO", err)
	}

	if err := r.RegisterBuffersSparse(4); err != nil {
		t.Fatal(err)
	}
	if n, err := r.BuffersUpdate(2, iovs, nil); n != 2 || err != nil {
		t.Errorf("BuffersUpdate: got %d, %v, want 2", n, err)
	}
	if err := r.UnregisterBuffers(); err != nil {
		t.Fatal(err)
	}
	if err := r.RegisterBuffersTags(iovs, []uint64{0, 77}); err != nil {
		t.Fatal(err)
	}
	if err := r.UnregisterBuffers(); err != nil {
		t.Fatal(err)
	}
	if c := run(t, r, 1)[0]; c.UserData != 77 {
		t.Errorf("tag: got %+v, want user data 77", c)
	}
}
