package script

// Shrink looks for a smaller program of which bad is still true: without some of its steps, operations, objects and flags, and with
// smaller numbers. It calls bad at most tries times.
func Shrink(p *Program, tries int, bad func(*Program) bool) *Program {
	s := &shrinker{best: p, tries: tries, bad: bad}
	for changed := true; changed && s.tries > 0; {
		changed = s.steps()
		changed = s.ops() || changed
		changed = s.objects() || changed
		changed = s.fields() || changed
	}
	return s.best
}

type shrinker struct {
	best  *Program
	tries int
	bad   func(*Program) bool
}

// try takes a program that is bad still.
func (s *shrinker) try(p *Program) bool {
	if s.tries <= 0 || Check(p) != nil {
		return false
	}
	s.tries--
	if !s.bad(p) {
		return false
	}
	s.best = p
	return true
}

// steps leaves steps out, many at a time first.
func (s *shrinker) steps() (changed bool) {
	for n := max(1, len(s.best.Steps)/2); n > 0; n /= 2 {
		for i := len(s.best.Steps) - n; i >= 0; i -= n {
			p := s.best.Clone()
			p.Steps = append(p.Steps[:i], p.Steps[i+n:]...)
			changed = s.try(p) || changed
			i = min(i, len(s.best.Steps))
		}
	}
	return changed
}

// ops leaves operations out of submits. What is linked to nothing then loses its link.
func (s *shrinker) ops() (changed bool) {
	for i := range s.best.Steps {
		for j := len(s.best.Steps[i].Ops) - 1; j >= 0 && len(s.best.Steps[i].Ops) > 1; j-- {
			p := s.best.Clone()
			ops := append(p.Steps[i].Ops[:j], p.Steps[i].Ops[j+1:]...)
			ops[len(ops)-1].Flags &^= Link | HardLink | Skip
			p.Steps[i].Ops = ops
			changed = s.try(p) || changed
		}
	}
	return changed
}

func (s *shrinker) objects() (changed bool) {
	for i := len(s.best.Objects) - 1; i >= 0; i-- {
		p := s.best.Clone()
		p.Objects = append(p.Objects[:i], p.Objects[i+1:]...)
		changed = s.try(p) || changed
	}
	return changed
}

// fields makes each field of an operation the simplest.
func (s *shrinker) fields() (changed bool) {
	edit := func(i, j int, f func(*Op)) {
		p := s.best.Clone()
		f(&p.Steps[i].Ops[j])
		if p.Steps[i].Ops[j] != s.best.Steps[i].Ops[j] {
			changed = s.try(p) || changed
		}
	}
	for i := range s.best.Steps {
		for j := range s.best.Steps[i].Ops {
			for f := range flagNames {
				edit(i, j, func(o *Op) { o.Flags &^= 1 << f })
			}
			edit(i, j, func(o *Op) { o.Deadline = Unset })
			edit(i, j, func(o *Op) { o.Count = 0 })
			edit(i, j, func(o *Op) { o.N = min(o.N, 10) })
			edit(i, j, func(o *Op) { o.Off = min(o.Off, 0) })
		}
		p := s.best.Clone()
		if p.Steps[i].N = min(p.Steps[i].N, 10); p.Steps[i].N != s.best.Steps[i].N {
			changed = s.try(p) || changed
		}
	}
	return changed
}
