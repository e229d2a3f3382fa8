//go:build unix && !linux

package reactor

import (
	"errors"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/wakefd"
)

// pollMax is for threads without a waker, of which there are none here: nothing else can interrupt them.
const pollMax = time.Duration(-1)

type (
	nudge  struct{}
	nudger struct{}
)

func (*nudger) add(*thread) {}

// prepareThread is called in the thread.
func (t *thread) prepareThread() error {
	if t.waker.Load() != nil {
		return nil
	}
	w, err := wakefd.New()
	if err == nil {
		t.waker.Store(w)
	}
	return err
}

func (t *thread) patience(_, _ api.Instant) {}

func sendFile(int, int, int64, int) (int, error) { return 0, errors.ErrUnsupported }
