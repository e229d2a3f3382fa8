package conformance

import "time"

// spawn starts a goroutine that uses files of the case. A case that fails may end before it.
func (t *T) spawn(f func()) {
	t.spawned = true
	t.helpers.Go(f)
}

// helpersEnd waits for what spawn has started, and says whether it has ended.
func (t *T) helpersEnd() bool {
	t.over.Store(true)
	if !t.spawned {
		return true
	}
	ended := make(chan struct{})
	go func() {
		t.helpers.Wait()
		close(ended)
	}()
	timer := time.NewTimer(t.timeout/4 + time.Second)
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
		t.Errorf("goroutines of the case have not ended\n%s", stacks())
		return false
	}
}
