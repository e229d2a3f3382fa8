package reactor

// EachLoop has fn called in each loop, and waits for it. It is false when one has ended.
func EachLoop(s *Server, fn func(l *loop)) bool {
	done := make(chan struct{})
	for _, l := range s.loops {
		if l.tell(func(l *loop) { fn(l); done <- struct{}{} }) != nil {
			return false
		}
		<-done
	}
	return true
}

// Lent is how many buffers of all loops are out.
func Lent(s *Server) (n int) {
	EachLoop(s, func(l *loop) { n += l.group.Count() - l.group.Available() })
	return n
}

// Waiting is how many bytes of input wait for workers, of the connection of which the most do.
func Waiting(s *Server) (n int) {
	EachLoop(s, func(l *loop) {
		for _, c := range l.conns {
			if c != nil && c.mail != nil {
				n = max(n, c.mail.waiting)
			}
		}
	})
	return n
}

// BreakEngines makes the engines of all loops fail.
func BreakEngines(s *Server) { EachLoop(s, func(l *loop) { _ = l.engine.Close() }) }

// Pooled says whether the variant has workers.
func (v Variant) Pooled() bool { return v.pooled() }
