package kv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/reactor/resp"
)

const (
	// backlogMax is how many bytes of entries wait to be written before replies do, too, whatever the policy: the disk is slower than the clients.
	backlogMax = 64 << 20
	// batchMax bounds one write: the kernel takes no more than 2 GiB at a time.
	batchMax = 1 << 30
	// keptBuffer is how large a buffer stays for the next batch.
	keptBuffer = 4 << 20

	syncEvery  = time.Second // as FsyncEverySec says
	retryAfter = time.Second // what could not be written is tried again, as in Redis
)

// errNotDurable ends connections whose changes are not known to be on the disk: their replies cannot be sent.
var errNotDurable = errors.New("kv: the append-only file could not be written, and the reply waited for it")

// aof is the append-only file. Entries are put behind each other by log; a goroutine takes all that there are, and writes them by an engine.
//
//	|<---------------- entries.end ---------------->|
//	| in the file | being written | entries.buf      |
//	0             off             off+len(batch)
type aof struct {
	srv    *Server
	file   *os.File
	policy Fsync

	mu      sync.Mutex
	buf     []byte   // entries that the goroutine has not taken
	end     int64    // where the file ends when all of buf is in it
	settled int64    // up to here replies may be sent: it is written, and with FsyncAlways durable
	waiters []waiter // sessions whose replies wait
	err     error    // why nothing is written at present
	dead    bool     // and will not be any more

	pending atomic.Bool // buf is not empty, and the goroutine has not been told
	behind  atomic.Bool // more than backlogMax waits
	broken  atomic.Bool // err is set
	kick    chan struct{}
	quit    chan struct{}
	done    chan struct{}
	closing sync.Once
	closed  error // of close

	// What follows is the goroutine's.
	engine api.Engine
	off    int64  // where the file ends
	batch  []byte // what is being written; what could not be stays here
	memory []byte // that of batch, from its beginning
	synced int64  // up to here the file is durable
	told   []waiter
	dones  [2]api.Completion
	blocks *blocks // nil: the file is written by a write, and made durable by an fsync
}

// waiter is a session that waits until the file is settled up to a place.
type waiter struct {
	s    *session
	upTo int64
}

// openAOF opens the file, reads it, and starts its goroutine.
func openAOF(srv *Server) (*aof, error) {
	path := srv.opt.AppendOnly
	inBlocks := srv.opt.Fsync == FsyncAlways && durableWrites != 0 && !srv.opt.byFsync
	how := 0
	if inBlocks {
		how = durableWrites
	}
	f, err := openDurably(path, how)
	if err != nil {
		return nil, err
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() { // what is no file may have no end
		if err == nil {
			err = fmt.Errorf("kv: the append-only file %s is not a regular file: %v", path, fi.Mode().Type())
		}
		return nil, errors.Join(err, f.Close())
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("kv: another server has the append-only file %s: %w", path, err), f.Close())
	}
	a := &aof{
		srv: srv, file: f, policy: srv.opt.Fsync,
		kick: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	if a.off, err = srv.load(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if a.policy != FsyncNo {
		// Who has written it may have been killed before the kernel had it on the disk. A durable write says nothing of what is before it.
		if err := f.Sync(); err != nil {
			return nil, errors.Join(fmt.Errorf("kv: make what is in the append-only file %s durable: %w", path, err), f.Close())
		}
	}
	a.end, a.settled, a.synced = a.off, a.off, a.off
	if inBlocks {
		if a.blocks, err = newBlocks(f, a.off); err != nil {
			return nil, errors.Join(fmt.Errorf("kv: the end of the append-only file %s: %w", path, err), f.Close())
		}
		setDirect(f, true)
	}
	ready := make(chan error)
	go a.run(ready)
	if err := <-ready; err != nil {
		return nil, errors.Join(fmt.Errorf("kv: the engine of the append-only file: %w", err), a.closeFile())
	}
	return a, nil
}

// openDurably opens a file, and makes it. That a new one exists is on the disk when it returns.
func openDurably(path string, how int) (*os.File, error) {
	_, err := os.Stat(path)
	fresh := errors.Is(err, os.ErrNotExist)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|how, 0o644)
	if err != nil || !fresh {
		return f, err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// Some file systems do not sync directories, and have nothing to be synced then.
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return nil, errors.Join(err, dir.Close(), f.Close())
	}
	return f, dir.Close()
}

// log puts an entry behind the others, and says where it ends. Who calls it holds the locks of the keys, so that the entries of a key are in
// the order of its changes.
func (a *aof) log(args ...[]byte) (end int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.dead { // nothing will be written any more, and only what expires comes here still
		return a.end
	}
	before := len(a.buf)
	a.buf = resp.AppendCommand(a.buf, args...)
	a.end += int64(len(a.buf) - before)
	if before == 0 {
		a.pending.Store(true)
	}
	if len(a.buf) > backlogMax {
		a.behind.Store(true)
	}
	return a.end
}

// start has what was logged written. It is called once for all commands of a callback, without the locks of keys.
func (a *aof) start() {
	if a.pending.Load() && a.pending.CompareAndSwap(true, false) {
		a.poke()
	}
}

func (a *aof) poke() {
	select {
	case a.kick <- struct{}{}:
	default: // it has been told
	}
}

// await has a session called when the file is settled up to s.durable, and says whether it must wait at all.
func (a *aof) await(s *session) bool {
	if a.policy != FsyncAlways && !a.behind.Load() {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.settled >= s.durable {
		return false
	}
	if a.err != nil {
		_ = s.remote.Post(s.giveUp) // ErrClosed: it has ended
		return true
	}
	a.waiters = append(a.waiters, waiter{s, s.durable})
	return true
}

// failed is why nothing is written at present, nil when all is well.
func (a *aof) failed() error {
	if !a.broken.Load() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// isDead says whether nothing will be written any more.
func (a *aof) isDead() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dead
}

// size is how long the file is when all entries are in it.
func (a *aof) size() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.end
}

// close writes the rest and ends the goroutine. Called again, it only has the same result.
func (a *aof) close() error {
	a.closing.Do(func() {
		close(a.quit)
		<-a.done
		if a.closed = a.failed(); a.closed != nil {
			a.closed = fmt.Errorf("kv: the append-only file is not complete: %w", a.closed)
		}
		a.closed = errors.Join(a.closed, a.closeFile())
	})
	return a.closed
}

// closeFile closes the file, without the room that was laid out.
func (a *aof) closeFile() error {
	var err error
	if a.blocks != nil {
		err = errors.Join(a.file.Truncate(a.off), a.blocks.close())
	}
	return errors.Join(err, a.file.Close())
}

// run is the goroutine of the file, which owns the engine.
func (a *aof) run(ready chan<- error) {
	defer close(a.done)
	var err error
	// The goroutine waits for the disk as others wait for a channel, and needs no thread meanwhile.
	a.engine, err = backend.Open(a.srv.opt.Backend, &api.Options{Strategy: api.Park()})
	ready <- err
	if err != nil {
		return
	}
	a.work()
	if err := a.engine.Close(); err != nil {
		a.fail(err, true)
	}
}

// work writes until it is told to quit.
func (a *aof) work() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	last := time.Now() // when it was made durable, or tried
	for {
		select {
		case <-a.kick:
		case <-timer.C:
		case <-a.quit:
			a.last()
			return
		}
		due := a.policy == FsyncEverySec && time.Since(last) >= syncEvery
		a.write(due)
		if due {
			last = time.Now()
		}
		switch {
		case a.failed() != nil:
			timer.Reset(a.srv.opt.retry)
		case a.policy == FsyncEverySec && a.synced < a.off:
			timer.Reset(max(syncEvery-time.Since(last), 0))
		}
	}
}

