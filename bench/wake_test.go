//go:build unix

package bench

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
)

// BenchmarkWake is how long it takes to reach a goroutine that waits in Complete: two engines, each in a goroutine
// of its own, wake each other in turn. An operation is there and back, that is two wakes. The baseline is a
// pair of channels. With what=post they post completions, which is what a message to another engine comes to.
func BenchmarkWake(b *testing.B) { measure(b, wakes()) }

func wakes() (list []scenario) {
	for _, name := range backends {
		for _, w := range waits {
			list = append(list, scenario{
				name:  fmt.Sprintf("backend=%s/wait=%s", name, w.name),
				steps: func(r *rig) func() error { return timed(r, wake(r, name, w.how)) },
			}, scenario{
				name:  fmt.Sprintf("backend=%s/wait=%s/what=post", name, w.name),
				steps: func(r *rig) func() error { return timed(r, post(r, name, w.how)) },
			})
		}
	}
	return append(list, scenario{name: "backend=chan", steps: func(r *rig) func() error { return timed(r, wakeChan(r)) }})
}

// timed records how long each operation takes.
func timed(r *rig, op func() error) func() error {
	r.latency = newLatency()
	return func() error {
		t := api.Now()
		err := op()
		r.latency.add(api.Now().Sub(t))
		return err
	}
}

// partner answers each wake of its engine by a wake of another, and each post by a post.
type partner struct {
	engine api.Engine
	stop   atomic.Bool
	done   chan error
}

func newPartner(r *rig, name string, how api.Strategy, answer api.Engine) *partner {
	r.Helper()
	p := &partner{done: make(chan error, 1)}
	opened := make(chan error)
	go func() {
		e, err := backend.Open(name, &api.Options{Strategy: how})
		p.engine = e
		opened <- err
		if err == nil {
			p.done <- p.run(answer)
		}
	}()
	if err := <-opened; err != nil {
		r.Fatal(err)
	}
	r.add(p.engine)
	r.Cleanup(func() {
		p.stop.Store(true)
		_ = p.engine.Wake() // ErrClosed: it has failed, as done tells
		if err := <-p.done; err != nil {
			r.Errorf("the partner: %v", err)
		}
	})
	return p
}

func (p *partner) run(answer api.Engine) error {
	defer p.engine.Close()
	var dst [1]api.Completion
	for {
		n, err := p.engine.Complete(dst[:], api.Wait{Min: 1})
		if err != nil {
			return err
		}
		if p.stop.Load() {
			return nil
		}
		if n == 0 {
			err = answer.Wake()
		} else {
			err = answer.Post(dst[0].Tag, dst[0].Res)
		}
		if err != nil {
			return err
		}
	}
}

// wakeMax bounds the wait for an answer: an engine that loses a wake is not to hang the run.
const wakeMax = 5 * time.Second

func wake(r *rig, name string, how api.Strategy) func() error {
	e := r.open(name, how)
	p := newPartner(r, name, how, e)
	dst := make([]api.Completion, 1)
	return func() error {
		if err := p.engine.Wake(); err != nil {
			return err
		}
		until := api.After(wakeMax)
		n, err := e.Complete(dst, api.Wait{Min: 1, Deadline: until})
		if err == nil && (n != 0 || api.Now() >= until) {
			err = fmt.Errorf("%d completions within %v, want a wake", n, wakeMax)
		}
		return err
	}
}

func post(r *rig, name string, how api.Strategy) func() error {
	e := r.open(name, how)
	p := newPartner(r, name, how, e)
	dst := make([]api.Completion, 1)
	var tag uint64
	return func() error {
		tag++
		if err := p.engine.Post(tag, 1); err != nil {
			return err
		}
		n, err := e.Complete(dst, api.Wait{Min: 1, Deadline: api.After(wakeMax)})
		if err == nil && (n != 1 || dst[0].Tag != tag) {
			err = fmt.Errorf("%d completions within %v, tag %d, want %d", n, wakeMax, dst[0].Tag, tag)
		}
		return err
	}
}

func wakeChan(r *rig) func() error {
	there, back := make(chan struct{}), make(chan struct{})
	go func() {
		for range there {
			back <- struct{}{}
		}
	}()
	r.Cleanup(func() { close(there) })
	return func() error {
		there <- struct{}{}
		<-back
		return nil
	}
}
