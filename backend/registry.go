package backend

import (
	"cmp"
	"os"
	"slices"
	"sync"

	"github.com/sluiceio/sluice/api"
)

// Auto is the name that stands for the best backend there is. The empty name does too.
const Auto = "auto"

// Env is the environment variable that names the backend for Auto.
const Env = "SLUICE_BACKEND"

// preferred are the backends of this module, the best first: the order of Auto. Others come after, in
// the order in which they were registered.
var preferred = []string{"uring", "epoll", "poll", "select"}

// Registry is a set of backends. The zero Registry is empty and ready to use.
type Registry struct {
	mu      sync.RWMutex
	drivers []Driver // in the order of Auto; guarded by mu
}

// DefaultRegistry is the one that package backend/all registers in and that the functions
// of this package use.
var DefaultRegistry Registry

// Register adds a backend. It panics if d is nil, if its name is "", "auto" or one that is taken: two
// packages of the program claim it.
func (r *Registry) Register(d Driver) {
	if d == nil {
		panic("backend: Register of a nil Driver")
	}
	name := d.Name()
	if name == "" || name == Auto {
		panic("backend: Register of a Driver with the reserved name " + quote(name))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, other := range r.drivers {
		if other.Name() == name {
			panic("backend: Register called twice for " + name)
		}
	}
	r.drivers = append(r.drivers, d)
	slices.SortStableFunc(r.drivers, func(a, b Driver) int { return cmp.Compare(rank(a.Name()), rank(b.Name())) })
}

// rank orders names as Auto tries them.
func rank(name string) int {
	if i := slices.Index(preferred, name); i >= 0 {
		return i
	}
	return len(preferred)
}

// all is a copy of the drivers, so that they are called without the lock.
func (r *Registry) all() []Driver {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.drivers)
}

// Names are the registered backends, in the order in which Auto tries them.
func (r *Registry) Names() []string {
	var names []string
	for _, d := range r.all() {
		names = append(names, d.Name())
	}
	return names
}

// Driver is the backend of that name, which must be a name and not Auto. Errors:
//   - *NotLinkedError: it is one of this module's, and not registered
//   - *UnknownError: there is no such backend.
func (r *Registry) Driver(name string) (Driver, error) {
	for _, d := range r.all() {
		if d.Name() == name {
			return d, nil
		}
	}
	if slices.Contains(preferred, name) {
		return nil, &NotLinkedError{Name: name, Linked: r.Names()}
	}
	return nil, &UnknownError{Name: name, Known: r.known()}
}

// known are the names that a user may write.
func (r *Registry) known() []string {
	known := append([]string{Auto}, preferred...)
	for _, n := range r.Names() {
		if !slices.Contains(known, n) {
			known = append(known, n)
		}
	}
	return known
}

// Check says whether Open would know the name: nil, or the error of Driver. Auto and "" are known.
func (r *Registry) Check(name string) error {
	if name == "" || name == Auto {
		return nil
	}
	_, err := r.Driver(name)
	return err
}

// Status is what Probe found out about one backend.
type Status struct {
	// Name is the backend's.
	Name string
	// Available says whether an engine can be opened here.
	Available bool
	// Err says why not, nil when Available.
	Err error
	// Features are what such an engine does.
	Features api.Features
	// Modes are the modes of its ring, each tried; none of a backend that has no ring.
	Modes []api.RingMode
	// ZCRX says of each network interface whether zero-copy receives are to be had on it; none of a backend that never has them.
	ZCRX []api.ZCRX
}

// Probe tries every backend: those that are registered, and those of this module that are
// not, as unavailable with a *NotLinkedError. It takes some system calls for each.
func (r *Registry) Probe() []Status {
	var all []Status
	for _, name := range r.known()[1:] {
		s := Status{Name: name}
		d, err := r.Driver(name)
		if err == nil {
			s.Features, err = d.Probe()
		}
		if m, ok := d.(interface{ Modes() []api.RingMode }); ok && err == nil {
			s.Modes = m.Modes()
		}
		if z, ok := d.(interface{ ZCRX() []api.ZCRX }); ok && err == nil {
			s.ZCRX = z.ZCRX()
		}
		s.Available, s.Err = err == nil, err
		all = append(all, s)
	}
	return all
}

