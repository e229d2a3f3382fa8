package backend

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/sluiceio/sluice/api"
)

// fake is a backend without a kernel. Its engines know nothing but what the registry asks them.
type fake struct {
	name   string
	err    error
	feats  api.Features
	opened *[]*fakeEngine
}

type fakeEngine struct {
	api.Engine // nil: any other call panics, and fails the test
	d          fake
	opt        *api.Options
	closed     bool
}

func (f fake) Name() string                 { return f.name }
func (f fake) Probe() (api.Features, error) { return f.feats, f.err }
func (f fake) Open(o *api.Options) (api.Engine, error) {
	if f.err != nil {
		return nil, f.err
	}
	e := &fakeEngine{d: f, opt: o}
	if f.opened != nil {
		*f.opened = append(*f.opened, e)
	}
	return e, nil
}
func (e *fakeEngine) Name() string           { return e.d.name }
func (e *fakeEngine) Features() api.Features { return e.d.feats }
func (e *fakeEngine) Close() error           { e.closed = true; return nil }

func registry(t *testing.T, drivers ...Driver) *Registry {
	t.Helper()
	t.Setenv(Env, "")
	r := &Registry{}
	for _, d := range drivers {
		r.Register(d)
	}
	return r
}

func wantPanic(t *testing.T, text string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := fmt.Sprint(recover()); !strings.Contains(got, text) {
			t.Errorf("panic = %q, want one with %q", got, text)
		}
	}()
	f()
}

func TestRegister(t *testing.T) {
	r := registry(t, fake{name: "mine"}, fake{name: "select"}, fake{name: "epoll"}, fake{name: "another"}, fake{name: "uring"})
	if got, want := strings.Join(r.Names(), " "), "uring epoll select mine another"; got != want {
		t.Errorf("Names = %s, want %s", got, want)
	}
	wantPanic(t, "nil Driver", func() { r.Register(nil) })
	wantPanic(t, "twice for epoll", func() { r.Register(fake{name: "epoll"}) })
	wantPanic(t, "reserved", func() { r.Register(fake{name: "auto"}) })
	wantPanic(t, "reserved", func() { r.Register(fake{}) })
}

var (
	refused = &api.UnavailableError{Backend: "uring", Reason: "io_uring_setup: operation not permitted", Hint: "allow it", Err: syscall.EPERM}
	option  = &api.OptionError{Option: "Workers", Reason: "out of range"}
)

