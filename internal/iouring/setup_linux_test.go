package iouring

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// unknownFlag is a setup flag that no kernel knows.
const unknownFlag = 1 << 31

func TestSetupErrors(t *testing.T) {
	newRing(t, 8, 0)
	for _, tt := range []struct {
		name    string
		entries uint32
		flags   uint32
		want    error
	}{
		{"no entries", 0, 0, syscall.EINVAL},
		{"too many entries", 1 << 20, 0, syscall.EINVAL},
		{"unknown flag", 8, unknownFlag, syscall.EINVAL},
		{"DEFER_TASKRUN alone", 8, IORING_SETUP_DEFER_TASKRUN, syscall.EINVAL},
		{"TASKRUN_FLAG alone", 8, IORING_SETUP_TASKRUN_FLAG, syscall.EINVAL},
		{"SQPOLL with COOP_TASKRUN", 8, IORING_SETUP_SQPOLL | IORING_SETUP_COOP_TASKRUN, syscall.EINVAL},
		{"SQE128", 8, IORING_SETUP_SQE128, errors.ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Setup(tt.entries, &Params{Flags: tt.flags})
			if r != nil || !errors.Is(err, tt.want) {
				t.Fatalf("got %v, %v, want %v", r, err, tt.want)
			}
			var call *os.SyscallError
			if _, ok := tt.want.(syscall.Errno); ok && (!errors.As(err, &call) || call.Syscall != "io_uring_setup") {
				t.Errorf("got %v, want it to name the call", err)
			}
		})
	}
}

func TestSetupBest(t *testing.T) {
	newRing(t, 8, 0)
	const single, deferred = IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_DEFER_TASKRUN
	for _, tt := range []struct {
		name   string
		wanted []uint32
		base   uint32
		want   uint32
	}{
		{"nothing wanted", nil, 0, 0},
		{"all granted", []uint32{deferred, single}, IORING_SETUP_CLAMP, IORING_SETUP_CLAMP | deferred | single},
		{"unknown first", []uint32{unknownFlag, deferred, single}, 0, deferred | single},
		{"unknown in the middle takes what comes before", []uint32{deferred, unknownFlag, single}, 0, single},
		{"prerequisite dropped", []uint32{single | unknownFlag, deferred, IORING_SETUP_SUBMIT_ALL}, 0, IORING_SETUP_SUBMIT_ALL},
		{"nothing is left", []uint32{unknownFlag, unknownFlag}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, granted, err := SetupBest(8, 0, tt.wanted, tt.base)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if granted != tt.want || r.Flags() != tt.want {
				t.Errorf("got %#x and %#x, want %#x", granted, r.Flags(), tt.want)
			}
		})
	}
	t.Run("CQ size", func(t *testing.T) {
		r, granted, err := SetupBest(8, 100, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if granted != IORING_SETUP_CQSIZE || r.SQEntries() != 8 || r.CQEntries() != 128 {
			t.Errorf("got %#x, %d, %d", granted, r.SQEntries(), r.CQEntries())
		}
	})
	t.Run("unknown base", func(t *testing.T) {
		if r, _, err := SetupBest(8, 0, []uint32{single}, unknownFlag); r != nil || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("got %v, %v, want EINVAL", r, err)
		}
	})
}

// TestSetupBestStopsAtOtherErrors uses the limit of descriptors to provoke an error that no choice of flags can avoid.
func TestSetupBestStopsAtOtherErrors(t *testing.T) {
	newRing(t, 8, 0)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	none := old
	none.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	r, _, err := SetupBest(8, 0, []uint32{IORING_SETUP_CLAMP}, 0)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	var call *os.SyscallError
	if r != nil || !errors.Is(err, syscall.EMFILE) || !errors.As(err, &call) {
		t.Errorf("got %v, %v, want a wrapped EMFILE", r, err)
	}
}

// TestWrap covers the errors which this machine cannot produce.
func TestWrap(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOSYS, syscall.EPERM, syscall.ENOMEM} {
		var call *os.SyscallError
		if err := wrap("io_uring_setup", errno); !errors.Is(err, errno) || !errors.As(err, &call) {
			t.Errorf("wrap(%v): got %v", errno, err)
		}
		if err := wrapRegister("PROBE", errno); !errors.Is(err, errno) || !errors.As(err, &call) {
			t.Errorf("wrapRegister(%v): got %v", errno, err)
		}
	}
	if err := wrap("x", syscall.Errno(0)); err != nil {
		t.Errorf("wrap(0): got %v", err)
	}
	if err := wrapRegister("x", 0); err != nil {
		t.Errorf("wrapRegister(0): got %v", err)
	}
}

func TestProbeEnterFlags(t *testing.T) {
	newRing(t, 8, 0)
	if err := ProbeEnterFlags(IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG); err != nil {
		t.Errorf("known flags: %v", err)
	}
	if err := ProbeEnterFlags(1 << 31); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("unknown flag: got %v, want EINVAL", err)
	}
}
