//go:build unix

package conformance

import (
	"math/rand/v2"
	"slices"
	"syscall"

	"github.com/sluiceio/sluice/api"
)

// slotModel is what a table of registered files must be like, and what is in flight on it.
type slotModel struct {
	t     *T
	r     *rand.Rand
	a, b  []int          // the ends of the connections; a is registered
	slots []install      // what is in each slot
	ids   int            // how many installs there were
	waits map[uint64]int // by tag of a receive in flight: its connection
	on    map[uint64]int // by tag: the install
	tag   uint64
}

// install is one file put into one slot.
type install struct{ conn, id int }

var noInstall = install{-1, 0}

func newSlotModel(t *T, conns, slots int) *slotModel {
	m := &slotModel{t: t, r: rand.New(rand.NewPCG(7, 11)), waits: map[uint64]int{}, on: map[uint64]int{}, tag: 100}
	for range conns {
		a, b := t.Pair(false)
		m.a, m.b = append(m.a, a), append(m.b, b)
	}
	m.renew(slots)
	return m
}

// renew makes a new table, half full.
func (m *slotModel) renew(n int) {
	m.slots = slices.Repeat([]install{noInstall}, n)
	fds := slices.Repeat([]int{-1}, n)
	for slot := range n / 2 {
		fds[slot] = m.put(slot, m.r.IntN(len(m.a)))
	}
	m.t.register(m.t.Engine, fds...)
}

// put says that a slot holds a connection from now on, and gives its fd.
func (m *slotModel) put(slot, conn int) int {
	m.ids++
	m.slots[slot] = install{conn, m.ids}
	return m.a[conn]
}

func (m *slotModel) next() uint64 { m.tag++; return m.tag }

// send sends by a slot, and sees where it arrives.
func (m *slotModel) send(slot int) {
	t, in := m.t, m.slots[slot]
	if in == noInstall {
		t.WantErr(fixed(api.Send(slot, []byte("?"), m.next())), syscall.EBADF)
		return
	}
	what := string(rune('A' + in.conn))
	t.Want(fixed(api.Send(slot, []byte(what), m.next())), 1)
	t.WantGet(m.b[in.conn], what)
}

// receive leaves a receive in flight, one at most for each connection: it may be in several slots, which are in no order.
func (m *slotModel) receive(slot int) {
	in := m.slots[slot]
	if in == noInstall {
		return
	}
	for _, conn := range m.waits {
		if conn == in.conn {
			return
		}
	}
	tag := m.next()
	m.t.Submit(fixed(api.Recv(slot, make([]byte, 4), tag)))
	m.waits[tag], m.on[tag] = in.conn, in.id
	m.t.Perform()
}

// arrive ends a receive in flight.
func (m *slotModel) arrive() {
	for tag, conn := range m.waits {
		m.t.Put(m.b[conn], "!!")
		m.t.AwaitRes(tag, 2)
		delete(m.waits, tag)
		return
	}
}

// closeSlot ends what is in flight on what is in the slot, and nothing else.
func (m *slotModel) closeSlot(slot int) {
	in, tag := m.slots[slot], m.next()
	if in == noInstall {
		m.t.WantErr(api.CloseSlot(slot, tag), syscall.EBADF)
		return
	}
	m.t.Want(api.CloseSlot(slot, tag), 0)
	m.slots[slot] = noInstall
	for tag, id := range m.on {
		if _, waits := m.waits[tag]; waits && id == in.id {
			m.t.AwaitRes(tag, ecanceled)
			delete(m.waits, tag)
		}
	}
}

// update replaces what is in the slot, in one of the ways that there are.
func (m *slotModel) update(slot int) {
	t, conn := m.t, m.r.IntN(len(m.a))
	switch m.r.IntN(4) {
	case 0:
		if n, err := t.Engine.UpdateFiles(slot, []int{-1}); n != 1 || err != nil {
			t.Fatalf("UpdateFiles: %d, %v", n, err)
		}
		m.slots[slot] = noInstall
	case 1:
		if n, err := t.Engine.UpdateFiles(slot, []int{m.put(slot, conn)}); n != 1 || err != nil {
			t.Fatalf("UpdateFiles: %d, %v", n, err)
		}
	case 2:
		if n, err := t.Engine.InstallFile(m.put(slot, conn), slot); n != slot || err != nil {
			t.Fatalf("InstallFile: %d, %v", n, err)
		}
	default:
		t.Want(api.FilesUpdate(slot, []int32{int32(m.put(slot, conn))}, m.next()), 1)
	}
}

func (m *slotModel) step() {
	slot := m.r.IntN(len(m.slots))
	switch m.r.IntN(12) {
	case 0, 1, 2, 3:
		m.send(slot)
	case 4, 5:
		m.receive(slot)
	case 6:
		m.arrive()
	case 7, 8:
		m.closeSlot(slot)
	default:
		m.update(slot)
	}
}

var slotCases = []Case{
	{
		ID: "REG-4", Name: "any changes in any order",
		Explanation: "An operation acts on the file that its slot holds when it begins, whatever has become of the slot before and becomes of it afterwards.",
		Requires:    directFiles,
		Ops:         api.Ops(api.OpSend, api.OpRecv, api.OpClose, api.OpFilesUpdate),
		Fn: func(t *T) {
			m := newSlotModel(t, 6, 8)
			for round := range 4 {
				for range 150 {
					if m.step(); t.Failed() {
						return
					}
				}
				if err := t.Engine.UnregisterFiles(); err != nil {
					t.Fatalf("UnregisterFiles: %v", err)
				}
				m.renew(8 + 40*round)
			}
			for len(m.waits) > 0 {
				m.arrive()
			}
		},
	},
}
