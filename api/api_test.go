package api

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(Op{}); n > 128 {
		t.Errorf("an Op has %d bytes, want at most 128", n)
	}
	if n := unsafe.Sizeof(Completion{}); n > 64 {
		t.Errorf("a Completion has %d bytes, want at most 64", n)
	}
	if n := unsafe.Sizeof(OpID(0)); n != 8 {
		t.Errorf("an OpID has %d bytes, want 8", n)
	}
}

func TestZeroValues(t *testing.T) {
	var op Op
	if op.Code != OpNop || op.Deadline != 0 || op.Flags != 0 {
		t.Errorf("the zero Op is %+v, want a nop", op)
	}
	var c Completion
	if c.Err() != nil || c.More() {
		t.Errorf("the zero Completion has error %v, more %v", c.Err(), c.More())
	}
	if !(Addr{}).IsZero() {
		t.Error("the zero Addr is one")
	}
	if w := (Wait{}); w.Left(Now()) >= 0 {
		t.Error("the zero Wait has a deadline")
	}
}

func TestOpID(t *testing.T) {
	id := MakeOpID(7, 9)
	if id.Slot() != 7 || id.Generation() != 9 {
		t.Errorf("slot %d, generation %d, want 7 and 9", id.Slot(), id.Generation())
	}
}

func TestErr(t *testing.T) {
	for _, c := range []struct {
		name string
		c    Completion
		want error
	}{
		{"success", Completion{Res: 5}, nil},
		{"zero", Completion{}, nil},
		{"end of file not asked for", Completion{Res: 0}, nil},
		{"end of file", Completion{Flags: AtEOF}, io.EOF},
		{"cancelled", Completion{Res: -int32(ECanceled)}, ErrCanceled},
		{"late", Completion{Res: -int32(ETime)}, os.ErrDeadlineExceeded},
		{"errno", Completion{Res: -int32(syscall.EPIPE)}, syscall.EPIPE},
		{"an errno that does not exist", Completion{Res: -4095}, syscall.Errno(4095)},
		{"the smallest result", Completion{Res: -1 << 31}, syscall.Errno(1 << 31)},
	} {
		if got := c.c.Err(); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestErrAllocatesNothing(t *testing.T) {
	var sink error
	for _, res := range []int32{0, 1, -int32(syscall.EPIPE), -int32(ECanceled), -int32(ETime), -133} {
		c := Completion{Res: res}
		if n := testing.AllocsPerRun(100, func() { sink = c.Err() }); n != 0 {
			t.Errorf("Err of %d allocates %v times", res, n)
		}
	}
	_ = sink
}

func TestTypedErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		is   error
		text string
	}{
		{&UnavailableError{Backend: "uring", Reason: "refused", Hint: "ask nicely", Err: syscall.EPERM}, ErrUnavailable,
			"sluice: backend uring is unavailable: refused (ask nicely)"},
		{&UnavailableError{Backend: "uring", Reason: "refused", Err: syscall.EPERM}, syscall.EPERM,
			"sluice: backend uring is unavailable: refused"},
		{&UnsupportedError{Op: OpSplice, MinKernel: "5.7"}, ErrUnsupported,
			"sluice: operation splice is not supported, it needs Linux 5.7"},
		{&UnsupportedError{Feature: FeatPark, Reason: "no"}, errors.ErrUnsupported,
			"sluice: feature park is not supported: no"},
		{&InvalidOpError{Index: 2, Code: 200, Reason: "no such code"}, ErrInvalidOp,
			"sluice: ops[2] (op(200)) is invalid: no such code"},
		{&OptionError{Option: "Workers", Reason: "out of range"}, ErrInvalidOption, "sluice: option Workers: out of range"},
	} {
		if !errors.Is(c.err, c.is) {
			t.Errorf("%v is not %v", c.err, c.is)
		}
		if c.err.Error() != c.text {
			t.Errorf("text %q, want %q", c.err.Error(), c.text)
		}
	}
}

func TestOptions(t *testing.T) {
	d, err := (*Options)(nil).WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	want := Options{Strategy: Block(), MaxInFlight: DefaultMaxInFlight, Entries: DefaultEntries,
		CQEntries: DefaultCQEntries, Workers: DefaultWorkers, WorkQueue: DefaultMaxInFlight}
	if d != want {
		t.Errorf("defaults %+v, want %+v", d, want)
	}
	big, err := (&Options{Entries: 1 << 14}).WithDefaults()
	if err != nil || big.CQEntries != 1<<15 {
		t.Errorf("CQEntries %d for 16384 entries (%v), want 32768", big.CQEntries, err)
	}
	for _, o := range []Options{
		{MaxInFlight: -1}, {MaxInFlight: MaxMaxInFlight + 1}, {Entries: -1}, {Entries: MaxEntries + 1},
		{Entries: 64, CQEntries: 32}, {CQEntries: MaxCQEntries + 1}, {Workers: -1}, {Workers: MaxWorkers + 1}, {WorkQueue: -1}, {WorkQueue: MaxMaxInFlight + 1}, {DisableOps: Ops(OpNop)},
		{Strategy: Spin(-1, Block())}, {Strategy: Spin(MaxSpin+1, Block())}, {Strategy: Strategy{Mode: 9}},
	} {
		if _, err := o.WithDefaults(); !errors.Is(err, ErrInvalidOption) {
			t.Errorf("%+v: %v, want an OptionError", o, err)
		}
	}
}