func TestOpen(t *testing.T) {
	var unknown *UnknownError
	var notLinked *NotLinkedError
	var none *RefusedError
	var env *EnvError
	for _, c := range []struct {
		name    string
		drivers []Driver
		ask     string
		env     string
		chosen  string
		refused string // names, in order
		is      error
		as      any
		text    string
	}{
		{name: "auto takes the first", drivers: []Driver{fake{name: "epoll"}, fake{name: "uring"}}, ask: "auto", chosen: "uring"},
		{name: "empty is auto", drivers: []Driver{fake{name: "poll"}}, chosen: "poll"},
		{name: "auto falls back", drivers: []Driver{fake{name: "uring", err: refused}, fake{name: "epoll", err: os.NewSyscallError("epoll_create1", syscall.ENOSYS)}, fake{name: "poll"}}, ask: "auto", chosen: "poll", refused: "uring epoll"},
		{name: "ENOMEM", drivers: []Driver{fake{name: "uring", err: syscall.ENOMEM}, fake{name: "epoll"}}, chosen: "epoll", refused: "uring"},
		{name: "EINVAL", drivers: []Driver{fake{name: "uring", err: syscall.EINVAL}, fake{name: "epoll"}}, chosen: "epoll", refused: "uring"},
		{name: "EACCES", drivers: []Driver{fake{name: "uring", err: syscall.EACCES}, fake{name: "epoll"}}, chosen: "epoll", refused: "uring"},
		{name: "EOPNOTSUPP", drivers: []Driver{fake{name: "uring", err: syscall.EOPNOTSUPP}, fake{name: "epoll"}}, chosen: "epoll", refused: "uring"},
		{name: "EMFILE is not passed over", drivers: []Driver{fake{name: "uring", err: &api.UnavailableError{Backend: "uring", Err: syscall.EMFILE}}, fake{name: "epoll"}}, refused: "uring", is: syscall.EMFILE},
		{name: "ENFILE is not passed over", drivers: []Driver{fake{name: "uring", err: syscall.ENFILE}, fake{name: "epoll"}}, refused: "uring", is: syscall.ENFILE},
		{name: "a wrong option is not passed over", drivers: []Driver{fake{name: "uring", err: option}, fake{name: "epoll"}}, refused: "uring", is: api.ErrInvalidOption},
		{name: "an unknown failure is not passed over", drivers: []Driver{fake{name: "uring", err: io.ErrUnexpectedEOF}, fake{name: "epoll"}}, refused: "uring", is: io.ErrUnexpectedEOF},
		{name: "all refuse", drivers: []Driver{fake{name: "uring", err: refused}, fake{name: "poll", err: syscall.ENOSYS}}, ask: "auto", refused: "uring poll", is: syscall.EPERM, as: &none,
			text: "sluice: no backend can be used: uring: io_uring_setup: operation not permitted (allow it); poll: function not implemented"},
		{name: "none linked", ask: "auto", is: api.ErrUnavailable, as: &none, text: "sluice: no backend is linked into this program: import github.com/sluiceio/sluice/backend/all"},
		{name: "a name is strict", drivers: []Driver{fake{name: "uring", err: refused}, fake{name: "epoll"}}, ask: "uring", refused: "uring", is: api.ErrUnavailable, text: refused.Error()},
		{name: "a name", drivers: []Driver{fake{name: "uring"}, fake{name: "mine"}}, ask: "mine", chosen: "mine"},
		{name: "a name beats the environment", drivers: []Driver{fake{name: "uring"}, fake{name: "epoll"}}, ask: "epoll", env: "uring", chosen: "epoll"},
		{name: "the environment decides auto", drivers: []Driver{fake{name: "uring"}, fake{name: "epoll"}}, ask: "auto", env: "epoll", chosen: "epoll"},
		{name: "auto in the environment", drivers: []Driver{fake{name: "uring"}}, ask: "auto", env: "auto", chosen: "uring"},
		{name: "the environment is strict", drivers: []Driver{fake{name: "uring", err: refused}, fake{name: "epoll"}}, env: "uring", refused: "uring", is: syscall.EPERM, as: &env, text: refused.Error() + ` (SLUICE_BACKEND is "uring")`},
		{name: "nonsense in the environment", drivers: []Driver{fake{name: "uring"}}, env: "kqueue", refused: "kqueue", as: &unknown, text: `sluice: unknown backend "kqueue": known are auto, uring, epoll, poll, select (SLUICE_BACKEND is "kqueue")`},
		{name: "unknown", drivers: []Driver{fake{name: "uring"}, fake{name: "mine"}}, ask: "Uring", refused: "Uring", as: &unknown, text: `sluice: unknown backend "Uring": known are auto, uring, epoll, poll, select, mine`},
		{name: "not linked", drivers: []Driver{fake{name: "epoll"}, fake{name: "poll"}}, ask: "uring", refused: "uring", is: api.ErrUnavailable, as: &notLinked,
			text: "sluice: backend uring is not linked into this program (it has epoll, poll): import github.com/sluiceio/sluice/backend/all and build it without tags, or with the tag sluice_uring too"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := registry(t, c.drivers...)
			t.Setenv(Env, c.env)
			e, rep, err := r.OpenWithReport(c.ask, nil)
			if (err == nil) != (c.chosen != "") || (e != nil) != (c.chosen != "") {
				t.Fatalf("engine %v, error %v, want backend %q", e, err, c.chosen)
			}
			if rep.Chosen != c.chosen || e != nil && e.Name() != c.chosen {
				t.Errorf("chosen %q, want %q", rep.Chosen, c.chosen)
			}
			var names []string
			for _, x := range rep.Refused {
				names = append(names, x.Name)
			}
			if got := strings.Join(names, " "); got != c.refused {
				t.Errorf("refused %q, want %q", got, c.refused)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error %v is not %v", err, c.is)
			}
			if c.as != nil && !errors.As(err, c.as) {
				t.Errorf("error %v is not a %T", err, c.as)
			}
			if c.text != "" && err.Error() != c.text {
				t.Errorf("error\n %s\nwant\n %s", err, c.text)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("error of more than one line: %q", err)
			}
		})
	}
}

func TestOpenPassesOptions(t *testing.T) {
	var opened []*fakeEngine
	r := registry(t, fake{name: "uring", opened: &opened})
	o := &api.Options{Workers: 3}
	if _, err := r.Open("uring", o); err != nil || opened[0].opt != o {
		t.Errorf("the driver got %v, want the caller's options; error %v", opened, err)
	}
}

