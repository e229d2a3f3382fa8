package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
)

// firstGeneration is that of a block that was written when the file was made. Later ones count on from the time of the run, so that
// what another run has left is not taken for this one's.
const firstGeneration = 1

// fileJob works on a part of the file, with one engine or none.
type fileJob struct {
	r      *fileRun
	first  uint64 // block of its part
	blocks uint64
	unit   int
	bs     int
	rnd    *rand.Rand
	next   uint64 // the next block in sequence, in its part

	mem   []byte // depth blocks, beginning at a page, as direct IO wants it
	at    []uint64
	since []api.Instant
	hist  *hdrhistogram.Histogram
	count atomic.Uint64 // operations completed
	eng   atomic.Pointer[api.Engine]

	// To verify writes: how often each block was written, and whether it is being written.
	base     uint64
	writes   []uint32
	busy     []bool
	back     bool // it reads what it has written
	verified uint64
}

// newFileJob makes job i of r. Its memory is to be freed.
func newFileJob(r *fileRun, i int) (*fileJob, error) {
	b := r.benchFileCmd
	mem, err := pages(b.depth * int(b.bs))
	if err != nil {
		return nil, err
	}
	all, n := uint64(r.file.size/int64(b.bs)), uint64(b.jobs)
	j := &fileJob{
		r: r, mem: mem, first: all * uint64(i) / n, bs: int(b.bs), unit: unitOf(int64(b.bs)),
		rnd:  rand.New(rand.NewPCG(uint64(i), 1)),
		at:   make([]uint64, b.depth),
		hist: newFileHistogram(), since: make([]api.Instant, b.depth),
		base: uint64(time.Now().UnixNano()),
	}
	j.blocks = all*uint64(i+1)/n - j.first
	if b.writes() {
		for k := 0; k < len(mem); k += 8 {
			binary.LittleEndian.PutUint64(mem[k:], j.rnd.Uint64()) // a disk that compresses shall not
		}
	}
	if b.writes() && b.verify {
		j.writes, j.busy = make([]uint32, j.blocks), make([]bool, j.blocks)
	}
	return j, nil
}

func (j *fileJob) buf(i int) []byte { return j.mem[i*j.bs : (i+1)*j.bs : (i+1)*j.bs] }

// enters is how many system calls the job has made for ops operations. Any goroutine may call it.
func (j *fileJob) enters(ops uint64) uint64 {
	if e := j.eng.Load(); e != nil {
		return (*e).Stats().Enters
	}
	return ops // one for each
}

// run does the work. It calls ready when it can begin, which returns when it shall.
func (j *fileJob) run(ready func()) (err error) {
	if j.r.backend.psync {
		ready()
		if err := j.sync(); err != nil || j.writes == nil {
			return err
		}
		j.readBack()
		return j.sync()
	}
	e, err := backend.Open(j.r.engine, j.r.options())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if err := j.register(e); err != nil {
		return err
	}
	j.eng.Store(&e)
	ready()
	if err := j.pump(e); err != nil || j.writes == nil {
		return err
	}
	j.readBack()
	return j.pump(e)
}

// register registers with e what shall be.
func (j *fileJob) register(e api.Engine) error {
	if j.r.registered {
		if err := e.RegisterFiles([]int{j.r.file.fd}); err != nil {
			return fmt.Errorf("registering the file: %w", err)
		}
	}
	if !j.r.fixed {
		return nil
	}
	bufs := make([][]byte, len(j.at))
	for i := range bufs {
		bufs[i] = j.buf(i)
	}
	if err := e.RegisterBuffers(bufs); err != nil {
		return fmt.Errorf("registering %d buffers of %d bytes: %w", len(bufs), j.bs, err)
	}
	return nil
}

// op is the operation on buffer i, without its place in the file.
func (j *fileJob) op(i int) api.Op {
	fd := j.r.file.fd
	if j.r.registered {
		fd = 0
	}
	var op api.Op
	switch write := j.r.benchFileCmd.writes() && !j.back; {
	case write && j.r.fixed:
		op = api.WriteFixed(fd, i, j.buf(i), 0, uint64(i))
	case write:
		op = api.Write(fd, j.buf(i), 0, uint64(i))
	case j.r.fixed:
		op = api.ReadFixed(fd, i, j.buf(i), 0, uint64(i))
	default:
		op = api.Read(fd, j.buf(i), 0, uint64(i))
	}
	if j.r.registered {
		op.Flags |= api.FixedFile
	}
	return op
}