func TestWait(t *testing.T) {
	if _, err := (Wait{Min: -1}).Resolve(Block()); !errors.Is(err, ErrInvalidOption) {
		t.Errorf("a negative Min: %v", err)
	}
	if s, _ := (Wait{}).Resolve(Park()); s != Park() {
		t.Errorf("the default of Park is %v", s)
	}
	if s, _ := (Wait{Strategy: Spin(5, Strategy{})}).Resolve(Park()); s != Spin(5, Park()) {
		t.Errorf("spinning on top of Park is %v", s)
	}
	if _, err := (Wait{Strategy: Strategy{Mode: 7}}).Resolve(Park()); err == nil {
		t.Error("an unknown mode is taken")
	}
}

func TestInstant(t *testing.T) {
	a := Now()
	if a == 0 {
		t.Fatal("Now is 0")
	}
	if b := Now(); b < a {
		t.Errorf("the clock went back from %d to %d", a, b)
	}
	if got := a.Add(time.Second).Sub(a); got != time.Second {
		t.Errorf("a second is %v", got)
	}
	if Instant(1<<63-10).Add(time.Hour) != 1<<63-1 {
		t.Error("Add wraps around")
	}
	for _, c := range []struct{ got, want Instant }{
		{Instant(-10).Add(-1 << 63), -1 << 63},
		{Instant(1 << 62).Add(1 << 62), 1<<63 - 1},
		{Instant(5).Add(-7), -2},
		{Instant(Instant(1 << 62).Sub(-1 << 63)), 1<<63 - 1},
		{Instant(Instant(-1 << 63).Sub(1)), -1 << 63},
		{Instant(Instant(3).Sub(5)), -2},
	} {
		if c.got != c.want {
			t.Errorf("got %d, want %d", c.got, c.want)
		}
	}
	if Now().Add(-365*24*time.Hour) <= 0 {
		t.Error("a year ago is no instant")
	}
	if After(-time.Second) > Now() {
		t.Error("After a negative time is in the future")
	}
}

func TestNames(t *testing.T) {
	seen := map[string]OpCode{}
	for c := range OpCode(OpCount) {
		if o, twice := seen[c.String()]; twice || c.String() == "" {
			t.Errorf("%d and %d are both called %q", o, c, c.String())
		}
		seen[c.String()] = c
	}
	if got := (FeatPark | FeatDontWait).String(); got != "dont-wait,park" {
		t.Errorf("features %q", got)
	}
	if got := Feature(0).String(); got != "none" {
		t.Errorf("no features %q", got)
	}
	if bits := len(featureNames); AllFeatures != 1<<bits-1 {
		t.Errorf("%d feature names for %b", bits, AllFeatures)
	}
	if bits := len(kernelFeatureNames); KernAll != 1<<bits-1 {
		t.Errorf("%d kernel feature names for %b", bits, KernAll)
	}
}

func TestFeatures(t *testing.T) {
	f := Features{Native: FeatPark, Emulated: FeatWaitAll, OpsNative: Ops(OpNop), OpsEmulated: Ops(OpRecv)}
	if f.Feature(FeatPark) != Native || f.Feature(FeatWaitAll) != Emulated || f.Feature(FeatOrdered) != Absent {
		t.Error("a feature is told wrong")
	}
	if f.Op(OpNop) != Native || f.Op(OpRecv) != Emulated || f.Op(OpSend) != Absent || f.Op(OpCode(200)) != Absent {
		t.Error("an operation is told wrong")
	}
	if !f.Has(FeatPark|FeatWaitAll) || f.Has(FeatOrdered) || !f.HasOp(OpRecv) || f.HasOp(OpSend) {
		t.Error("Has is wrong")
	}
}

func TestFlags(t *testing.T) {
	op := Recv(3, make([]byte, 4), 1).With(WaitAll | EOF).Until(9)
	if !op.Flags.Has(WaitAll|EOF) || op.Flags.Has(Unordered) || op.Deadline != 9 || op.FD != 3 {
		t.Errorf("%+v", op)
	}
	if OpFlags(1<<31).Known() || !(Abs | Multishot).Known() {
		t.Error("Known is wrong")
	}
}