func TestReportString(t *testing.T) {
	r := registry(t, fake{name: "uring", err: refused}, fake{name: "epoll"})
	_, rep, _ := r.OpenWithReport("auto", nil)
	if got, want := rep.String(), "epoll (auto; uring: io_uring_setup: operation not permitted (allow it))"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	_, rep, _ = r.OpenWithReport("epoll", nil)
	if got, want := rep.String(), "epoll"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	t.Setenv(Env, "epoll")
	_, rep, _ = r.OpenWithReport("", nil)
	if got, want := rep.String(), "epoll (SLUICE_BACKEND)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPick(t *testing.T) {
	var opened []*fakeEngine
	some := api.Features{Native: api.FeatBufferGroups, OpsNative: api.Ops(api.OpRecv)}
	more := api.Features{Emulated: api.FeatBufferGroups | api.FeatPark, OpsEmulated: api.Ops(api.OpRecv, api.OpSplice)}
	r := registry(t, fake{name: "uring", feats: some, opened: &opened}, fake{name: "epoll", feats: more, opened: &opened})

	e, rep, err := r.Pick(Require{Features: api.FeatBufferGroups}, nil)
	if err != nil || e.Name() != "uring" {
		t.Errorf("got %v, %v, want uring", rep, err)
	}

	e, rep, err = r.Pick(Require{Features: api.FeatBufferGroups | api.FeatPark, Ops: api.Ops(api.OpRecv, api.OpSplice)}, nil)
	if err != nil || e.Name() != "epoll" {
		t.Fatalf("got %v, %v, want epoll", rep, err)
	}
	var lacks *LackingError
	if len(rep.Refused) != 1 || !errors.As(rep.Refused[0].Err, &lacks) || lacks.Features != api.FeatPark || lacks.Ops != api.Ops(api.OpSplice) {
		t.Errorf("refused %v, want uring for park and splice", rep.Refused)
	}
	if got, want := lacks.Error(), "sluice: backend uring lacks features park and operations splice"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !opened[1].closed || opened[2].closed {
		t.Error("the engine that was passed over must be closed, and the other one not")
	}

	_, _, err = r.Pick(Require{Ops: api.Ops(api.OpPipe)}, nil)
	var none *RefusedError
	if !errors.As(err, &none) || len(none.Refused) != 2 || !errors.Is(err, api.ErrUnsupported) || !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("got %v, want both refused", err)
	}

	t.Setenv(Env, "uring")
	if _, _, err = r.Pick(Require{Features: api.FeatPark}, nil); !errors.As(err, &lacks) {
		t.Errorf("got %v: SLUICE_BACKEND must not be passed over", err)
	}
}

func TestProbe(t *testing.T) {
	f := api.Features{Native: api.FeatOrdered}
	r := registry(t, fake{name: "uring", err: refused}, fake{name: "epoll", feats: f}, fake{name: "mine"})
	var got []string
	for _, s := range r.Probe() {
		got = append(got, fmt.Sprintf("%s %v %v", s.Name, s.Available, s.Features.Feature(api.FeatOrdered)))
		if (s.Err == nil) != s.Available {
			t.Errorf("%s: available %v, error %v", s.Name, s.Available, s.Err)
		}
	}
	want := "uring false absent, epoll true native, poll false absent, select false absent, mine true absent"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got %s, want %s", s, want)
	}
}

func TestFlag(t *testing.T) {
	fs := flag.NewFlagSet("x", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	name := Flag(fs)
	if *name != Auto {
		t.Errorf("default %q, want auto", *name)
	}
	if err := fs.Parse([]string{"-backend", "nonsense"}); err == nil || !strings.Contains(err.Error(), "known are auto") {
		t.Errorf("got %v, want the known names", err)
	}
	if err := fs.Parse([]string{"-backend", "auto"}); err != nil || *name != Auto {
		t.Errorf("got %q, %v", *name, err)
	}
	var v Value
	var unknown *UnknownError
	var notLinked *NotLinkedError
	if err := v.Set("nonsense"); !errors.As(err, &unknown) {
		t.Errorf("got %v, want an UnknownError", err)
	}
	if err := v.Set("uring"); !errors.As(err, &notLinked) { // this package links none
		t.Errorf("got %v, want a NotLinkedError", err)
	}
	if err := v.Set(""); err != nil || v != Auto || v.Type() != "name" {
		t.Errorf("got %q, %v, want auto", v, err)
	}
}
