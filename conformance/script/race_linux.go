package script

import (
	"fmt"
	"slices"
)

// races says why the outcome of a submit is a matter of time, "" if it is not: something is ended by it that has something to do. What
// has been settled before is the same on every machine, and so is the answer.
func (r *run) races(list []Op) string {
	if why := r.letGo(list); why != "" {
		return why
	}
	for i := range r.p.Objects {
		o := r.objects[r.p.Objects[i].Name]
		if o.Kind != Group && o.fd >= 0 && bothDirections(list, o.Name) && o.failing() {
			return fmt.Sprintf("which of two directions of %s is told of its error", o.Name)
		}
	}
	if o := r.fills(list); o != nil {
		return fmt.Sprintf("whether there is room for %d beside something huge", o.Tag)
	}
	if g := r.scarce(list); g != "" {
		return "which of two operations gets the last buffer of " + g
	}
	for i := range list {
		if why := r.freed(list, i); why != "" {
			return why
		}
		if r.cutShort(list, i) {
			return fmt.Sprintf("how much %d gives until its time", list[i].Tag)
		}
		if why := r.watched(list, i); why != "" {
			return why
		}
	}
	return r.ends(list)
}

// fills is an operation of which it is luck whether there is room for it: it sends on a TCP socket behind something huge that was stopped, or
// begins only when something huge may have been. How much has left for the peer by then is a matter of time.
func (r *run) fills(list []Op) *Op {
	for i := range list {
		o := r.objects[list[i].On]
		if list[i].N != Huge || o.Kind != TCP {
			continue
		}
		if o.part {
			return &list[i]
		}
		for _, q := range r.pending {
			if q.on == o && q.Verb.info().out && r.held(q) {
				return q.Op
			}
		}
		for j := range list {
			if j != i && list[j].On == o.Name && list[j].Verb.info().out && (j > i || headOf(list, j) != j || list[j].Flags&DrainOp != 0) {
				return &list[j]
			}
		}
	}
	return nil
}

// scarce is a group of which several operations of the list, or one of it and one that is held, may take the last buffer.
func (r *run) scarce(list []Op) string {
	for i := range list {
		g := list[i].Group
		if g == "" {
			continue
		}
		takers, multi := 0, false
		for j := range list {
			if list[j].Group == g {
				takers++
				multi = multi || list[j].Verb.info().multi
			}
		}
		for _, o := range r.pending { // what is held may be let go by the same
			if o.Group == g && r.held(o) {
				takers++
				multi = multi || o.Verb.info().multi
			}
		}
		if left := r.objects[g].N - r.out(g); takers > 1 && (multi || takers > left) {
			return g
		}
	}
	return ""
}

// freed says why operation i of the list, which does not wait, is a race: it stands behind something that the list ends, and so does not, if the
// engine knows of that end by then (STR-5). It is told from what follows if there is nothing to move, or the end of the stream.
func (r *run) freed(list []Op, i int) string {
	o := &list[i]
	in := o.Verb.info()
	if o.Flags&DontWait == 0 || !in.in && !in.out {
		return ""
	}
	nothing := o.N == 0 && in.takes&takesSize != 0
	for _, q := range r.pending {
		if v := q.Verb.info(); q.On != o.On || v.in != in.in || v.out != in.out {
			continue
		}
		for j := range list {
			if nothing && list[j].Verb.info().stops || list[j].Verb == Shutdown && list[j].On == o.On {
				return fmt.Sprintf("whether %d has ended when %d begins", q.Tag, o.Tag)
			}
		}
	}
	return ""
}

// out is how many buffers of a group have not been given back.
func (r *run) out(group string) (n int) {
	for _, h := range r.leases {
		if h.group == r.objects[group].group {
			n++
		}
	}
	return n
}

