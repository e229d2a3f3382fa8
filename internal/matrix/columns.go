package matrix

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
)

// Open opens an engine, as the New of a backend does.
type Open = func(*api.Options) (api.Engine, error)

// Column is one way of running the suite on a backend.
type Column struct {
	// Name has no slash, so that it is one part of the name of a subtest.
	Name string
	// Options are what each engine is opened with.
	Options api.Options
	// Wrap is put around each engine. Default: nil, nothing is.
	Wrap func(api.Engine) api.Engine
	// Need is what an engine must have for the column to make sense.
	Need api.Feature
	// Restrict has each case restricted to its own operations (conformance.Config.Restrict).
	Restrict bool
}

// On is open as the column has it.
func (c *Column) On(open Open) Open {
	if c.Wrap == nil {
		return open
	}
	return func(o *api.Options) (api.Engine, error) {
		e, err := open(o)
		if err != nil {
			return nil, err
		}
		return c.Wrap(e), nil
	}
}

// Lacks says why the column cannot be run here on engines that open opens, "" if it can. The error is that of opening or closing one, an
// api.ErrUnavailable where the machine has none.
func (c *Column) Lacks(open Open) (why string, err error) {
	e, err := open(&c.Options)
	if err != nil {
		return "", err
	}
	if f := e.Features(); !f.Has(c.Need) {
		why = fmt.Sprintf("this kernel lacks %v", c.Need&^(f.Native|f.Emulated))
	}
	return why, e.Close()
}

// Columns are the ways in which the suite runs on a backend: all of them if full, which is how `make conformance` runs it. Otherwise there is one
// for each backend, and on uring two more, without anything that a kernel may lack.
func Columns(backend string, full bool) []Column {
	switch {
	case backend != "uring" && full:
		return Strategies()
	case backend != "uring":
		return Strategies()[:1]
	case full:
		return slices.Concat(Strategies(), masks(), lacking(), Rings(), resizings())
	}
	return []Column{Strategies()[0], nothing(), bare()}
}

// Backends are all backends, in the order in which tables show them.
var Backends = []string{"uring", "epoll", "poll", "select"}

// Usual is the column of each backend that has what programs get which ask for nothing.
const Usual = "block"

// Strategies are the columns that every backend has, the usual one first.
func Strategies() []Column {
	return []Column{
		{Name: Usual},
		{Name: "park", Options: api.Options{Strategy: api.Park()}},
		{Name: "spin", Options: api.Options{Strategy: api.Spin(50, api.Block())}},
	}
}

// everyOp are all operations that an engine on io_uring can do without.
const everyOp = (api.OpSet(1)<<api.OpCount - 1) &^ api.UringNeeds

var socketOps = api.Ops(api.OpSend, api.OpRecv, api.OpSendMsg, api.OpSendZC, api.OpSendMsgZC, api.OpRecvMsg, api.OpAccept, api.OpConnect, api.OpShutdown,
	api.OpSocket, api.OpBind, api.OpListen, api.OpUringCmd)

// bare leaves nothing that a kernel may lack, neither features nor operations.
func bare() Column {
	return Column{Name: "bare", Options: api.Options{Disable: api.KernAll, DisableOps: everyOp}}
}

// nothing leaves no feature that a kernel may lack.
func nothing() Column {
	return Column{Name: "nothing", Options: api.Options{Disable: api.KernAll}}
}

// masks stand in for kernels that lack features or operations of io_uring.
func masks() []Column {
	return []Column{
		{Name: "no-multishot", Options: api.Options{Disable: api.KernMultishotAccept | api.KernMultishotRecv | api.KernMultishotPoll}},
		{Name: "no-registered", Options: api.Options{Disable: api.KernRegisteredRing | api.KernFixedBuffers | api.KernFixedFiles | api.KernCloneBuffers | api.KernWaitRegion}},
		nothing(),
		{Name: "nothing-park", Options: api.Options{Disable: api.KernAll, Strategy: api.Park()}},
		{Name: "no-socket-ops", Options: api.Options{DisableOps: socketOps}},
		{Name: "no-file-ops", Options: api.Options{DisableOps: everyOp &^ socketOps}},
		{Name: "no-ops", Options: api.Options{DisableOps: everyOp}},
		{Name: "no-ops-park", Options: api.Options{DisableOps: everyOp, Strategy: api.Park()}},
		bare(),
		like("5.10", api.KernAll),
		like("5.15", api.KernAll&^(api.KernExtArg|api.KernMultishotPoll|api.KernFixedBuffers)),
		like("6.1", api.KernNoSQArray|api.KernAbsTimer|api.KernNoIOWait|api.KernAcceptDontWait|api.KernNoSignal|api.KernCloneBuffers|
			api.KernFixedFiles|api.KernIncremental|api.KernBundles|api.KernMultishotRead|api.KernZeroCopy|api.KernResize|api.KernMinWait|api.KernWaitRegion),
	}
}

// like is what Linux of that version has. Its features are those of KernelFeature, its operations those of the table.
func like(version string, lacks api.KernelFeature) Column {
	o := api.Options{Disable: lacks}
	for c := range api.OpCode(api.OpCount) {
		if newer(optab.Of(c).MinKernel, version) {
			o.DisableOps |= api.Ops(c)
		}
	}
	return Column{Name: "linux-" + version, Options: o}
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
func lacking() []Column {
	return []Column{
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
}

// Rings are the modes of the ring, several in a column where they have nothing to do with each other.
func Rings() []Column {
	return []Column{
		{Name: "ring-sqpoll", Options: api.Options{Ring: api.RingOptions{SQPoll: true, SQIdle: 2 * time.Millisecond}}},
		{Name: "ring-iopoll", Options: api.Options{Ring: api.RingOptions{IOPoll: api.IOPollHybrid}}},
		{Name: "ring-restricted", Restrict: true},
		{Name: "ring-coop+workers", Options: api.Options{Ring: api.RingOptions{Taskrun: api.TaskrunCoop, BoundedWorkers: 1, UnboundedWorkers: 32, WorkerCPUs: api.CPUs(0)}}},
	}
}

func off(f api.KernelFeature) Column {
	return Column{Name: "no-" + strings.ReplaceAll(f.String(), ",", "+"), Options: api.Options{Disable: f}}
}

// resizings are the modes of a ring that programs have to ask for.
func resizings() []Column {
	return []Column{
		{Name: "resizing", Wrap: resizeAlways, Need: api.FeatQueueResize},
		{Name: "ring-memory+resizing", Options: api.Options{Ring: api.RingOptions{Memory: api.RingMemoryOwn}}, Wrap: resizeAlways, Need: api.FeatQueueResize},
		{Name: "ring-busy-poll+mixed+resizing", Wrap: resizeAlways, Need: api.FeatQueueResize,
			Options: api.Options{Ring: api.RingOptions{BusyPoll: 20 * time.Microsecond, PreferBusyPoll: true, Completions: api.CompletionsMixed}}},
		{Name: "ring-wide", Options: api.Options{Ring: api.RingOptions{Completions: api.CompletionsWide}}},
	}
}
