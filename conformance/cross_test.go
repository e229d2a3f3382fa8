package conformance_test

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/matrix"
)

// crossWait is far beyond what a message takes.
const crossWait = 20 * time.Second

// relay passes a token on from the engine that it owns to the next one, until it has come rounds times.
type relay struct {
	name   string
	opt    api.Options
	open   func(*api.Options) (api.Engine, error)
	engine api.Engine
	next   *relay
	err    error
}

func (r *relay) run(rounds int) error {
	var dst [4]api.Completion
	for last := int32(-1); rounds > 0; {
		n, err := r.engine.Complete(dst[:], api.Wait{Min: 1, Deadline: api.After(crossWait)})
		if err != nil || n == 0 {
			return fmt.Errorf("no token within %v, %d rounds to go: %w", crossWait, rounds, err)
		}
		for _, c := range dst[:n] {
			switch {
			case c.ID != 0 && c.Res != 0:
				return fmt.Errorf("a message to %s: %w", r.next.name, c.Err())
			case c.ID != 0:
				continue
			case c.Tag != 7 || c.Code != api.OpMsgRing || c.Res <= last:
				return fmt.Errorf("got tag %d, %v, token %d after %d", c.Tag, c.Code, c.Res, last)
			}
			last = c.Res
			rounds--
			if _, err := r.engine.Submit([]api.Op{api.Message(r.next.engine, c.Res+1, 7, 1)}); err != nil {
				return err
			}
		}
	}
	_, err := r.engine.Complete(dst[:], api.Wait{}) // performs the last one
	return err
}

// TestMessagesAcrossBackends passes a token around a ring of engines of all backends, each with each strategy and in a goroutine of its own.
func TestMessagesAcrossBackends(t *testing.T) {
	const rounds = 300
	var ring []*relay
	for _, c := range matrix.Strategies() {
		for _, b := range backends {
			if e, err := b.open(&c.Options); err == nil {
				_ = e.Close() // it can be opened, which is all that is asked
				ring = append(ring, &relay{name: b.name + "/" + c.Name, opt: c.Options, open: b.open})
			}
		}
	}
	var opened, done, closed sync.WaitGroup
	opened.Add(len(ring))
	done.Add(len(ring))
	for i, r := range ring {
		r.next = ring[(i+1)%len(ring)]
		closed.Go(func() {
			r.engine, r.err = r.open(&r.opt)
			opened.Done()
			opened.Wait() // all engines are there, or none is used
			for _, o := range ring {
				if o.engine == nil {
					done.Done()
					return
				}
			}
			if i == 0 {
				r.err = r.engine.Post(7, 0)
			}
			r.err = errors.Join(r.err, r.run(rounds))
			done.Done()
			done.Wait()
			r.err = errors.Join(r.err, r.engine.Close())
		})
	}
	closed.Wait()
	for _, r := range ring {
		if r.err != nil {
			t.Errorf("%s: %v", r.name, r.err)
		}
	}
	t.Logf("%d engines, %d rounds", len(ring), rounds)
}

// TestMessagePairs sends between each pair of backends, in one goroutine.
func TestMessagePairs(t *testing.T) {
	var engines []api.Engine
	for _, b := range backends {
		if e, err := b.open(nil); err == nil {
			engines = append(engines, e)
			defer e.Close()
		}
	}
	for i, from := range engines {
		for j, to := range engines {
			tag := uint64(100*i + j)
			if _, err := from.Submit([]api.Op{api.Message(to, int32(j), tag, 1)}); err != nil {
				t.Fatal(err)
			}
			want := 1
			if from == to {
				want = 2
			}
			var dst [4]api.Completion
			n, err := from.Complete(dst[:], api.Wait{Min: want, Deadline: api.After(crossWait)})
			if err != nil || n != want || dst[0].Res != 0 && from != to {
				t.Fatalf("%s to %s: %d completions, %+v, %v", from.Name(), to.Name(), n, dst[0], err)
			}
			if from == to {
				continue
			}
			n, err = to.Complete(dst[:], api.Wait{Min: 1, Deadline: api.After(crossWait)})
			if err != nil || n != 1 || dst[0].Tag != tag || dst[0].Res != int32(j) || dst[0].ID != 0 {
				t.Errorf("%s to %s: %d completions, %+v, %v", from.Name(), to.Name(), n, dst[0], err)
			}
		}
	}
}

// TestClonesAcrossBackends clones the table of registered buffers of an engine of each backend into one of each.
func TestClonesAcrossBackends(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString("cloned"); err != nil {
		t.Fatal(err)
	}
	for _, from := range backends {
		for _, to := range backends {
			t.Run(from.name+" to "+to.name, func(t *testing.T) {
				from.need(t, nil)
				to.need(t, nil)
				a, err := from.open(nil)
				if err != nil {
					t.Fatal(err)
				}
				defer a.Close()
				b, err := to.open(nil)
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				mem := make([]byte, 8192)
				if err := a.RegisterBuffers([][]byte{nil, mem[4096:]}); err != nil {
					t.Fatal(err)
				}
				if err := b.CloneBuffers(a); err != nil {
					t.Fatal(err)
				}
				if err := a.Close(); err != nil {
					t.Fatal(err)
				}
				for i, want := range []int32{-int32(syscall.EFAULT), 6} {
					if _, err := b.Submit([]api.Op{api.ReadFixed(int(file.Fd()), i, mem[5000:6000], 0, 1)}); err != nil {
						t.Fatal(err)
					}
					var dst [1]api.Completion
					n, err := b.Complete(dst[:], api.Wait{Min: 1, Deadline: api.After(crossWait)})
					if n != 1 || err != nil || dst[0].Res != want {
						t.Errorf("buffer %d: %d completions, %v, %d, want %d", i, n, err, dst[0].Res, want)
					}
				}
				if got := string(mem[5000:5006]); got != "cloned" {
					t.Errorf("it has read %q", got)
				}
			})
		}
	}
}
