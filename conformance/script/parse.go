package script

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SyntaxError says what is wrong with a program, and where.
type SyntaxError struct {
	Line   int // from 1
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// maxText bounds the text of a program: MaxSteps lines of MaxOps operations are shorter.
const maxText = 1 << 16

// Parse reads a program, and checks it as Check does. Empty lines, and what is behind a #, are left out. The error is a *SyntaxError.
func Parse(text string) (*Program, error) {
	if len(text) > maxText {
		return nil, &SyntaxError{1, "the program is too long"}
	}
	p := &Program{}
	var lines []int // of the objects, then of the steps
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := p.parseLine(line); err != nil {
			return nil, &SyntaxError{i + 1, err.Error()}
		}
		lines = append(lines, i+1)
	}
	if at, err := p.check(); err != nil {
		line := 1
		if at < len(lines) {
			line = lines[at]
		}
		return nil, &SyntaxError{line, err.Error()}
	}
	return p, nil
}

func (p *Program) parseLine(line string) error {
	w := strings.Fields(line)
	switch w[0] {
	case "pair", "pipe", "file", "listener", "group":
		if len(p.Steps) > 0 {
			return fmt.Errorf("an object behind the first step")
		}
		o, err := parseObject(w)
		p.Objects = append(p.Objects, o)
		return err
	case "submit":
		s := Step{Kind: Submit}
		for _, part := range strings.Split(strings.TrimPrefix(line, "submit"), ";") {
			o, err := parseOp(strings.Fields(part))
			if err != nil {
				return err
			}
			s.Ops = append(s.Ops, o)
		}
		p.Steps = append(p.Steps, s)
		return nil
	case "peer", "release":
		s, err := parseStep(w)
		p.Steps = append(p.Steps, s)
		return err
	}
	return fmt.Errorf("%q begins no line", w[0])
}

func parseObject(w []string) (o Object, err error) {
	for k, name := range objectNames {
		f := strings.Fields(name)
		if k == 0 || len(w) < len(f) || !slices.Equal(w[:len(f)], f) {
			continue
		}
		o.Kind = ObjectKind(k)
		args := w[len(f):]
		want := 2
		if o.Kind == Listener {
			want = 1
		}
		if len(args) != want {
			return o, fmt.Errorf("%s takes %d words", name, want)
		}
		o.Name = args[0]
		switch o.Kind {
		case File:
			o.N, err = number(args[1])
		case Group:
			n, size, _ := strings.Cut(args[1], "x")
			if o.N, err = number(n); err == nil {
				o.Size, err = number(size)
			}
		case Listener:
		default:
			o.Peer = args[1]
		}
		return o, err
	}
	return o, fmt.Errorf("there is no such object")
}

func parseStep(w []string) (s Step, err error) {
	if w[0] == "release" {
		if len(w) != 1 {
			return s, fmt.Errorf("release takes no words")
		}
		return Step{Kind: Release}, nil
	}
	if len(w) < 3 {
		return s, fmt.Errorf("a peer does something with an object")
	}
	for k := Write; k < Release; k++ {
		if stepNames[k] == w[1] {
			s.Kind = k
			break
		}
	}
	s.On = w[2]
	want := 3
	switch s.Kind {
	case 0:
		return s, fmt.Errorf("a peer cannot %q", w[1])
	case Write, Drain:
		want = 4
	}
	if len(w) != want {
		return s, fmt.Errorf("peer %s takes %d words", w[1], want-2)
	}
	if want == 4 && s.Kind == Drain && w[3] == "all" {
		s.Kind = DrainAll
	} else if want == 4 {
		s.N, err = number(w[3])
	}
	return s, err
}

// number reads what Format writes: no sign, and no zero in front.
func number(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(n) != s || n < 0 {
		return 0, fmt.Errorf("%q is no number", s)
	}
	return n, nil
}

func parseTime(s string) (Time, error) {
	switch s {
	case "now":
		return Now, nil
	case "never":
		return Never, nil
	}
	ms, ok := strings.CutSuffix(s, "ms")
	n, err := number(ms)
	if !ok || err != nil || n < 1 || n > MaxTimeouts {
		return Unset, fmt.Errorf("%q is no time: now, never, or 1ms to %dms", s, MaxTimeouts)
	}
	return Time(n), nil
}

func parseOp(w []string) (o Op, err error) {
	if len(w) == 0 {
		return o, fmt.Errorf("an operation is missing")
	}
	if o.Verb = verbNamed(w[0]); o.Verb == 0 {
		return o, fmt.Errorf("there is no operation %q", w[0])
	}
	o.Off = NoOffset
	w = w[1:]
	next := func() string {
		if len(w) == 0 {
			return ""
		}
		s := w[0]
		w = w[1:]
		return s
	}
	takes := o.Verb.info().takes
	if takes&takesObject != 0 {
		o.On = next()
	}
	switch {
	case takes&takesSize != 0:
		if s := next(); s == "huge" {
			o.N = Huge
		} else {
			o.N, err = number(s)
		}
	case takes&takesHow != 0:
		o.How = next()
	case takes&takesTime != 0:
		o.Time, err = parseTime(next())
	}
	for _, s := range w {
		if err == nil {
			err = o.set(s)
		}
	}
	return o, err
}

// set takes one of key=value, or a flag. Each may come once.
func (o *Op) set(s string) (err error) {
	key, value, _ := strings.Cut(s, "=")
	takes := o.Verb.info().takes
	into := func(may operand, p *int, unset int) error {
		if takes&may != may || *p != unset {
			return fmt.Errorf("%s does not take %s, or only once", o.Verb, s)
		}
		*p, err = number(value)
		return err
	}
	switch key {
	case "tag":
		return into(0, &o.Tag, 0)
	case "of":
		return into(takesOf, &o.Of, 0)
	case "off":
		return into(mayOffset, &o.Off, NoOffset)
	case "count":
		return into(mayCount, &o.Count, 0)
	case "group":
		if takes&takesGroup == 0 || o.Group != "" {
			return fmt.Errorf("%s does not take %s, or only once", o.Verb, s)
		}
		o.Group = value
		return nil
	case "deadline":
		if takes&mayDeadline == 0 || o.Deadline != Unset {
			return fmt.Errorf("%s does not take %s, or only once", o.Verb, s)
		}
		o.Deadline, err = parseTime(value)
		return err
	}
	i := slices.Index(flagNames[:], s)
	if i < 0 || o.Flags>>i&1 != 0 {
		return fmt.Errorf("%q is no flag, or comes twice", s)
	}
	o.Flags |= 1 << i
	return nil
}
