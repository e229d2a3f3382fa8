package reactor

// Stop begins a shutdown, and does not wait.
func Stop(s *Server) { s.stop() }

// PacketFDs calls fn with the fd of each socket of UDP, in its loop.
func PacketFDs(s *Server, fn func(fd int)) {
	for _, l := range s.loops {
		done := make(chan struct{})
		if l.tell(func(l *loop) {
			for i := range l.listeners {
				if l.listeners[i].packets != nil {
					fn(int(l.listeners[i].fd))
				}
			}
			close(done)
		}) == nil {
			<-done
		}
	}
}
