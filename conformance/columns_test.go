package conformance_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
)

// column is one way of running the suite on a backend.
type column struct {
	name     string
	opt      api.Options
	wrap     func(api.Engine) api.Engine // around each engine, or nil
	need     api.Feature                 // skip the column where the engine has it not
	restrict bool                        // each case to its own operations
}

// on is b as the column has it.
func (c *column) on(b backend) backend {
	if c.wrap == nil {
		return b
	}
	return backend{b.name, func(o *api.Options) (api.Engine, error) {
		e, err := b.open(o)
		if err != nil {
			return nil, err
		}
		return c.wrap(e), nil
	}}
}

// lacks says why the column cannot be run on b here, "" if it can.
func (c *column) lacks(t *testing.T, b backend) string {
	t.Helper()
	e, err := b.open(&c.opt)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if f := e.Features(); !f.Has(c.need) {
		return fmt.Sprintf("this kernel lacks %v", c.need&^(f.Native|f.Emulated))
	}
	return ""
}

var strategies = []column{
	{name: "block"},
	{name: "park", opt: api.Options{Strategy: api.Park()}},
	{name: "spin", opt: api.Options{Strategy: api.Spin(50, api.Block())}},
}

// everyOp are all operations that an engine on io_uring can do without.
const everyOp = (api.OpSet(1)<<api.OpCount - 1) &^ api.UringNeeds

var socketOps = api.Ops(api.OpSend, api.OpRecv, api.OpSendMsg, api.OpSendZC, api.OpSendMsgZC, api.OpRecvMsg, api.OpAccept, api.OpConnect, api.OpShutdown,
	api.OpSocket, api.OpBind, api.OpListen, api.OpUringCmd)

// bare leaves nothing that a kernel may lack, neither features nor operations.
var bare = column{name: "bare", opt: api.Options{Disable: api.KernAll, DisableOps: everyOp}}

// nothing leaves no feature that a kernel may lack.
var nothing = column{name: "nothing", opt: api.Options{Disable: api.KernAll}}

// masks stand in for kernels that lack features or operations of io_uring.
var masks = []column{
	{name: "no-multishot", opt: api.Options{Disable: api.KernMultishotAccept | api.KernMultishotRecv | api.KernMultishotPoll}},
	nothing,
	{name: "nothing-park", opt: api.Options{Disable: api.KernAll, Strategy: api.Park()}},
	{name: "no-socket-ops", opt: api.Options{DisableOps: socketOps}},
	{name: "no-file-ops", opt: api.Options{DisableOps: everyOp &^ socketOps}},
	{name: "no-ops", opt: api.Options{DisableOps: everyOp}},
	{name: "no-ops-park", opt: api.Options{DisableOps: everyOp, Strategy: api.Park()}},
	bare,
	like("5.10", api.KernAll),
	like("5.15", api.KernAll&^(api.KernExtArg|api.KernMultishotPoll|api.KernFixedBuffers)),
	like("6.1", api.KernNoSQArray|api.KernAbsTimer|api.KernNoIOWait|api.KernAcceptDontWait|api.KernNoSignal|api.KernCloneBuffers|
		api.KernFixedFiles|api.KernIncremental|api.KernBundles|api.KernMultishotRead|api.KernZeroCopy|api.KernResize|api.KernMinWait|api.KernWaitRegion),
}

// like is what Linux of that version has. Its features are those of KernelFeature, its operations those of the table.
func like(version string, lacks api.KernelFeature) column {
	o := api.Options{Disable: lacks}
	for c := range api.OpCode(api.OpCount) {
		if newer(optab.Of(c).MinKernel, version) {
			o.DisableOps |= api.Ops(c)
		}
	}
	return column{name: "linux-" + version, opt: o}
}

// newer compares versions such as 5.10.
func newer(a, b string) bool {
	var n [2][2]int
	for i, v := range []string{a, b} {
		if _, err := fmt.Sscanf(v, "%d.%d", &n[i][0], &n[i][1]); err != nil {
			panic(v)
		}
	}
	return slices.Compare(n[0][:], n[1][:]) > 0
}

