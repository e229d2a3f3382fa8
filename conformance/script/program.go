package script

// The bounds of a program. They keep it small enough for a person to read, and what it sends small enough for the buffers of
// the system, so that nothing waits for room but what is Huge.
const (
	MaxObjects  = 8
	MaxSteps    = 64
	MaxOps      = 8        // of one submit
	MaxSize     = 8 << 10  // bytes of one transfer
	MaxFlow     = 24 << 10 // bytes of all transfers in one direction of an object
	MaxFile     = 64 << 10
	MaxBuffers  = 16
	MaxTag      = 999
	MaxTimeouts = 3 // milliseconds of a timeout that fires
)

// Huge is the size of a transfer that no buffer of the system takes.
const Huge = 1 << 20

// Program is a script.
type Program struct {
	Objects []Object
	Steps   []Step
}

// ObjectKind says what an object is.
type ObjectKind uint8

// The kinds of objects.
const (
	TCP      ObjectKind = iota + 1 // a connection over the loopback interface
	Unix                           // a pair of Unix stream sockets
	PipeIn                         // a pipe whose reading end the engine has
	PipeOut                        // a pipe whose writing end the engine has
	File                           // a regular file
	Listener                       // a Unix stream socket that listens
	Group                          // a group of provided buffers
	UDP                            // a pair of UDP sockets that are connected to each other, over the loopback interface
)

// Object is something that operations are about.
type Object struct {
	Kind ObjectKind
	Name string
	Peer string // the name of the other end, where there is one
	N    int    // the size of a file, the number of buffers of a group
	Size int    // of each buffer
}

// StepKind says what a step does.
type StepKind uint8

// The kinds of steps.
const (
	Submit    StepKind = iota + 1 // the engine is given Ops
	Write                         // the peer writes N bytes
	Drain                         // the peer reads N bytes, or what there is if that is less
	DrainAll                      // the peer reads until nothing comes any more
	ClosePeer                     // the peer closes its end
	Reset                         // the peer closes its end so that a reset is sent
	HalfClose                     // the peer sends no more
	Dial                          // somebody connects to a listener
	Release                       // all leases are given back
)

// Step is one line of a program.
type Step struct {
	Kind StepKind
	On   string // the peer's end, or the listener
	N    int
	Ops  []Op
}

// Time is when a timeout fires.
type Time uint8

// The times, besides 1 to MaxTimeouts milliseconds.
const (
	Unset Time = 0
	Now   Time = 100 // a timeout of 0
	Never Time = 101 // an hour
)

// Fires says whether the time comes while a program runs.
func (t Time) Fires() bool { return t != Unset && t != Never }

// Flags change an operation.
type Flags uint16

// The flags, as they are called in the api.
const (
	Link Flags = 1 << iota
	HardLink
	DrainOp
	Skip
	WaitAll
	DontWait
	EOF
	TimeoutOK
)

// NoOffset as Op.Off is the current position.
const NoOffset = -1

// Op is one operation of a submit step.
type Op struct {
	Verb     Verb
	On       string // the object
	Group    string // of a receive into provided buffers
	How      string // of a shutdown or poll
	N        int    // bytes
	Off      int    // of reads and writes; NoOffset
	Tag      int    // names the operation in the program, 1 to MaxTag
	Of       int    // the tag of another one, submitted before
	Count    int    // of a timeout
	Time     Time   // of a timeout
	Deadline Time
	Flags    Flags
}

// Object finds an object by its name, or nil.
func (p *Program) Object(name string) *Object {
	for i := range p.Objects {
		if o := &p.Objects[i]; o.Name == name {
			return o
		}
	}
	return nil
}

// peerOf finds the object whose other end has the name, or nil.
func (p *Program) peerOf(name string) *Object {
	for i := range p.Objects {
		if o := &p.Objects[i]; o.Peer == name && name != "" {
			return o
		}
	}
	return nil
}

// Clone is a copy that shares nothing with p.
func (p *Program) Clone() *Program {
	c := &Program{Objects: append([]Object(nil), p.Objects...), Steps: append([]Step(nil), p.Steps...)}
	for i := range c.Steps {
		c.Steps[i].Ops = append([]Op(nil), c.Steps[i].Ops...)
	}
	return c
}
