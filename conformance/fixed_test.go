//go:build unix

package conformance_test

import (
	"errors"
	"testing"
	"unsafe"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/conformance"
)

// fixing does plain reads and writes as operations on registered buffers. What has parts, or none, is done from or into memory of its own.
type fixing struct {
	api.Engine
	free   []int
	busy   map[api.OpID]*fixed
	reads  int // of how many there were
	writes int
}

// fixed is an operation in place of a plain one.
type fixed struct {
	slot int
	code api.OpCode
	mem  []byte
	msg  *api.Msg // whose parts get what was read into mem
}

// bufferMax is how much is registered, or copied: the kernel would pin each page of a vast buffer.
const bufferMax = 4 << 20

// tableSize is more than any case has in flight.
const tableSize = 4096

func newFixing(e api.Engine) (*fixing, error) {
	f := &fixing{Engine: e, busy: map[api.OpID]*fixed{}}
	for i := range tableSize {
		f.free = append(f.free, i)
	}
	return f, e.RegisterBuffers(make([][]byte, tableSize))
}

// aligned is an empty buffer for parts, which are as aligned in it as those of a file opened with O_DIRECT have to be.
func aligned() []byte {
	b := make([]byte, bufferMax+4096)
	for i := range b {
		if uintptr(unsafe.Pointer(&b[i]))%4096 == 0 {
			return b[i:i]
		}
	}
	return nil
}

// replace makes op an operation on a registered buffer, nil when it stays what it is.
func (f *fixing) replace(op *api.Op) (*fixed, error) {
	r := &fixed{code: op.Code, mem: op.Buf}
	var code api.OpCode
	switch op.Code {
	case api.OpRead:
		code = api.OpReadFixed
	case api.OpWrite:
		code = api.OpWriteFixed
	case api.OpReadv:
		code = api.OpReadvFixed
	case api.OpWritev:
		code = api.OpWritevFixed
	default:
		return nil, nil
	}
	if op.Flags&api.BufferSelect != 0 || len(f.free) == 0 {
		return nil, nil
	}
	parts := op.Code == api.OpReadv || op.Code == api.OpWritev
	if parts {
		if op.Msg == nil {
			return nil, nil
		}
		r.msg, r.mem = op.Msg, aligned()
		for _, b := range op.Msg.Bufs {
			if len(b) > bufferMax-len(r.mem) {
				return nil, nil
			}
			r.mem = append(r.mem, b...)
		}
	}
	if len(r.mem) == 0 || len(r.mem) > bufferMax {
		return nil, nil
	}
	r.slot = f.free[len(f.free)-1]
	if _, err := f.Engine.UpdateBuffers(r.slot, [][]byte{r.mem}); err != nil {
		var m *api.MemlockError
		if errors.As(err, &m) {
			err = nil // the plain one will do
		}
		return nil, err
	}
	f.free = f.free[:len(f.free)-1]
	op.Code, op.Group = code, uint16(r.slot)
	if parts {
		m := &api.Msg{}
		at := 0
		for _, b := range r.msg.Bufs {
			m.Bufs = append(m.Bufs, r.mem[at:at+len(b)])
			at += len(b)
		}
		op.Msg = m
	}
	return r, nil
}

// release empties the slot of an operation.
func (f *fixing) release(r *fixed) {
	if _, err := f.Engine.UpdateBuffers(r.slot, make([][]byte, 1)); err == nil {
		f.free = append(f.free, r.slot)
	}
}

func (f *fixing) Submit(ops []api.Op) (int, error) {
	copies := append([]api.Op(nil), ops...)
	made := make([]*fixed, len(ops))
	for i := range copies {
		var err error
		if made[i], err = f.replace(&copies[i]); err != nil {
			return 0, err
		}
	}
	n, err := f.Engine.Submit(copies)
	for i := range copies {
		ops[i].ID = copies[i].ID
		switch {
		case made[i] == nil:
		case i < n:
			f.busy[copies[i].ID] = made[i]
		default:
			f.release(made[i])
		}
	}
	return n, err
}

func (f *fixing) Complete(dst []api.Completion, w api.Wait) (int, error) {
	n, err := f.Engine.Complete(dst, w)
	for i := range dst[:n] {
		c := &dst[i]
		r := f.busy[c.ID]
		if r == nil || c.More() {
			continue
		}
		delete(f.busy, c.ID)
		f.release(r)
		c.Code = r.code
		switch r.code {
		case api.OpRead, api.OpReadv:
			f.reads++
		default:
			f.writes++
		}
		if r.code == api.OpReadv && c.Res > 0 {
			left := r.mem[:c.Res]
			for _, b := range r.msg.Bufs {
				left = left[copy(b, left):]
			}
		}
	}
	return n, err
}

// TestFixedInPlaceOfPlain runs the cases about reads and writes with operations on registered buffers instead of the plain ones: there
// must be no difference.
func TestFixedInPlaceOfPlain(t *testing.T) {
	plain := api.Ops(api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev)
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			b.need(t, nil)
			reads, writes := 0, 0
			for _, c := range conformance.Cases() {
				if c.Ops&plain == 0 || c.Family() == "FIX" {
					continue
				}
				t.Run(c.Path(), func(t *testing.T) {
					var all []*fixing
					open := func(o *api.Options) (api.Engine, error) {
						e, err := b.open(o)
						if err != nil {
							return nil, err
						}
						f, err := newFixing(e)
						all = append(all, f)
						return f, err
					}
					if why := c.Run(t, open, &conformance.Config{Memory: arenaOf}); why != "" {
						t.Skip(why)
					}
					for _, f := range all {
						reads += f.reads
						writes += f.writes
					}
				})
			}
			if reads < 100 || writes < 100 {
				t.Errorf("only %d reads and %d writes were replaced", reads, writes)
			}
			t.Logf("%d reads and %d writes", reads, writes)
		})
	}
}