// lacking switch off a few features each, which have nothing to do with each other, so that a failure names the one. Each
// is in one of them, and TestColumns sees to that.
var lacking = []column{
	off(api.KernSingleIssuer | api.KernMultishotAccept | api.KernFixedBuffers),
	off(api.KernDeferTaskrun | api.KernMultishotPoll | api.KernFixedFiles),
	off(api.KernDeferTaskrun | api.KernCoopTaskrun | api.KernCloneBuffers),
	off(api.KernSubmitAll | api.KernAcceptDontWait | api.KernIncremental),
	off(api.KernNoSQArray | api.KernNoSignal | api.KernMultishotRead),
	off(api.KernRegisteredRing | api.KernMultishotRecv | api.KernResize | api.KernWaitRegion),
	off(api.KernExtArg | api.KernBundles),
	off(api.KernAbsTimer | api.KernBufferRings),
	off(api.KernNoIOWait | api.KernZeroCopy | api.KernMinWait),
}

// ringed are the modes of the ring, several in a column where they have nothing to do with each other.
var ringed = []column{
	{name: "ring-sqpoll", opt: api.Options{Ring: api.RingOptions{SQPoll: true, SQIdle: 2 * time.Millisecond}}},
	{name: "ring-iopoll", opt: api.Options{Ring: api.RingOptions{IOPoll: api.IOPollHybrid}}},
	{name: "ring-restricted", restrict: true},
	{name: "ring-coop+workers", opt: api.Options{Ring: api.RingOptions{Taskrun: api.TaskrunCoop, BoundedWorkers: 1, UnboundedWorkers: 32, WorkerCPUs: api.CPUs(0)}}},
}

func off(f api.KernelFeature) column {
	return column{name: "no-" + strings.ReplaceAll(f.String(), ",", "+"), opt: api.Options{Disable: f}}
}

// columns are the ways in which the suite runs on a backend: all of them with SLUICE_MATRIX=full, which is how
// `make conformance` runs it. Otherwise the suite runs once on each backend, and on uring without
// anything that a kernel may lack.
func columns(b backend) []column {
	full := os.Getenv("SLUICE_MATRIX") == "full"
	switch {
	case b.name != "uring" && full:
		return strategies
	case b.name != "uring":
		return strategies[:1]
	case full:
		return slices.Concat(strategies, masks, lacking, ringed, ringModes)
	}
	return []column{strategies[0], nothing, bare}
}

// shard gives a function that says of each column in turn whether it is to be run here: all of them, or with
// SLUICE_SHARD=i/n every n-th from the i-th on, so that several processes share the work.
func shard(t *testing.T) func() bool {
	v := os.Getenv("SLUICE_SHARD")
	if v == "" {
		return func() bool { return true }
	}
	var i, n int
	if _, err := fmt.Sscanf(v, "%d/%d", &i, &n); err != nil || i < 0 || i >= n {
		t.Fatalf("SLUICE_SHARD is %q, want i/n", v)
	}
	at := -1
	return func() bool { at++; return at%n == i }
}

// TestColumns: the operations of the columns are as they say, and each feature is off in one.
func TestColumns(t *testing.T) {
	left := api.KernAll
	for _, c := range lacking {
		left &^= c.opt.Disable
	}
	if left != 0 {
		t.Errorf("no column switches off %v: put it into one of those above", left)
	}
	for _, c := range []struct {
		version string
		has     api.OpSet
		lacks   api.OpSet
	}{
		{"5.10", api.Ops(api.OpSend, api.OpOpenat2, api.OpTee), api.Ops(api.OpShutdown, api.OpMkdirat, api.OpSocket, api.OpPipe)},
		{"5.15", api.Ops(api.OpShutdown, api.OpMkdirat), api.Ops(api.OpMsgRing, api.OpSocket)},
		{"6.1", api.Ops(api.OpSocket, api.OpSendMsgZC), api.Ops(api.OpWaitid, api.OpBind)},
	} {
		off := like(c.version, 0).opt.DisableOps
		if off&c.has != 0 || off&c.lacks != c.lacks || off&api.UringNeeds != 0 {
			t.Errorf("Linux %s is taken to lack %v", c.version, off)
		}
	}
}