// Open makes an engine of the backend of that name. It never falls back from a name; Auto and "" are
// as the package says. A nil o stands for the defaults. Errors:
//   - *UnknownError, *NotLinkedError: there is no such backend, here
//   - *RefusedError: Auto found none
//   - those of Driver.Open.
func (r *Registry) Open(name string, o *api.Options) (api.Engine, error) {
	e, _, err := r.OpenWithReport(name, o)
	return e, err
}

// OpenWithReport is Open, and tells how the backend was chosen. The report is never nil, also
// when there is an error.
func (r *Registry) OpenWithReport(name string, o *api.Options) (api.Engine, *Report, error) {
	return r.pick(name, Require{}, o)
}

// Require is what a program cannot do without. The zero Require is nothing.
type Require struct {
	// Features must all work, natively or not.
	Features api.Feature
	// Ops must all work, natively or not.
	Ops api.OpSet
}

// Pick opens the first backend, in the order of Auto, that has what req says; SLUICE_BACKEND leaves it
// only that one to look at. The report is never nil. Errors are those of Open; a backend that is
// passed over because of req is refused with a *LackingError.
func (r *Registry) Pick(req Require, o *api.Options) (api.Engine, *Report, error) {
	return r.pick(Auto, req, o)
}

func (r *Registry) pick(name string, req Require, o *api.Options) (api.Engine, *Report, error) {
	rep := &Report{Asked: name}
	if name == "" || name == Auto {
		rep.Asked = Auto
		name = os.Getenv(Env)
		rep.FromEnv = name != "" && name != Auto
	}
	if name != "" && name != Auto {
		d, err := r.Driver(name)
		if err == nil {
			var e api.Engine
			if e, err = open(d, req, o); err == nil {
				rep.Chosen = name
				return e, rep, nil
			}
		}
		rep.refuse(name, err)
		if rep.FromEnv {
			err = &EnvError{Value: name, Err: err}
		}
		return nil, rep, err
	}
	for _, d := range r.all() {
		e, err := open(d, req, o)
		if err == nil {
			rep.Chosen = d.Name()
			return e, rep, nil
		}
		rep.refuse(d.Name(), err)
		if !passesOver(err) {
			return nil, rep, err
		}
	}
	return nil, rep, &RefusedError{Refused: rep.Refused}
}

// open opens an engine and looks whether it does what is required. The engine is asked and not
// Probe, because options may have switched something off.
func open(d Driver, req Require, o *api.Options) (api.Engine, error) {
	e, err := d.Open(o)
	if err != nil {
		return nil, err
	}
	if err := req.check(d.Name(), e.Features()); err != nil {
		_ = e.Close() // nothing was submitted; what it lacks is the error to report
		return nil, err
	}
	return e, nil
}

func (req Require) check(name string, f api.Features) error {
	lacks := &LackingError{
		Name:     name,
		Features: req.Features &^ (f.Native | f.Emulated),
		Ops:      req.Ops &^ (f.OpsNative | f.OpsEmulated),
	}
	if lacks.Features == 0 && lacks.Ops == 0 {
		return nil
	}
	return lacks
}

// Register adds a backend to the DefaultRegistry; see Registry.Register.
func Register(d Driver) { DefaultRegistry.Register(d) }

// Names are the backends that are linked; see Registry.Names.
func Names() []string { return DefaultRegistry.Names() }

// Check says whether a name can be opened in this program; see Registry.Check.
func Check(name string) error { return DefaultRegistry.Check(name) }

// Probe tries every backend; see Registry.Probe.
func Probe() []Status { return DefaultRegistry.Probe() }

// Open makes an engine; see Registry.Open.
func Open(name string, o *api.Options) (api.Engine, error) { return DefaultRegistry.Open(name, o) }

// OpenWithReport makes an engine and tells how it was chosen; see Registry.OpenWithReport.
func OpenWithReport(name string, o *api.Options) (api.Engine, *Report, error) {
	return DefaultRegistry.OpenWithReport(name, o)
}

// Pick opens the first backend that has what req says; see Registry.Pick.
func Pick(req Require, o *api.Options) (api.Engine, *Report, error) {
	return DefaultRegistry.Pick(req, o)
}
