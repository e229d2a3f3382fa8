//go:build unix

package bench

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
)

const (
	timerBatch = 32
	farAway    = time.Hour
	atOnce     = time.Microsecond
)

// BenchmarkTimers has so many other timers pending. With mode=cancel an operation is a timeout that is armed
// and then cancelled, as most are; with mode=fire one of a microsecond that fires; with mode=putoff one of those pending that is
// given another time, as for a connection that has shown a sign of life. In batches of 32.
func BenchmarkTimers(b *testing.B) { measure(b, timers()) }

func timers() (list []scenario) {
	for _, pending := range []int{0, 10_000, 1_000_000} {
		for _, name := range backends {
			add := func(mode string, batch func(p *pump) func() error) {
				list = append(list, scenario{
					name:  fmt.Sprintf("backend=%s/mode=%s/pending=%d", name, mode, pending),
					steps: func(r *rig) func() error { return batches(batch(timerPump(r, name, pending))) },
				})
			}
			add("cancel", armAndCancel)
			add("fire", armAndFire)
			if pending > 0 {
				add("putoff", putOff)
			}
		}
		list = append(list,
			scenario{name: fmt.Sprintf("backend=time/mode=cancel/pending=%d", pending), steps: func(r *rig) func() error { return goCancel(r, pending) }},
			scenario{name: fmt.Sprintf("backend=time/mode=fire/pending=%d", pending), steps: func(r *rig) func() error { return batches(goFire(r, pending)) }})
	}
	return list
}

// batches makes operations of a function that does timerBatch of them at once.
func batches(do func() error) func() error {
	left := 0
	return func() error {
		if left--; left > 0 {
			return nil
		}
		left = timerBatch
		return do()
	}
}

// timerPump opens an engine with pending timeouts that do not fire.
func timerPump(r *rig, name string, pending int) *pump {
	o := &api.Options{Strategy: api.Block()}
	if pending > 50_000 {
		o.MaxInFlight = api.MaxMaxInFlight
	}
	if r.b == nil {
		pending = min(pending, 50_000) // a check shall not take 300 MB
	}
	p := newPump(r.openWith(name, o), 2*timerBatch, nil)
	ops := make([]api.Op, pending)
	for i := range ops {
		ops[i] = api.Timeout(farAway+time.Duration(i)*time.Millisecond, 0)
	}
	if _, err := p.exchange(ops, 0); err != nil {
		r.Fatal(err)
	}
	for i := range ops {
		p.pending = append(p.pending, ops[i].ID)
	}
	return p
}

// putOff gives timeouts out of those pending, here and there in the queue, another time.
func putOff(p *pump) func() error {
	updates := make([]api.Op, timerBatch)
	next := 0
	return func() error {
		for i := range updates {
			next = (next + 7919) % len(p.pending)
			updates[i] = api.TimeoutUpdate(p.pending[next], farAway+time.Duration(next%1000)*time.Millisecond, 2)
		}
		done, err := p.exchange(updates, timerBatch)
		if err != nil {
			return err
		}
		for i := range done {
			if done[i].Res != 0 {
				return fmt.Errorf("an update gave %d: %w", done[i].Res, done[i].Err())
			}
		}
		return nil
	}
}

func armAndCancel(p *pump) func() error {
	arms, cancels := make([]api.Op, timerBatch), make([]api.Op, timerBatch)
	return func() error {
		for i := range arms {
			arms[i] = api.Timeout(farAway, 1)
		}
		if done, err := p.exchange(arms, 0); err != nil || len(done) > 0 {
			return fmt.Errorf("%d timeouts completed at once: %w", len(done), err)
		}
		for i := range cancels {
			cancels[i] = api.Cancel(arms[i].ID, 2)
		}
		done, err := p.exchange(cancels, 2*timerBatch)
		if err != nil {
			return err
		}
		canceled := 0
		for i := range done {
			switch c := &done[i]; {
			case c.Tag == 1 && c.Err() == api.ErrCanceled:
				canceled++
			case c.Tag != 2 || c.Res != 0:
				return fmt.Errorf("%v gave %d: %w", c.Code, c.Res, c.Err())
			}
		}
		if canceled != timerBatch {
			return fmt.Errorf("%d timeouts cancelled, want %d", canceled, timerBatch)
		}
		return nil
	}
}

func armAndFire(p *pump) func() error {
	arms := make([]api.Op, timerBatch)
	return func() error {
		for i := range arms {
			arms[i] = api.Timeout(atOnce, 1)
		}
		done, err := p.exchange(arms, timerBatch)
		if err != nil {
			return err
		}
		if len(done) != timerBatch {
			return fmt.Errorf("%d timeouts fired, want %d", len(done), timerBatch)
		}
		for i := range done {
			if done[i].Res != -int32(api.ETime) {
				return fmt.Errorf("a timeout gave %d: %w", done[i].Res, done[i].Err())
			}
		}
		return nil
	}
}

// goPending starts the runtime's timers that do not fire.
func goPending(r *rig, pending int) {
	if r.b == nil {
		pending = min(pending, 50_000)
	}
	for i := range pending {
		t := time.AfterFunc(farAway+time.Duration(i)*time.Millisecond, func() {})
		r.Cleanup(func() { t.Stop() })
	}
}

func goCancel(r *rig, pending int) func() error {
	goPending(r, pending)
	return func() error {
		if !time.AfterFunc(farAway, func() {}).Stop() {
			return errors.New("a timer could not be stopped")
		}
		return nil
	}
}

func goFire(r *rig, pending int) func() error {
	goPending(r, pending)
	fired := make(chan struct{}, timerBatch)
	return func() error {
		for range timerBatch {
			time.AfterFunc(atOnce, func() { fired <- struct{}{} })
		}
		for range timerBatch {
			<-fired
		}
		return nil
	}
}