// cutShort says whether operation i is a multishot that has something to do and a time that comes (TMO-15, LTO-1).
func (r *run) cutShort(list []Op, i int) bool {
	o := &list[i]
	if !o.Verb.info().multi {
		return false
	}
	linked := o.Flags&(Link|HardLink) != 0 && list[i+1].Verb == LinkTimeout && list[i+1].Time.Fires()
	// Behind others of its chain its turn may come when there is something.
	return (linked || o.Deadline.Fires()) && (r.begins(o) || headOf(list, i) != i)
}

// bothDirections says whether a list receives and sends on an object.
func bothDirections(list []Op, on string) bool {
	in, out := false, false
	for i := range list {
		if list[i].On == on {
			in = in || list[i].Verb.info().in
			out = out || list[i].Verb.info().out
		}
	}
	return in && out
}

// letGo says why operations that begin later, behind a drain or in a chain, are a race.
func (r *run) letGo(list []Op) string {
	skips := skipping(list) > 0
	drains, stops, asks := false, false, false
	for i := range list {
		o := &list[i]
		drains = drains || o.Flags&DrainOp != 0
		stops = stops || o.Verb.info().stops
		asks = asks || o.Count > 0 || (o.Flags&DontWait != 0 || o.Verb == WriteOp && r.objects[o.On].Kind == File) && r.shared(list, i) ||
			o.Verb == LinkTimeout && o.Time.Fires() && i > 0 && r.shared(list, i-1)
		if i == 0 || list[i-1].Flags&(Link|HardLink) == 0 || o.On == "" {
			continue
		}
		if r.besides(list, i) {
			return fmt.Sprintf("when the turn of %d comes there are others on its file", o.Tag)
		}
	}
	for _, o := range r.pending {
		drains = drains || o.chain.drain
		for _, q := range o.chain.ops {
			if skips && q.Flags&Skip != 0 {
				return fmt.Sprintf("two chains with skip, that of %d and another", o.Tag)
			}
		}
		for i := range list {
			if o.on != nil && o.on.Kind == File && list[i].On == o.On && (o.Verb == WriteOp || list[i].Verb == WriteOp) {
				return fmt.Sprintf("%d may be let go while %d is done", o.Tag, list[i].Tag)
			}
			if o.on != nil && list[i].On == o.On && o.Flags&DontWait != 0 && r.held(o) {
				return fmt.Sprintf("whether %d is still there when the turn of %d comes, which does not wait", list[i].Tag, o.Tag)
			}
			if o.Verb.info().stops && r.touches(list, o.Op, &list[i]) {
				return fmt.Sprintf("%d ends others when its turn comes", o.Tag)
			}
		}
	}
	if drains && (asks || stops && !r.passes(list)) {
		return "what is let go by a drain begins beside others"
	}
	for _, o := range r.pending {
		for i := range list {
			if drains && o.at > 0 && o.on != nil && list[i].On == o.On && r.held(o) {
				return fmt.Sprintf("which of %d, in its chain, and %d, behind a drain, is let go first", o.Tag, list[i].Tag)
			}
		}
	}
	return ""
}

// shared says whether anything else is on the object of operation i.
func (r *run) shared(list []Op, i int) bool {
	for j := range list {
		if j != i && list[j].On == list[i].On {
			return true
		}
	}
	return slices.ContainsFunc(r.pending, func(o *op) bool { return o.On == list[i].On })
}

// passes says whether what a list ends is the same, whatever a drain lets go, and when: it is a cancel by itself, or one beside others of
// what had its turn before.
func (r *run) passes(list []Op) bool {
	if len(list) == 1 {
		return list[0].Verb == Cancel || list[0].Verb == CancelFD || list[0].Verb == CancelAny || list[0].Verb == Remove
	}
	for i := range list {
		o := &list[i]
		if !o.Verb.info().stops {
			continue
		}
		t := r.ops[o.Of]
		chained := o.Flags&(Link|HardLink|DrainOp) != 0 || headOf(list, i) != i
		if o.Verb != Cancel && o.Verb != Remove || chained || t == nil || t.done || r.held(t) || t.chain.drain || len(t.chain.ops) > 1 {
			return false
		}
		for j := range list {
			if t.On != "" && list[j].On == t.On {
				return false
			}
		}
	}
	return true
}

