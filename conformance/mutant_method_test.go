package conformance_test

import (
	"reflect"
	"syscall"

	"github.com/sluiceio/sluice/api"
)

func (m *mutant) RegisterFiles(fds []int) error {
	if m.files != nil {
		return m.files(m, fds)
	}
	return m.did("RegisterFiles", func() error { return m.Engine.RegisterFiles(fds) })
}

func (m *mutant) UpdateFiles(at int, fds []int) (int, error) {
	if m.updateFiles != nil {
		return m.updateFiles(m, at, fds)
	}
	return m.counted("UpdateFiles", func() (int, error) { return m.Engine.UpdateFiles(at, fds) })
}

func (m *mutant) UnregisterFiles() error { return m.did("UnregisterFiles", m.Engine.UnregisterFiles) }

func (m *mutant) InstallFile(fd, slot int) (int, error) {
	return m.counted("InstallFile", func() (int, error) { return m.Engine.InstallFile(fd, slot) })
}

func (m *mutant) SetFileRange(at, n int) error {
	if m.fileRange != nil {
		return m.fileRange(m, at, n)
	}
	return m.did("SetFileRange", func() error { return m.Engine.SetFileRange(at, n) })
}

func (m *mutant) RegisterPersonality() (api.Personality, error) {
	n, err := m.counted("RegisterPersonality", func() (int, error) {
		p, err := m.Engine.RegisterPersonality()
		return int(p), err
	})
	return api.Personality(n), err
}

func (m *mutant) UnregisterPersonality(p api.Personality) error {
	return m.did("UnregisterPersonality", func() error { return m.Engine.UnregisterPersonality(p) })
}

func (m *mutant) Name() string {
	if m.method == "Name" {
		return "nameless"
	}
	return m.Engine.Name()
}

// called is a group of a mutant whose fault is about a method.
type called struct {
	api.BufferGroup
	m *mutant
}

func (g *called) Release(l api.Lease) error {
	return g.m.did("Release", func() error { return g.BufferGroup.Release(l) })
}

func (g *called) Resize(n int) error {
	return g.m.did("Resize", func() error { return g.BufferGroup.Resize(n) })
}

func (g *called) Queue(l api.Lease, n int) error {
	return g.m.did("Queue", func() error { return g.BufferGroup.Queue(l, n) })
}

func (g *called) Close() error { return g.m.did("group's Close", g.BufferGroup.Close) }

func (g *called) number(method string, n int) int {
	if g.m.method == method {
		return g.m.count(n)
	}
	return n
}

func (g *called) ID() uint16     { return uint16(g.number("ID", int(g.BufferGroup.ID()))) }
func (g *called) Available() int { return g.number("Available", g.BufferGroup.Available()) }
func (g *called) Count() int     { return g.number("Count", g.BufferGroup.Count()) }
func (g *called) Queued() int    { return g.number("Queued", g.BufferGroup.Queued()) }
func (g *called) Size() int      { return g.number("Size", g.BufferGroup.Size()) }

func (g *called) Get() ([]byte, api.Lease, bool) {
	buf, l, ok := g.BufferGroup.Get()
	if ok && g.m.method == "Get" {
		buf = buf[:g.m.count(len(buf))]
	}
	return buf, l, ok
}

// methodMutants are engines of which a method does nothing, fails, hides its errors or gives another, or is out by one.
func methodMutants() (all []fault) {
	returning := []string{"Wake", "Post", "Close", "CancelSync", "RegisterFiles", "UpdateFiles", "UnregisterFiles", "InstallFile", "SetFileRange",
		"RegisterBuffers", "UpdateBuffers", "UnregisterBuffers", "CloneBuffers", "RegisterPersonality", "UnregisterPersonality", "NewBufferGroup",
		"ResizeQueues", "Release", "Resize", "Queue", "group's Close"}
	for _, method := range returning {
		for _, f := range []struct {
			what string
			call func(do func() error) error
		}{
			{"hides its errors", func(do func() error) error { _ = do(); return nil }}, // that is the fault
			{"has one error for all", func(do func() error) error {
				if do() != nil {
					return syscall.EDOM
				}
				return nil
			}},
			{"fails behind its work", func(do func() error) error { _ = do(); return syscall.EIO }},
			{"does nothing", func(func() error) error { return nil }},
		} {
			if f.what == "does nothing" && (method == "Close" || method == "NewBufferGroup") {
				continue // what is never closed would stay; and a group there has to be
			}
			all = append(all, fault{name: method + " " + f.what, m: mutant{method: method, call: f.call}})
		}
	}
	for _, method := range []string{"CancelSync", "UpdateFiles", "InstallFile", "UpdateBuffers", "RegisterPersonality", "ID", "Available", "Count", "Queued", "Size", "Get"} {
		all = append(all, fault{name: method + " is one too low", m: mutant{method: method, count: func(n int) int { return max(n-1, 0) }}})
		if method != "Get" {
			all = append(all, fault{name: method + " is one too high", m: mutant{method: method, count: func(n int) int { return n + 1 }}})
		}
	}
	all = append(all, fault{name: "Name is wrong", m: mutant{method: "Name"}})
	return append(all, statsMutants()...)
}

// statsMutants are wrong in one of the counters.
func statsMutants() (all []fault) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[api.Stats]()) {
		change := func(by func(uint64) uint64) func(api.Stats) api.Stats {
			return func(s api.Stats) api.Stats {
				v := reflect.ValueOf(&s).Elem().FieldByIndex(f.Index)
				v.SetUint(by(v.Uint()))
				return s
			}
		}
		all = append(all,
			fault{name: "Stats." + f.Name + " stays 0", m: mutant{stats: change(func(uint64) uint64 { return 0 })}},
			fault{name: "Stats." + f.Name + " is one too high", m: mutant{stats: change(func(n uint64) uint64 { return n + 1 })}},
			fault{name: "Stats." + f.Name + " is doubled", m: mutant{stats: change(func(n uint64) uint64 { return 2 * n })}})
	}
	return all
}