// last writes what is left when there is nobody any more who writes.
func (a *aof) last() {
	for {
		a.write(a.policy != FsyncNo)
		if a.failed() != nil || a.size() == a.off {
			return
		}
	}
}

// take takes what there is to be written, unless the batch before could not be: then that is tried again, and ready comes back for what is behind it.
// It returns false when nothing may be written any more.
func (a *aof) take() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.dead {
		return false
	}
	if len(a.batch) == 0 {
		a.batch, a.buf = a.buf, a.memory[:0]
		a.memory = a.batch
		a.pending.Store(false)
	}
	a.behind.Store(len(a.buf) > backlogMax)
	return true
}

// write writes what there is, makes it durable if the policy or due says so, and tells those who wait.
func (a *aof) write(due bool) {
	if !a.take() {
		return
	}
	if a.writeAll(due) != nil {
		return
	}
	if cap(a.memory) > keptBuffer {
		a.batch, a.memory = nil, nil
	}
	a.settle()
}

// writeAll writes the batch, and makes it durable if the policy or due says so. What was written leaves the batch, also with an error.
func (a *aof) writeAll(due bool) error {
	if a.blocks != nil {
		for len(a.batch) > 0 {
			if err := a.writeBlocks(); err != nil {
				a.fail(err, false) // to write it once more does all of it again
				return err
			}
		}
		return nil
	}
	sync := a.policy == FsyncAlways && len(a.batch) > 0 || due && a.synced < a.off+int64(len(a.batch))
	for len(a.batch) > 0 {
		if err := a.writeSome(sync && len(a.batch) <= batchMax); err != nil {
			return err
		}
	}
	if sync && a.synced < a.off { // nothing was written, or less than all at first
		return a.sync()
	}
	return nil
}

// writeBlocks writes as much of the batch as goes into one write, durably.
func (a *aof) writeBlocks() error {
	b := a.blocks
	n, whole := b.fill(a.batch)
	if b.cramped(whole) {
		if err := a.writeAt(b.zero, b.room); err == nil {
			b.room += int64(len(b.zero))
		} else if a.isDead() { // what the engine completes next may be this
			return err
		} // else the write makes room for itself, or says why not
	}
	err := a.writeAt(whole, b.at)
	if errors.Is(err, syscall.EINVAL) { // the device has larger blocks
		setDirect(a.file, false)
		err = a.writeAt(whole, b.at)
	}
	if err != nil {
		return err
	}
	b.wrote(n)
	a.wrote(n)
	a.synced = a.off
	return nil
}

