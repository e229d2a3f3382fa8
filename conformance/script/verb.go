package script

// Verb is what an operation does.
type Verb uint8

// The verbs, in the order of the table below.
const (
	Nop Verb = iota + 1
	Recv
	RecvBuffer
	RecvMulti
	Send
	Read
	WriteOp
	Accept
	AcceptMulti
	PollOp
	Shutdown
	Close
	Fsync
	Timeout
	LinkTimeout
	Cancel
	CancelFD
	CancelAny
	Remove
)

// operand says what comes behind a verb.
type operand uint16

const (
	takesObject operand = 1 << iota
	takesSize
	takesGroup
	takesHow
	takesTime
	takesOf
	mayOffset
	mayCount
	mayDeadline
)

// kinds is a set of ObjectKinds.
type kinds uint16

func kindsOf(list ...ObjectKind) (s kinds) {
	for _, k := range list {
		s |= 1 << k
	}
	return s
}

func (s kinds) has(k ObjectKind) bool { return s>>k&1 != 0 }

// verbInfo is a line of the table.
type verbInfo struct {
	name  string
	takes operand
	on    kinds
	flags Flags    // besides those of chains
	hows  []string // of takesHow
	in    bool     // it waits for its object to be readable
	out   bool     // it waits for its object to be writable
	multi bool     // it completes more than once
	stops bool     // it ends other operations
}

const chainFlags = Link | HardLink | DrainOp | Skip

var (
	streams  = kindsOf(TCP, Unix)
	sockets  = streams | kindsOf(UDP)
	inputs   = sockets | kindsOf(PipeIn)
	outputs  = sockets | kindsOf(PipeOut)
	anything = inputs | outputs | kindsOf(File, Listener)
)

var verbs = [...]verbInfo{
	Nop:         {name: "nop", takes: mayDeadline},
	Recv:        {name: "recv", takes: takesObject | takesSize | mayDeadline, on: sockets, flags: WaitAll | DontWait | EOF, in: true},
	RecvBuffer:  {name: "recvbuffer", takes: takesObject | takesGroup | mayDeadline, on: sockets, flags: DontWait | EOF, in: true},
	RecvMulti:   {name: "recvmulti", takes: takesObject | takesGroup | mayDeadline, on: sockets, flags: EOF, in: true, multi: true},
	Send:        {name: "send", takes: takesObject | takesSize | mayDeadline, on: sockets, flags: WaitAll | DontWait, out: true},
	Read:        {name: "read", takes: takesObject | takesSize | mayOffset | mayDeadline, on: inputs | kindsOf(File), flags: DontWait | EOF, in: true},
	WriteOp:     {name: "write", takes: takesObject | takesSize | mayOffset | mayDeadline, on: outputs | kindsOf(File), flags: DontWait, out: true},
	Accept:      {name: "accept", takes: takesObject | mayDeadline, on: kindsOf(Listener), flags: DontWait, in: true},
	AcceptMulti: {name: "acceptmulti", takes: takesObject | mayDeadline, on: kindsOf(Listener), in: true, multi: true},
	PollOp:      {name: "poll", takes: takesObject | takesHow | mayDeadline, on: inputs | outputs | kindsOf(Listener), hows: []string{"in", "out"}},
	Shutdown:    {name: "shutdown", takes: takesObject | takesHow, on: streams, hows: []string{"rd", "wr", "both"}, stops: true},
	Close:       {name: "close", takes: takesObject, on: anything, stops: true},
	Fsync:       {name: "fsync", takes: takesObject, on: anything &^ kindsOf(Listener)},
	Timeout:     {name: "timeout", takes: takesTime | mayCount, flags: TimeoutOK},
	LinkTimeout: {name: "linktimeout", takes: takesTime},
	Cancel:      {name: "cancel", takes: takesOf, stops: true},
	CancelFD:    {name: "cancelfd", takes: takesObject, on: anything, stops: true},
	CancelAny:   {name: "cancelany", stops: true},
	Remove:      {name: "remove", takes: takesOf, stops: true},
}

var flagNames = [...]string{"link", "hardlink", "drain", "skip", "waitall", "dontwait", "eof", "ok"}

var objectNames = [...]string{TCP: "pair tcp", Unix: "pair unix", PipeIn: "pipe in", PipeOut: "pipe out", File: "file", Listener: "listener", Group: "group", UDP: "pair udp"}

var stepNames = [...]string{Submit: "submit", Write: "write", Drain: "drain", DrainAll: "drain", ClosePeer: "close", Reset: "reset", HalfClose: "halfclose", Dial: "dial", Release: "release"}

func (v Verb) info() *verbInfo { return &verbs[v] }

// String is the verb as a program has it.
func (v Verb) String() string {
	if v == 0 || int(v) >= len(verbs) {
		return "?"
	}
	return verbs[v].name
}

func verbNamed(name string) Verb {
	for v := range verbs {
		if v > 0 && verbs[v].name == name {
			return Verb(v)
		}
	}
	return 0
}