// besides says whether something is on the object of operation i, which waits in its chain, whose place in the order of the file, before or
// behind it, is a matter of time. What has been settled has its place, unless it is held itself; but it can be ended. So has what is submitted with
// it, if the chain cannot have come to i by then.
func (r *run) besides(list []Op, i int) bool {
	stops := list[i].Verb.info().stops
	for _, o := range r.pending {
		if o.On == list[i].On && (stops || r.held(o)) {
			return true
		}
	}
	head, to := headOf(list, i), i
	for list[to].Flags&(Link|HardLink) != 0 {
		to++
	}
	waits := !stops && r.stays(list, head)
	for j := range list {
		if (j < head || j > to) && list[j].On == list[i].On && (!waits || list[j].Verb.info().stops || headOf(list, j) != j) {
			return true
		}
	}
	return false
}

// stays says whether operation i of the list, the head of a chain, waits for something that comes by another step only.
func (r *run) stays(list []Op, i int) bool {
	o := &list[i]
	if o.fires() || o.Flags&DrainOp != 0 || list[i].Flags&(Link|HardLink) != 0 && list[i+1].Verb == LinkTimeout {
		return false
	}
	for j := range list {
		if list[j].Verb.info().stops || list[j].Flags&DrainOp != 0 {
			return false
		}
	}
	if o.Verb == Timeout {
		return o.Time == Never && o.Count == 0
	}
	on := r.objects[o.On]
	return on != nil && on.fd >= 0 && on.Kind != File && o.Verb.info().in && o.Group == "" && o.N != 0 && !r.begins(o)
}

// watched says why operation i of the list and another, in flight or in the list, are a race: one is a poll of what the other one changes.
func (r *run) watched(list []Op, i int) string {
	o := &list[i]
	for j := range list[:i] {
		if watches(o, &list[j]) {
			return fmt.Sprintf("%d and %d, of which one is a poll, are for the same", list[j].Tag, o.Tag)
		}
	}
	for _, q := range r.pending {
		if watches(o, q.Op) {
			return fmt.Sprintf("%d and %d, of which one is a poll, are for the same", q.Tag, o.Tag)
		}
	}
	return ""
}

// watches says whether one of two operations is a poll of what the other one changes: data, room, or an error that it takes. What ends
// a poll is another thing: see ends.
func watches(a, b *Op) bool {
	if a.Verb != PollOp {
		a, b = b, a
	}
	in := b.Verb.info()
	return a.Verb == PollOp && a.On == b.On && (in.in || in.out)
}

// ends says why what the list ends, and the rest of it, are a race.
func (r *run) ends(list []Op) string {
	stops := 0
	for i := range list {
		if list[i].Verb.info().stops {
			stops++
		}
	}
	if stops == 0 {
		return ""
	}
	for _, o := range r.pending {
		if o.Count > 0 && (len(list) > 1 || list[0].Verb == CancelAny) {
			return fmt.Sprintf("%d counts", o.Tag)
		}
		if stops > 1 && (r.held(o) || o.chain.drain) {
			return fmt.Sprintf("%d may be let go", o.Tag)
		}
	}
	for i := range list {
		o := &list[i]
		if o.Count > 0 {
			return fmt.Sprintf("%d counts", o.Tag)
		}
		if !o.Verb.info().stops {
			continue
		}
		if o.Verb == Close && (r.skips(o.On) || skipsBeside(list, i)) {
			return "it closes what a chain with skip waits for"
		}
		if o.Verb == Close && chainsBehind(list, i) {
			return "whether a chain behind it has begun when it closes"
		}
		for j := range list {
			if stops > 1 && headOf(list, j) != j && headOf(list, i) != headOf(list, j) && r.touches(list, o, &list[j]) {
				return fmt.Sprintf("whether another has let %d go when %d looks for it", list[j].Tag, o.Tag)
			}
			if why := r.clash(list, i, j); why != "" {
				return why
			}
		}
	}
	return ""
}