// pump keeps as many operations in flight as there are buffers, until the run ends or there are no more.
func (j *fileJob) pump(e api.Engine) error {
	depth := len(j.at)
	all, ops, done := make([]api.Op, depth), make([]api.Op, 0, depth), make([]api.Completion, depth)
	for i := range depth {
		all[i] = j.op(i)
		if j.prepare(i) {
			all[i].Off = j.offset(i)
			ops = append(ops, all[i])
		}
	}
	now := api.Now()
	for i := range j.since {
		j.since[i] = now
	}
	for busy := len(ops); busy > 0; {
		if _, err := e.Submit(ops); err != nil {
			return err
		}
		n, err := e.Complete(done, api.Wait{Min: min(j.r.batch, busy), Batch: j.r.batchWait})
		if err != nil {
			return err
		}
		now, phase := api.Now(), j.r.phase.Load()
		ops = ops[:0]
		for k := range done[:n] {
			c := &done[k]
			i := int(c.Tag)
			if phase == phaseMeasure {
				j.record(now.Sub(j.since[i]))
			}
			if err := j.finish(i, int(c.Res), c.Err()); err != nil {
				return err
			}
			if j.over(phase) || !j.prepare(i) {
				busy--
				continue
			}
			j.since[i] = now
			all[i].Off = j.offset(i)
			ops = append(ops, all[i])
		}
		j.count.Add(uint64(n))
		if j.r.verify && len(ops) > 0 {
			now = api.Now() // checking is no part of the latency
			for k := range ops {
				j.since[ops[k].Tag] = now
			}
		}
	}
	return nil
}

// sync does the same with one system call after the other.
func (j *fileJob) sync() error {
	write := j.r.benchFileCmd.writes() && !j.back
	b := j.buf(0)
	for {
		phase := j.r.phase.Load()
		if j.over(phase) || !j.prepare(0) {
			return nil
		}
		start := api.Now()
		n, err := transfer(j.r.file, write, b, j.offset(0))
		if phase == phaseMeasure {
			j.record(api.Now().Sub(start))
		}
		if err := j.finish(0, n, err); err != nil {
			return err
		}
		j.count.Add(1)
	}
}

// over says whether to begin no more in this phase of the run.
func (j *fileJob) over(phase uint32) bool {
	return phase == phaseAbort || phase == phaseStop && !j.back
}

func (j *fileJob) record(d time.Duration) {
	_ = j.hist.RecordValue(min(d, time.Minute).Nanoseconds()) // in range
}

func (j *fileJob) offset(i int) int64 { return int64(j.first+j.at[i]) * int64(j.bs) }

// prepare chooses the next block for buffer i, and fills the buffer if that is to be written. It says whether there is one.
func (j *fileJob) prepare(i int) bool {
	if j.back {
		for j.next < j.blocks && j.writes[j.next] == 0 {
			j.next++
		}
		j.at[i] = j.next
		j.next++
		return j.at[i] < j.blocks
	}
	n := j.next
	if j.r.random() {
		n = j.rnd.Uint64N(j.blocks)
	}
	if j.writes != nil {
		for j.busy[n] { // half of the blocks at least are not
			n = (n + 1) % j.blocks
		}
		j.busy[n] = true
	}
	if j.at[i], j.next = n, n+1; j.next == j.blocks {
		j.next = 0
	}
	if j.writes != nil {
		j.writes[n]++
		sealBlock(j.buf(i), j.unit, j.offset(i), j.generation(n))
	}
	return true
}

// generation is that of block n as it was written last.
func (j *fileJob) generation(n uint64) uint64 { return j.base + uint64(j.writes[n]) }

// readBack makes the job read what it has written.
func (j *fileJob) readBack() { j.back, j.next = true, 0 }

// finish looks at what became of the operation on buffer i.
func (j *fileJob) finish(i, n int, err error) error {
	write := j.r.benchFileCmd.writes() && !j.back
	if err == nil && n < j.bs {
		if err = io.ErrShortWrite; !write {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil {
		what := "read"
		if write {
			what = "write"
		}
		return fmt.Errorf("%s of %d bytes at offset %d: %w", what, j.bs, j.offset(i), err)
	}
	if write {
		if j.busy != nil {
			j.busy[j.at[i]] = false
		}
		return nil
	}
	if !j.r.verify {
		return nil
	}
	want := uint64(anyGeneration)
	if j.back {
		want = j.generation(j.at[i])
	}
	if err := checkSeal(j.buf(i), j.unit, j.offset(i), want); err != nil {
		return err
	}
	j.verified++
	return nil
}
