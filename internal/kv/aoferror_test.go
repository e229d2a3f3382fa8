package kv

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/reactor"
)

// faulty is an engine whose writes fail at times: nothing, or some blocks, or all may be in the file then.
type faulty struct {
	api.Engine
	rnd *rand.Rand
	how int           // how often of 4; changed while nothing is written
	res syscall.Errno // of the write that is under way, 0: its own
}

func (e *faulty) Submit(ops []api.Op) (int, error) {
	ops = append([]api.Op(nil), ops...)
	e.res = 0
	if w := &ops[0]; w.Code == api.OpWrite && e.rnd.IntN(4) < e.how {
		errs := []syscall.Errno{0, syscall.EIO, syscall.ENOSPC, syscall.EINTR, syscall.EAGAIN}
		if e.how == 4 {
			errs = errs[1:]
		}
		if e.res = errs[e.rnd.IntN(len(errs))]; e.rnd.IntN(3) > 0 {
			w.Buf = w.Buf[:len(w.Buf)/blockSize*e.rnd.IntN(4)/4*blockSize]
		}
	}
	return e.Engine.Submit(ops)
}

func (e *faulty) Complete(dst []api.Completion, w api.Wait) (int, error) {
	n, err := e.Engine.Complete(dst, w)
	for i := range dst[:n] {
		if dst[i].Tag == 1 && e.res != 0 {
			dst[i].Res = -int32(e.res)
		}
	}
	return n, err
}

// quiet is a server with a file, without a reactor.
func quiet(t *testing.T, o Options) *Server {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	srv, err := New(o, new(reactor.Config))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() }) // a test that looks at the error calls it itself
	return srv
}

// logAll logs entries, has them written, and waits until they are.
func logAll(t *testing.T, a *aof, values ...string) (want []byte) {
	t.Helper()
	for i, v := range values {
		key := fmt.Sprint(a.size(), ".", i)
		a.log(wordSet, []byte(key), []byte(v))
		want = append(want, wire("SET", key, v)...)
	}
	written(t, a)
	return want
}

// written has what was logged written, and waits until it is.
func written(t *testing.T, a *aof) {
	t.Helper()
	a.start()
	eventually(t, "it is written", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.settled == a.end
	})
}

// TestFaultyDisk: whatever fails, and is tried again, the file has each entry once and in order. One that was given up in the middle has all that was settled, and can be loaded.
func TestFaultyDisk(t *testing.T) {
	sizes := []int{0, 10, 3000, blockSize, 64 << 10, 300 << 10, pieceMax, 2*pieceMax + 5}
	for _, policy := range []Fsync{FsyncAlways, FsyncEverySec, FsyncNo} {
		for how := 1; how <= 3; how++ {
			t.Run(fmt.Sprintf("fsync=%v/%d of 4", policy, how), func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(uint64(how), uint64(policy)))
				path := filepath.Join(t.TempDir(), "aof")
				srv := quiet(t, Options{AppendOnly: path, Fsync: policy, retry: 50 * time.Microsecond})
				a := srv.aof
				bad := &faulty{Engine: a.engine, rnd: rand.New(rand.NewPCG(7, uint64(how))), how: how}
				a.engine = bad
				var want []byte
				batch := func() (values []string) {
					for range 1 + rnd.IntN(3) {
						values = append(values, strings.Repeat("v\r\n\x00"[rnd.IntN(4):], sizes[min(rnd.IntN(len(sizes)), rnd.IntN(len(sizes)))]/4))
					}
					return values
				}
				for range 30 {
					want = append(want, logAll(t, a, batch()...)...)
					if got := contents(t, path); !bytes.Equal(got, want) {
						t.Fatalf("the file has %d bytes of entries, want %d", len(got), len(want))
					}
				}
				bad.how = 4 // as from now on all of it fails, and at last nobody tries again
				for _, v := range batch() {
					a.log(wordSet, []byte("k"), []byte(v))
				}
				a.start()
				if err := srv.Close(); err == nil {
					t.Error("Close has no error, and not all is in the file")
				}
				if got := contents(t, path); !bytes.HasPrefix(got, want) {
					t.Fatalf("the closed file has %d bytes, not all of the %d of before", len(got), len(want))
				}
				quiet(t, Options{AppendOnly: path})
			})
		}
	}
}

// lost is an engine that loses sight of its first operation.
type lost struct {
	api.Engine
	done bool
}

func (e *lost) Complete(dst []api.Completion, w api.Wait) (int, error) {
	if !e.done {
		e.done = true
		return 0, syscall.EIO
	}
	return e.Engine.Complete(dst, w)
}

// TestLostEngine: what completes behind an error of the engine is not taken for what was submitted later.
func TestLostEngine(t *testing.T) {
	for _, policy := range []Fsync{FsyncAlways, FsyncNo} {
		t.Run("fsync="+policy.String(), func(t *testing.T) {
			srv := quiet(t, Options{AppendOnly: filepath.Join(t.TempDir(), "aof"), Fsync: policy, retry: time.Millisecond})
			a := srv.aof
			a.engine = &lost{Engine: a.engine}
			a.log(wordSet, []byte("k"), []byte("v"))
			a.start()
			eventually(t, "the engine is given up", func() bool { return a.isDead() })
			if err := srv.Close(); err == nil {
				t.Error("Close has no error, and the entry may be nowhere")
			}
			if a.settled != 0 {
				t.Errorf("settled up to %d", a.settled)
			}
		})
	}
}

// TestLargeBatchIsGivenBack: the memory of one is not kept, neither by the piece of it that was written last.
func TestLargeBatchIsGivenBack(t *testing.T) {
	for _, policy := range []Fsync{FsyncAlways, FsyncNo} {
		t.Run("fsync="+policy.String(), func(t *testing.T) {
			a := quiet(t, Options{AppendOnly: filepath.Join(t.TempDir(), "aof"), Fsync: policy}).aof
			large := make([]byte, 32<<20)
			inUse := func() uint64 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			before := inUse()
			a.log(wordSet, []byte("k"), large)
			written(t, a)
			if more := int64(inUse() - before); more > int64(len(large)/2) {
				t.Errorf("%d bytes are kept of a batch of %d", more, len(large))
			}
			runtime.KeepAlive(large)
		})
	}
}