// writeAt writes all of p.
func (a *aof) writeAt(p []byte, off int64) error {
	if _, err := a.do([]api.Op{api.Write(int(a.file.Fd()), p, off, 1)}); err != nil {
		return err
	}
	switch done := &a.dones[0]; {
	case done.Res < 0:
		return done.Err()
	case int(done.Res) < len(p):
		return io.ErrShortWrite
	}
	return nil
}

// wrote takes n bytes that are in the file out of the batch.
func (a *aof) wrote(n int) {
	a.off += int64(n)
	a.batch = a.batch[n:]
}

// writeSome writes as much of the batch as the kernel takes at a time: and with sync an fsync behind it, if that is all.
func (a *aof) writeSome(sync bool) error {
	b := a.batch[:min(len(a.batch), batchMax)]
	fd := int(a.file.Fd())
	ops := []api.Op{api.Write(fd, b, a.off, 1)}
	if sync {
		ops[0] = ops[0].With(api.Link) // a write that takes less than all cancels the fsync
		ops = append(ops, api.Fsync(fd, 2).With(api.DataSync))
	}
	n, err := a.do(ops)
	if err != nil {
		return err
	}
	wrote := a.dones[0]
	if n > 1 && a.dones[1].Tag == 1 {
		wrote = a.dones[1]
	}
	if wrote.Res < 0 {
		a.fail(wrote.Err(), false)
		return wrote.Err()
	}
	if wrote.Res == 0 {
		a.fail(io.ErrShortWrite, false)
		return io.ErrShortWrite
	}
	a.wrote(int(wrote.Res))
	if sync && len(a.batch) == 0 {
		return a.syncDone()
	}
	return nil
}

// syncDone looks at the fsync among what has completed.
func (a *aof) syncDone() error {
	for i := range a.dones {
		if a.dones[i].Tag != 2 {
			continue
		}
		if err := a.dones[i].Err(); err != nil {
			a.fail(fmt.Errorf("fsync: %w", err), true)
			return err
		}
	}
	a.synced = a.off
	return nil
}

// sync makes what is in the file durable.
func (a *aof) sync() error {
	if _, err := a.do([]api.Op{api.Fsync(int(a.file.Fd()), 2).With(api.DataSync)}); err != nil {
		return err
	}
	return a.syncDone()
}

// do performs operations, and waits for all of them. The error is that of the engine.
func (a *aof) do(ops []api.Op) (n int, err error) {
	a.dones = [2]api.Completion{}
	if _, err = a.engine.Submit(ops); err == nil {
		for n < len(ops) && err == nil {
			var more int
			more, err = a.engine.Complete(a.dones[n:len(ops)], api.Wait{Min: len(ops) - n})
			n += more
		}
	}
	if err != nil {
		a.fail(err, true)
	}
	return n, err
}

// settle tells those who wait for what is in the file now.
func (a *aof) settle() {
	for _, w := range a.ready() {
		_ = w.s.remote.Post(w.s.resume) // ErrClosed: it has ended
	}
	clear(a.told)
}

// ready takes those out of the list who need not wait any more.
func (a *aof) ready() []waiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		a.srv.opt.Log.Info("kv: the append-only file is written again", "path", a.srv.opt.AppendOnly)
		a.err = nil
		a.broken.Store(false)
		a.poke() // for what has come since: its own poke has found the batch that could not be written
	}
	a.settled = a.off
	a.told = a.told[:0]
	left := a.waiters[:0]
	for _, w := range a.waiters {
		if w.upTo > a.settled {
			left = append(left, w)
		} else {
			a.told = append(a.told, w)
		}
	}
	clear(a.waiters[len(left):])
	a.waiters = left
	return a.told
}

// fail refuses changes from now on. Those who wait are ended: what they have changed may be on the disk or not, and nothing true can be said to them.
func (a *aof) fail(err error, forever bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil || forever {
		a.srv.opt.Log.Error("kv: the append-only file cannot be written; commands that write are refused", "path", a.srv.opt.AppendOnly, "err", err, "until", until(forever))
	}
	if a.dead {
		return
	}
	a.err, a.dead = err, forever
	a.broken.Store(true)
	for _, w := range a.waiters {
		_ = w.s.remote.Post(w.s.giveUp) // ErrClosed: it has ended
	}
	clear(a.waiters)
	a.waiters = a.waiters[:0]
}

func until(forever bool) string {
	if forever {
		return "the end"
	}
	return "it can be again"
}

// reason is an error as one word of the system's, as Redis tells it.
func reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		s := errno.Error()
		return string(s[0]-'a'+'A') + s[1:]
	}
	return err.Error()
}
