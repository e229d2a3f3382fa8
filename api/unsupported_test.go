package api

import (
	"errors"
	"testing"
	"time"
)

// unsupported is an engine of the methods that none can lack, to see that Unsupported has all others.
type unsupported struct {
	Unsupported
	required
}

// required are those methods.
type required interface {
	Submit(ops []Op) (n int, err error)
	Complete(dst []Completion, w Wait) (n int, err error)
	Wake() error
	CancelSync(c Op, limit time.Duration) (n int, err error)
	Features() Features
	Stats() Stats
	Name() string
	Close() error
}

var _ Engine = (*unsupported)(nil)

func TestUnsupported(t *testing.T) {
	var u Unsupported
	methods := map[Feature]func() error{
		FeatPost:         func() error { return u.Post(1, 2) },
		FeatFixedFiles:   func() error { _, err := u.InstallFile(1, 2); return err },
		FeatDirectFiles:  func() error { return u.SetFileRange(1, 2) },
		FeatFixedBuffers: func() error { _, err := u.UpdateBuffers(0, nil); return err },
		FeatCloneBuffers: func() error { return u.CloneBuffers(nil) },
		FeatPersonality:  func() error { _, err := u.RegisterPersonality(); return err },
		FeatBufferGroups: func() error { _, err := u.NewBufferGroup(BufferGroupOptions{}); return err },
		FeatQueueResize:  func() error { return u.ResizeQueues(1, 1) },
	}
	for f, call := range methods {
		var e *UnsupportedError
		if err := call(); !errors.As(err, &e) || e.Feature != f || e.Reason == "" {
			t.Errorf("%v: %v", f, err)
		}
	}
	u.Shut()
	for f, call := range methods {
		if err := call(); err != ErrClosed {
			t.Errorf("%v after Shut: %v", f, err)
		}
	}
}
