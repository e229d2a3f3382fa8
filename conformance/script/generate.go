package script

// Generate makes a program out of choices: choose gives a number from 0 to n-1. The smaller the numbers, the simpler the program. Any
// choices give a program that Check accepts.
func Generate(choose func(n int) int) *Program {
	g := &generator{choose: choose, p: &Program{}}
	for range 1 + choose(4) {
		g.object()
	}
	for range 1 + choose(20) {
		g.step()
	}
	return g.p.Clone()
}

type generator struct {
	choose func(n int) int
	p      *Program
	tag    int
}

// sizes of transfers, the simple ones first. Buffers of groups are some of them, too.
var sizes = [...]int{10, 100, 1, 64, 300, 0, 1000, 4096, 63, 65, MaxSize}

func (g *generator) size() int { return sizes[g.choose(len(sizes))] }

// names are those of the objects and of their peers.
var names = [MaxObjects][2]string{{"a", "b"}, {"c", "d"}, {"e", "f"}, {"g", "h"}, {"i", "j"}, {"k", "l"}, {"m", "n"}, {"o", "p"}}

// usual are the kinds of objects, as often as they are to come.
var usual = [...]ObjectKind{Unix, TCP, PipeIn, Group, PipeOut, File, TCP, Listener, Group, Unix, UDP}

func (g *generator) object() {
	n := len(g.p.Objects)
	o := Object{Kind: usual[g.choose(len(usual))], Name: names[n][0], Peer: names[n][1]}
	switch o.Kind {
	case Group:
		o.Peer, o.N, o.Size = "", 1<<g.choose(4), max(1, g.size())
	case File:
		o.Peer, o.N = "", 100*g.choose(90)
	case Listener:
		o.Peer = ""
	}
	g.p.Objects = append(g.p.Objects, o)
}

// any is some object, by preference one that is asked for.
func (g *generator) any(like kinds) string {
	var list []string
	for i := range g.p.Objects {
		if o := &g.p.Objects[i]; like.has(o.Kind) {
			list = append(list, o.Name)
		}
	}
	if len(list) == 0 {
		return ""
	}
	return list[g.choose(len(list))]
}

// step adds a step, or none if it would make no sense.
func (g *generator) step() {
	if g.choose(5) < 3 {
		g.submit()
		return
	}
	usual := [...]StepKind{Write, Write, Write, Write, Write, DrainAll, Drain, HalfClose, Release, Dial, Release, ClosePeer, Reset, Write}
	s := Step{Kind: usual[g.choose(len(usual))]}
	like := sockets
	switch s.Kind {
	case Write:
		s.N, like = g.size(), inputs
	case Drain:
		s.N, like = g.size(), outputs
	case DrainAll:
		like = outputs
	case ClosePeer:
		like = inputs | outputs
	case Reset:
		like = kindsOf(TCP)
	case Dial:
		like = kindsOf(Listener)
	}
	if s.Kind != Release {
		if s.On = g.any(like); s.On == "" {
			return
		}
		if s.Kind != Dial {
			s.On = g.p.Object(s.On).Peer
		}
	}
	g.add(s)
}

// add adds a step if the program is one with it.
func (g *generator) add(s Step) bool {
	g.p.Steps = append(g.p.Steps, s)
	if Check(g.p) == nil {
		return true
	}
	g.p.Steps = g.p.Steps[:len(g.p.Steps)-1]
	return false
}

func (g *generator) submit() {
	n := 1
	if g.choose(2) == 1 {
		n = 1 + g.choose(MaxOps)
	}
	var ops []Op
	for range n {
		o := g.op()
		o.Tag = g.tag + 1
		more := append(append([]Op(nil), ops...), o)
		if len(ops) > 0 {
			g.link(&more[len(ops)-1])
		}
		if !g.add(Step{Kind: Submit, Ops: more}) {
			continue
		}
		g.p.Steps = g.p.Steps[:len(g.p.Steps)-1]
		ops = more
		g.tag++
	}
	if len(ops) > 0 {
		g.add(Step{Kind: Submit, Ops: ops})
	}
}

// link has what comes next linked to o, or not.
func (g *generator) link(o *Op) {
	switch g.choose(6) {
	case 3:
		o.Flags |= Link
	case 4:
		o.Flags |= HardLink
	case 5:
		o.Flags |= [...]Flags{Link, HardLink, Link | Skip, HardLink | Skip}[g.choose(4)]
	}
}

// often are the verbs, as often as they are to come.
var often = [...]Verb{Recv, Recv, Recv, Send, Recv, RecvMulti, RecvBuffer, Read, WriteOp, Nop, Cancel, Send, RecvMulti, CancelFD, Timeout, LinkTimeout,
	PollOp, Shutdown, Accept, AcceptMulti, Read, WriteOp, Cancel, Fsync, Remove, CancelAny, Close, Timeout, Nop}

func (g *generator) op() Op {
	o := Op{Verb: often[g.choose(len(often))], Off: NoOffset}
	in := o.Verb.info()
	if in.takes&takesObject != 0 {
		o.On = g.any(in.on)
	}
	if in.takes&takesSize != 0 {
		o.N = g.size()
	}
	if in.takes&takesGroup != 0 {
		o.Group = g.any(kindsOf(Group))
	}
	if in.takes&takesHow != 0 {
		o.How = in.hows[g.choose(len(in.hows))]
	}
	if in.takes&takesTime != 0 {
		o.Time = g.time()
	}
	if in.takes&takesOf != 0 {
		o.Of = 1 + g.choose(max(1, g.tag+1))
	}
	if in.takes&mayOffset != 0 && g.choose(2) == 1 {
		o.Off = 100 * g.choose(90)
	}
	if in.takes&mayCount != 0 && o.Time == Never && g.choose(2) == 1 {
		o.Count = 1 + g.choose(4)
	}
	if in.takes&mayDeadline != 0 && g.choose(10) == 9 {
		o.Deadline = g.time()
	}
	for i := range flagNames {
		if f := Flags(1) << i; in.flags&f != 0 && g.choose(4) == 3 {
			o.Flags |= f
		}
	}
	if g.choose(20) == 19 {
		o.Flags |= DrainOp
	}
	obj := g.p.Object(o.On)
	if obj != nil && g.choose(8) == 7 && (o.Verb == Send || o.Verb == WriteOp && obj.Kind == PipeOut) {
		o.N = Huge
		if o.Verb == Send {
			o.Flags |= WaitAll
		}
	}
	return o
}

func (g *generator) time() Time {
	return [...]Time{Never, 1, Now, 2, 3}[g.choose(5)]
}
