package script

import "fmt"

// Check says what is wrong with a program: names that are not there, what an object cannot do, more than the bounds allow, and
// operations together in one submit whose outcome would be a matter of time.
func Check(p *Program) error {
	_, err := p.check()
	return err
}

// checker is what is known of a program up to some step.
type checker struct {
	p      *Program
	tags   map[int]*Op
	closed map[string]bool // the engine's end, by object
	gone   map[string]bool // the peer's end, by object
	mute   map[string]bool // the peer writes no more
	stall  map[string]bool // something Huge has been sent
	whole  map[string]bool // a receive with waitall
	sent   map[string]int  // bytes by the engine
	put    map[string]int  // bytes by the peer
}

// check returns also the index of what is wrong, objects first and then steps.
func (p *Program) check() (at int, err error) {
	if len(p.Objects) > MaxObjects || len(p.Steps) > MaxSteps {
		return MaxObjects + MaxSteps, fmt.Errorf("more than %d objects or %d steps", MaxObjects, MaxSteps)
	}
	names := map[string]bool{}
	for i := range p.Objects {
		if err := p.Objects[i].check(names); err != nil {
			return i, err
		}
	}
	c := &checker{p: p, tags: map[int]*Op{}, closed: map[string]bool{}, gone: map[string]bool{}, mute: map[string]bool{},
		stall: map[string]bool{}, whole: map[string]bool{}, sent: map[string]int{}, put: map[string]int{}}
	for i := range p.Steps {
		s := &p.Steps[i]
		switch s.Kind {
		case Submit:
			err = c.submit(s.Ops)
		case Release:
		default:
			err = c.peer(s)
		}
		if err != nil {
			return len(p.Objects) + i, err
		}
	}
	return 0, nil
}

