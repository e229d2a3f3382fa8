package core

import (
	"os"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/sysx"
)

// parker waits without holding a thread. Where the driver has an fd that tells of news, it is put
// into the runtime's own poller (as an os.File, which is the supported way in), else a
// goroutine of the engine blocks in the owner's stead.
type parker struct {
	file *os.File
	raw  syscall.RawConn
	read func(uintptr) bool // made once, so that waiting allocates nothing
	set  api.Instant        // the deadline that the file has, 0 for none

	eng *Engine
	err error

	ask  chan request
	done chan error
}

type request struct {
	need int
	d    time.Duration
}

// wait makes turns until something has happened, or d has passed.
func (p *parker) wait(e *Engine, need int, d time.Duration) error {
	if e.drv.PollFD() < 0 {
		return p.delegate(e, need, d)
	}
	if err := p.arm(d); err != nil {
		return err
	}
	p.err = nil
	err := p.raw.Read(p.read)
	if p.err != nil {
		return p.err
	}
	if err != nil && !os.IsTimeout(err) {
		return err
	}
	return nil
}

// open puts a duplicate of the driver's fd into the runtime's poller. It is a duplicate
// because the File closes what it is given, and the driver closes its own.
func (p *parker) open(e *Engine) error {
	fd, errno := sysx.Dup(int32(e.drv.PollFD()))
	if errno != 0 {
		return os.NewSyscallError("fcntl", errno)
	}
	if errno := sysx.SetNonblock(fd, true); errno != 0 {
		sysx.Close(fd)
		return os.NewSyscallError("fcntl", errno)
	}
	f := os.NewFile(uintptr(fd), e.name)
	raw, err := f.SyscallConn()
	if err == nil {
		err = f.SetReadDeadline(time.Time{}) // fails if the poller did not take the fd
	}
	if err != nil {
		f.Close()
		return err
	}
	p.eng, p.file, p.raw, p.read = e, f, raw, p.look
	return nil
}

// look is called by the runtime, in the owner's goroutine, first and whenever the fd has become readable. The
// registration is edge-triggered, so that it must go on until there is nothing more.
func (p *parker) look(uintptr) bool {
	e := p.eng
	before, limit := e.delivered, e.drv.Limit()
	if p.err = e.drv.Turn(0, 0); p.err != nil {
		return true
	}
	// A limit that was not there before is not in the deadline of the file either.
	if l := e.drv.Limit(); l == 0 || l > 0 && limit < 0 {
		return true
	}
	if e.delivered != before || e.run.Len() > 0 || e.wake.state.Load() != wakeSleeping {
		return true
	}
	return e.drv.BeforePark()
}

// arm sets the deadline of the file, unless it has it already.
func (p *parker) arm(d time.Duration) error {
	if d < 0 {
		if p.set == 0 {
			return nil
		}
		p.set = 0
		return p.file.SetReadDeadline(time.Time{})
	}
	at := api.After(d)
	// A deadline that passed stays passed, so that one a little later must be set anew.
	if p.set != 0 && at >= p.set && at.Sub(p.set) < 50*time.Microsecond && p.set > api.Now() {
		return nil
	}
	p.set = at
	return p.file.SetReadDeadline(time.Now().Add(d))
}

// delegate lets the goroutine of the engine make the turn.
func (p *parker) delegate(e *Engine, need int, d time.Duration) error {
	if p.ask == nil {
		p.ask, p.done = make(chan request), make(chan error)
		go func() {
			for r := range p.ask {
				p.done <- e.drv.Turn(r.need, r.d)
			}
			close(p.done)
		}()
	}
	p.ask <- request{need, d}
	return <-p.done
}

// close ends what wait started.
func (p *parker) close() {
	if p.file != nil {
		p.file.Close()
		p.file = nil
	}
	if p.ask != nil {
		close(p.ask)
		<-p.done
		p.ask = nil
	}
}
