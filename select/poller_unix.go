//go:build unix

package fdselect

import (
	"fmt"
	"math/bits"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/internal/readiness"
	"github.com/sluiceio/sluice/internal/sysx"
)

// word is the number of bits in a word of a set: an unsigned long of the kernel.
const word = bits.UintSize

// probesMax bounds how often one Wait looks for closed fds: each time again another one must have been
// closed meanwhile, by someone who breaks the rules.
const probesMax = 3

// The sets of a poller.
const (
	setR = iota
	setW
	setE
	sets
)

// poller implements readiness.Poller. One goroutine uses it.
type poller struct {
	armed [sets][]uint // what is waited for; all sets have the same length
	work  [sets][]uint // what select overwrites
	bad   []uint       // the closed ones that a Wait has found
	nfds  int          // one more than the highest armed fd
	// seen: all fds below have been within the reach of the kernel's table of open files, which never
	// shrinks. The kernel cuts nfds to the size of that table without a word, so a
	// closed fd beyond it would not be noticed.
	seen  int32
	start int // the fd at which the next Wait starts to look, for fairness
}

var _ readiness.Poller = (*poller)(nil)

func newPoller() (readiness.Poller, error) { return &poller{}, nil }

func (p *poller) Traits() readiness.Traits {
	return readiness.Traits{MaxFD: sysx.SelectMax, HangupReadable: true}
}

func (p *poller) PollFD() int { return -1 }

// Arm implements readiness.Poller. It makes no system call but for an fd that is higher than all before.
func (p *poller) Arm(fd int32, in readiness.Interest) error {
	switch {
	case fd < 0:
		return unix.EBADF
	case sysx.SelectMax > 0 && int(fd) >= sysx.SelectMax:
		return unix.EINVAL
	case in == 0:
		p.Forget(fd)
		return nil
	case fd >= p.seen:
		if !sysx.ValidFD(fd) {
			return unix.EBADF
		}
		p.seen = fd + 1
	}
	i, bit := int(fd)/word, uint(1)<<(fd%word)
	if i >= len(p.bad) {
		p.grow(i + 1)
	}
	for s, want := range [sets]readiness.Interest{setR: readiness.Readable, setW: readiness.Writable, setE: readiness.Priority} {
		if in&want != 0 {
			p.armed[s][i] |= bit
		} else {
			p.armed[s][i] &^= bit
		}
	}
	p.nfds = max(p.nfds, int(fd)+1)
	return nil
}

// grow makes all sets n words long, and at least twice as long as before.
func (p *poller) grow(n int) {
	more := make([]uint, max(n, 2*len(p.bad))-len(p.bad))
	for s := range p.armed {
		p.armed[s] = append(p.armed[s], more...)
		p.work[s] = append(p.work[s], more...)
	}
	p.bad = append(p.bad, more...)
}

// any is one word of all armed sets together.
func (p *poller) any(i int) uint { return p.armed[setR][i] | p.armed[setW][i] | p.armed[setE][i] }

// Forget implements readiness.Poller.
func (p *poller) Forget(fd int32) {
	if fd < 0 || int(fd) >= p.nfds {
		return
	}
	i, bit := int(fd)/word, uint(1)<<(fd%word)
	for s := range p.armed {
		p.armed[s][i] &^= bit
	}
	if int(fd) < p.nfds-1 {
		return
	}
	// The highest one is gone: find the one below.
	for ; i >= 0; i-- {
		if w := p.any(i); w != 0 {
			p.nfds = i*word + bits.Len(w)
			return
		}
	}
	p.nfds = 0
}

// Wait implements readiness.Poller. What does not fit into ev still holds at the next Wait, which starts
// behind the last fd that did fit.
func (p *poller) Wait(ev []readiness.Event, d time.Duration) (int, error) {
	words := (p.nfds + word - 1) / word
	found := false // closed ones, and so bad is in use
	for probes := 0; ; probes++ {
		for s := range p.work {
			copy(p.work[s][:words], p.armed[s])
			if found {
				for i := range words {
					p.work[s][i] &^= p.bad[i]
				}
			}
		}
		n, errno := sysx.Select(p.nfds, p.work[setR], p.work[setW], p.work[setE], d)
		switch errno {
		case 0:
			if n == 0 && !found {
				return 0, nil
			}
			return p.collect(ev, words, found), nil
		case unix.EINTR:
			return 0, nil // the next Wait finds the closed ones, if there are any, again
		case unix.EBADF:
			if probes == probesMax {
				return 0, nil // the next Wait goes on
			}
		default:
			return 0, fmt.Errorf("select: %w", os.NewSyscallError("select", errno))
		}
		// An fd is closed. Find all that are, and look at the others without waiting.
		p.probe(words)
		found = true
		d = 0
	}
}

// probe notes in bad which armed fds are closed.
func (p *poller) probe(words int) {
	for i := range words {
		p.bad[i] = 0
		for w := p.any(i); w != 0; w &= w - 1 {
			bit := bits.TrailingZeros(w)
			if !sysx.ValidFD(int32(i*word + bit)) {
				p.bad[i] |= 1 << bit
			}
		}
	}
}

// collect turns the sets into events, from start up to the end and then from 0.
func (p *poller) collect(ev []readiness.Event, words int, found bool) int {
	if found {
		for s := range p.work {
			for i := range words {
				p.work[s][i] |= p.armed[s][i] & p.bad[i]
			}
		}
	}
	if p.start >= p.nfds {
		p.start = 0
	}
	k := 0
	first := p.start / word
	for j := range words + 1 { // the first word comes twice: first the bits from start on, last those below
		i := first + j
		if i >= words {
			i -= words
		}
		r, w, e := p.work[setR][i], p.work[setW][i], p.work[setE][i]
		all := r | w | e
		switch low := uint(1)<<(p.start%word) - 1; j {
		case 0:
			all &^= low
		case words:
			all &= low
		}
		for ; all != 0; all &= all - 1 {
			bit := bits.TrailingZeros(all)
			if k == len(ev) {
				p.start = i*word + bit
				return k
			}
			var ready readiness.Interest
			if r>>bit&1 != 0 {
				ready |= readiness.Readable
			}
			if w>>bit&1 != 0 {
				ready |= readiness.Writable
			}
			if e>>bit&1 != 0 {
				ready |= readiness.Priority
			}
			if found && p.bad[i]>>bit&1 != 0 {
				ready |= readiness.Hangup
			}
			ev[k] = readiness.Event{FD: int32(i*word + bit), Ready: ready}
			k++
		}
	}
	return k
}

// Close implements readiness.Poller.
func (p *poller) Close() error {
	*p = poller{}
	return nil
}