func isName(s string) bool {
	if len(s) == 0 || len(s) > 8 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func (o *Object) check(names map[string]bool) error {
	mine := []string{o.Name}
	switch o.Kind {
	case TCP, Unix, UDP, PipeIn, PipeOut:
		mine = append(mine, o.Peer)
	case File:
		if o.N < 0 || o.N > MaxFile {
			return fmt.Errorf("a file of %d bytes, at most %d", o.N, MaxFile)
		}
	case Group:
		if o.N < 1 || o.N > MaxBuffers || o.N&(o.N-1) != 0 || o.Size < 1 || o.Size > MaxSize {
			return fmt.Errorf("a group of %dx%d, must be a power of two up to %d, of up to %d bytes", o.N, o.Size, MaxBuffers, MaxSize)
		}
	case Listener:
	default:
		return fmt.Errorf("no such object")
	}
	for _, n := range mine {
		if !isName(n) || names[n] {
			return fmt.Errorf("%q is no name, or there are two of it", n)
		}
		names[n] = true
	}
	return nil
}

func (c *checker) peer(s *Step) error {
	o := c.p.peerOf(s.On)
	if s.Kind == Dial {
		o = c.p.Object(s.On)
		if o == nil || o.Kind != Listener || c.closed[o.Name] {
			return fmt.Errorf("%q is no listener, or closed", s.On)
		}
		return nil
	}
	if o == nil || c.gone[o.Name] {
		return fmt.Errorf("%q is no end of a peer, or closed", s.On)
	}
	reads, writes := outputs.has(o.Kind), inputs.has(o.Kind)
	ok := true
	switch s.Kind {
	case Write:
		if ok = writes && !c.mute[o.Name] && !c.closed[o.Name] && s.N > 0 && s.N <= MaxSize; ok {
			c.put[o.Name] += s.N
			ok = c.put[o.Name] <= MaxFlow
		}
	case Drain:
		ok = reads && o.Kind != UDP && !c.stall[o.Name] && s.N > 0 && s.N <= MaxFlow
	case DrainAll:
		ok = reads
	case ClosePeer: // with something unread it is a reset, and who is told of it, if a receive has had its data, is not said (STR-7)
		ok = o.Kind != UDP && (!c.whole[o.Name] || c.sent[o.Name] == 0 && !c.stall[o.Name])
		c.gone[o.Name] = true
	case Reset:
		ok = o.Kind == TCP && !c.whole[o.Name]
		c.gone[o.Name] = true
	case HalfClose:
		ok = streams.has(o.Kind) && !c.mute[o.Name]
		c.mute[o.Name] = true
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("%s cannot do this, or not any more, or too much of it", s.On)
	}
	return nil
}

func (c *checker) submit(ops []Op) error {
	if len(ops) == 0 || len(ops) > MaxOps {
		return fmt.Errorf("a submit has 1 to %d operations", MaxOps)
	}
	for i := range ops {
		if err := c.op(&ops[i], ops, i); err != nil {
			return fmt.Errorf("%s: %w", &ops[i], err)
		}
		c.tags[ops[i].Tag] = &ops[i]
	}
	if err := c.together(ops); err != nil {
		return err
	}
	for i := range ops {
		if ops[i].Verb == Close {
			c.closed[ops[i].On] = true
		}
	}
	return nil
}

// op is what holds for one operation.
func (c *checker) op(o *Op, ops []Op, i int) error {
	if o.Verb == 0 || int(o.Verb) >= len(verbs) {
		return fmt.Errorf("no such operation")
	}
	in := o.Verb.info()
	if o.Tag < 1 || o.Tag > MaxTag || c.tags[o.Tag] != nil {
		return fmt.Errorf("an operation needs a tag of its own, 1 to %d", MaxTag)
	}
	if o.Flags&^(in.flags|chainFlags) != 0 {
		return fmt.Errorf("it does not take these flags")
	}
	linked := o.Flags & (Link | HardLink)
	behind := i > 0 && ops[i-1].Flags&(Link|HardLink) != 0
	switch {
	case linked == Link|HardLink, linked != 0 && i == len(ops)-1:
		return fmt.Errorf("it is linked to nothing, or twice")
	case o.Flags&Skip != 0 && (linked == 0 || in.takes&takesGroup != 0 || in.multi || o.Verb == Accept || o.Verb == LinkTimeout):
		return fmt.Errorf("skip is for what has something linked behind it, and gives out nothing")
	}
	if in.takes&takesOf != 0 && c.tags[o.Of] == nil {
		return fmt.Errorf("there is no operation %d before it", o.Of)
	}
	if o.Count > 0 && (behind || linked != 0 || o.Flags&DrainOp != 0) {
		return fmt.Errorf("it is not told from when it counts in a chain, or behind a drain")
	}
	if (behind || o.Flags&DrainOp != 0) && (o.Verb == Cancel || o.Verb == CancelAny || o.Verb == Remove) {
		return fmt.Errorf("what it finds when its turn comes is a matter of time")
	}
	if in.takes&takesTime != 0 && o.Time == Unset || o.Count < 0 || o.Count > 99 || o.Count > 0 && o.Time != Never {
		return fmt.Errorf("it needs a time, and a count goes with never")
	}
	return c.target(o, in)
}

// target is what holds for an operation and its object.
func (c *checker) target(o *Op, in *verbInfo) error {
	if in.takes&takesGroup != 0 {
		if g := c.p.Object(o.Group); g == nil || g.Kind != Group {
			return fmt.Errorf("there is no group %q", o.Group)
		}
	}
	if in.takes&takesHow != 0 && !contains(in.hows, o.How) {
		return fmt.Errorf("%q is not among %q", o.How, in.hows)
	}
	if in.takes&takesObject == 0 {
		return nil
	}
	obj := c.p.Object(o.On)
	if obj == nil || !in.on.has(obj.Kind) || c.closed[o.On] {
		return fmt.Errorf("%q is no object that it can be done to, or closed", o.On)
	}
	if c.gone[o.On] && c.stall[o.On] && !in.stops {
		return fmt.Errorf("whether what was stopped by the loss of the peer has taken the error is not said")
	}
	if obj.Kind == File && o.Deadline.Fires() {
		return fmt.Errorf("how long a file takes is a matter of time")
	}
	if o.Off != NoOffset && (obj.Kind != File || o.Off < 0 || o.Off > MaxFile) {
		return fmt.Errorf("an offset is for a file, up to %d", MaxFile)
	}
	if o.Verb == Recv && o.Flags&WaitAll != 0 {
		if c.gone[o.On] {
			return fmt.Errorf("whether it takes the error behind the data is not said")
		}
		c.whole[o.On] = true
	}
	huge := o.N == Huge && (o.Verb == Send && streams.has(obj.Kind) && o.Flags&WaitAll != 0 || o.Verb == WriteOp && obj.Kind == PipeOut)
	if o.N < 0 || o.N > MaxSize && !huge {
		return fmt.Errorf("a transfer is at most %d bytes, or huge for a send with waitall and a write to a pipe", MaxSize)
	}
	if o.Verb == PollOp && o.How == "out" && obj.Kind == TCP && c.stall[o.On] {
		return fmt.Errorf("how much of something huge has left for the peer, and so whether there is room, is a matter of luck")
	}
	if !in.out || obj.Kind == File {
		return nil
	}
	if c.stall[o.On] && !huge {
		return fmt.Errorf("whether there is room behind something huge is a matter of luck")
	}
	if huge {
		c.stall[o.On] = true
		return nil
	}
	if c.sent[o.On] += o.N; c.sent[o.On] > MaxFlow {
		return fmt.Errorf("more than %d bytes in one direction", MaxFlow)
	}
	return nil
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// fires says whether the operation has a time that comes.
func (o *Op) fires() bool { return o.Time.Fires() || o.Deadline.Fires() }

// waits says whether the operation, if it does not end at once, waits for a peer and not for the system.
func (c *checker) waits(o *Op) bool {
	in := o.Verb.info()
	if o.Verb == Timeout {
		return o.Time == Never
	}
	obj := c.p.Object(o.On)
	return obj != nil && obj.Kind != File && (in.in || in.out || o.Verb == PollOp)
}

// overwritten is a file that is written to while another operation of the submit, which is not in the same chain, is on it.
func (c *checker) overwritten(ops []Op) string {
	chain := 0
	chains := map[string]map[int]bool{}
	for i := range ops {
		o := &ops[i]
		if obj := c.p.Object(o.On); obj != nil && obj.Kind == File && (o.Verb == Read || o.Verb == WriteOp) {
			if chains[o.On] == nil {
				chains[o.On] = map[int]bool{}
			}
			chains[o.On][chain] = chains[o.On][chain] || o.Verb == WriteOp
		}
		if o.Flags&(Link|HardLink) == 0 {
			chain++
		}
	}
	for name, of := range chains {
		for _, writes := range of {
			if writes && len(of) > 1 {
				return name
			}
		}
	}
	return ""
}

// skipping is how many chains have an operation with skip.
func skipping(ops []Op) (n int) {
	skips := false
	for i := range ops {
		skips = skips || ops[i].Flags&Skip != 0
		if ops[i].Flags&(Link|HardLink) == 0 && skips {
			n++
			skips = false
		}
	}
	return n
}

// behind says whether one of ops stands before o in the order of its file.
func (c *checker) behind(ops []Op, o *Op) bool {
	in := o.Verb.info()
	for i := range ops {
		q := ops[i].Verb.info()
		if &ops[i] != o && ops[i].On == o.On && (in.in && q.in || in.out && (q.out || ops[i].Verb == Shutdown) || c.p.Object(o.On).Kind == File) {
			return true
		}
	}
	return false
}

// together is what holds for the operations of one submit.
func (c *checker) together(ops []Op) error {
	var stops, fires, drains bool
	objects := map[string]int{}
	for i := range ops {
		o := &ops[i]
		stops = stops || o.Verb.info().stops
		fires = fires || o.fires()
		objects[o.On]++
		before := ops[:i]
		if i > 0 && ops[i-1].Flags&(Link|HardLink) != 0 {
			before = ops // those that stand behind it may begin first
		}
		if o.Flags&DontWait != 0 && c.behind(before, o) {
			return fmt.Errorf("whether what stands before %s has ended is a matter of time", o)
		}
		drains = drains || o.Flags&DrainOp != 0
		if drains && (o.Count > 0 || o.Deadline.Fires() || o.Verb == LinkTimeout && o.fires()) {
			return fmt.Errorf("when %s is let go by a drain is a matter of time", o)
		}
	}
	if name := c.overwritten(ops); name != "" {
		return fmt.Errorf("what is written to %s and what is read of it, or written, at the same time", name)
	}
	if skipping(ops) > 1 {
		return fmt.Errorf("two chains with skip: which of them has gone on could not be told")
	}
	if stops && fires {
		return fmt.Errorf("something is ended and something has a time: which comes first is a matter of time")
	}
	for i := range ops {
		o := &ops[i]
		timed := o // what the time is about
		if o.Verb == LinkTimeout && o.fires() && i > 0 && ops[i-1].Flags&(Link|HardLink) != 0 {
			timed = &ops[i-1]
			if timed.Flags&Skip != 0 {
				return fmt.Errorf("which of %s and its timeout says something is not told", timed)
			}
			if !c.waits(timed) || timed.fires() {
				return fmt.Errorf("how long %s takes is a matter of time", timed)
			}
		} else if !o.Deadline.Fires() {
			continue
		}
		chained := o.Flags&(Link|HardLink) != 0 || i > 0 && ops[i-1].Flags&(Link|HardLink) != 0
		if o.Deadline.Fires() && chained {
			return fmt.Errorf("whether %s begins before its deadline is a matter of time", o)
		}
		if timed.On != "" && objects[timed.On] > 1 {
			return fmt.Errorf("whether %s has its turn before its time is a matter of time", timed)
		}
	}
	return nil
}
