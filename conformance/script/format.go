package script

import (
	"fmt"
	"strings"
)

// Format is the text of a program. Parse gives the program back.
func Format(p *Program) string {
	var b strings.Builder
	for i := range p.Objects {
		b.WriteString(p.Objects[i].String())
		b.WriteByte('\n')
	}
	for i := range p.Steps {
		b.WriteString(p.Steps[i].String())
		b.WriteByte('\n')
	}
	return b.String()
}

// String is the line of the object.
func (o *Object) String() string {
	s := objectNames[o.Kind] + " " + o.Name
	switch o.Kind {
	case File:
		return fmt.Sprintf("%s %d", s, o.N)
	case Group:
		return fmt.Sprintf("%s %dx%d", s, o.N, o.Size)
	case Listener:
		return s
	}
	return s + " " + o.Peer
}

// String is the line of the step.
func (s *Step) String() string {
	switch s.Kind {
	case Submit:
		ops := make([]string, len(s.Ops))
		for i := range s.Ops {
			ops[i] = s.Ops[i].String()
		}
		return "submit " + strings.Join(ops, " ; ")
	case Release:
		return "release"
	case Write, Drain:
		return fmt.Sprintf("peer %s %s %d", stepNames[s.Kind], s.On, s.N)
	case DrainAll:
		return "peer drain " + s.On + " all"
	}
	return "peer " + stepNames[s.Kind] + " " + s.On
}

// String is the operation as it is in a submit.
func (o *Op) String() string {
	var b strings.Builder
	b.WriteString(o.Verb.String())
	takes := o.Verb.info().takes
	put := func(format string, args ...any) { fmt.Fprintf(&b, " "+format, args...) }
	if takes&takesObject != 0 {
		put("%s", o.On)
	}
	switch {
	case takes&takesSize != 0 && o.N == Huge:
		put("huge")
	case takes&takesSize != 0:
		put("%d", o.N)
	case takes&takesHow != 0:
		put("%s", o.How)
	case takes&takesTime != 0:
		put("%s", o.Time)
	}
	if takes&takesGroup != 0 {
		put("group=%s", o.Group)
	}
	if takes&takesOf != 0 {
		put("of=%d", o.Of)
	}
	if takes&mayOffset != 0 && o.Off != NoOffset {
		put("off=%d", o.Off)
	}
	if o.Count != 0 {
		put("count=%d", o.Count)
	}
	if o.Deadline != Unset {
		put("deadline=%s", o.Deadline)
	}
	put("tag=%d", o.Tag)
	for i, name := range flagNames {
		if o.Flags>>i&1 != 0 {
			put("%s", name)
		}
	}
	return b.String()
}

// String is the time as a program has it.
func (t Time) String() string {
	switch t {
	case Now:
		return "now"
	case Never:
		return "never"
	}
	return fmt.Sprintf("%dms", uint8(t))
}