// skips says whether a chain that has Skip waits with an operation on the object.
func (r *run) skips(on string) bool {
	for _, o := range r.pending {
		if o.On != on || o.at == 0 {
			continue
		}
		for _, q := range o.chain.ops {
			if q.Flags&Skip != 0 {
				return true
			}
		}
	}
	return false
}

// skipsBeside is skips for the list, of which operation i is the close.
func skipsBeside(list []Op, i int) bool {
	for from := 0; from < len(list); {
		to, skip, on := from, false, false
		for ; ; to++ {
			skip = skip || list[to].Flags&Skip != 0
			on = on || to > from && list[to].On == list[i].On
			if list[to].Flags&(Link|HardLink) == 0 {
				break
			}
		}
		// Those that stand before the close in its own chain have ended when it begins.
		if skip && on && (i < from || i > to || i < to && onBehind(list[i+1:to+1], list[i].On)) {
			return true
		}
		from = to + 1
	}
	return false
}

// chainsBehind says whether a chain behind operation i, which is a close, waits with an operation on the same object.
func chainsBehind(list []Op, i int) bool {
	on := list[i].On
	for list[i].Flags&(Link|HardLink) != 0 {
		i++ // the rest of its own chain
	}
	for j := i + 1; j < len(list); j++ {
		if list[j].On == on && list[j-1].Flags&(Link|HardLink) != 0 {
			return true
		}
	}
	return false
}

func onBehind(list []Op, on string) bool {
	for i := range list {
		if list[i].On == on {
			return true
		}
	}
	return false
}

// clash says why operation i of the list, which ends others, and operation j of it are a race.
func (r *run) clash(list []Op, i, j int) string {
	o, q := &list[i], &list[j]
	late := j < i || headOf(list, i) != i || o.Flags&DrainOp != 0 // o begins when q may have begun
	if i == j || !r.touches(list, o, q) {
		return ""
	}
	switch {
	case q.Verb.info().stops:
		return fmt.Sprintf("%d and %d are about the same", o.Tag, q.Tag)
	case late && (r.begins(q) || headOf(list, j) != headOf(list, i) && r.begins(&list[headOf(list, j)])): // or its turn may have come
		return fmt.Sprintf("%d ends %d, which has something to do", o.Tag, q.Tag)
	case o.Verb == Shutdown && o.How == "both":
		return fmt.Sprintf("%d begins while %d is done", q.Tag, o.Tag)
	}
	return ""
}

// touches says whether o may end q, or is about the same file.
func (r *run) touches(list []Op, o, q *Op) bool {
	stops := q.Verb.info().stops
	switch o.Verb {
	case CancelAny:
		return true
	case Cancel, Remove:
		return q.Tag == o.Of || stops && (q.Of == o.Of || q.On != "" && q.On == r.target(list, o))
	}
	return o.On == q.On || stops && o.On == r.target(list, q)
}

// target is the object of what a cancel is for, which may be in the list, too, "" if there is none.
func (r *run) target(list []Op, o *Op) string {
	for i := range list {
		if o.Of == list[i].Tag {
			return list[i].On
		}
	}
	if t := r.ops[o.Of]; t != nil {
		return t.On
	}
	return ""
}

// begins says whether an operation that has its turn has something to do.
func (r *run) begins(o *Op) bool {
	return r.served(&op{Op: o, on: r.objects[o.On], since: r.given, chain: &chain{}})
}

// headOf is the first of the chain of operation i of the list.
func headOf(list []Op, i int) int {
	for i > 0 && list[i-1].Flags&(Link|HardLink) != 0 {
		i--
	}
	return i
}
