package backend

import (
	"errors"
	"strconv"
	"strings"
	"syscall"

	"github.com/sluiceio/sluice/api"
)

func quote(s string) string { return strconv.Quote(s) }

// UnknownError says that no backend has this name.
type UnknownError struct {
	Name  string
	Known []string // what may be written in its stead
}

func (e *UnknownError) Error() string {
	return "sluice: unknown backend " + quote(e.Name) + ": known are " + strings.Join(e.Known, ", ")
}

// NotLinkedError says that the program was built without a backend of this module. It is
// api.ErrUnavailable.
type NotLinkedError struct {
	Name   string
	Linked []string // what the program has
}

func (e *NotLinkedError) Error() string {
	has := "it has none"
	if len(e.Linked) > 0 {
		has = "it has " + strings.Join(e.Linked, ", ")
	}
	return "sluice: backend " + e.Name + " is not linked into this program (" + has +
		"): import github.com/sluiceio/sluice/backend/all and build it without tags, or with the tag sluice_" + e.Name + " too"
}

// Is makes every NotLinkedError api.ErrUnavailable.
func (e *NotLinkedError) Is(target error) bool { return target == api.ErrUnavailable }

// LackingError says what a backend does not do although Pick requires it. It is
// api.ErrUnsupported and errors.ErrUnsupported.
type LackingError struct {
	Name     string
	Features api.Feature
	Ops      api.OpSet
}

func (e *LackingError) Error() string {
	var lacks []string
	if e.Features != 0 {
		lacks = append(lacks, "features "+e.Features.String())
	}
	if e.Ops != 0 {
		lacks = append(lacks, "operations "+strings.Join(opNames(e.Ops), ","))
	}
	return "sluice: backend " + e.Name + " lacks " + strings.Join(lacks, " and ")
}

// Is makes every LackingError api.ErrUnsupported.
func (e *LackingError) Is(target error) bool {
	return target == api.ErrUnsupported || target == errors.ErrUnsupported
}

func opNames(s api.OpSet) []string {
	var names []string
	for c := range api.OpCode(api.OpCount) {
		if s.Has(c) {
			names = append(names, c.String())
		}
	}
	return names
}

// EnvError says that SLUICE_BACKEND is to blame for Err.
type EnvError struct {
	Value string
	Err   error
}

func (e *EnvError) Error() string {
	return e.Err.Error() + " (" + Env + " is " + quote(e.Value) + ")"
}

// Unwrap gives the error of the backend that the variable names.
func (e *EnvError) Unwrap() error { return e.Err }

// RefusedError says that no backend could be opened, and for each one why. It is
// api.ErrUnavailable, and each of the reasons.
type RefusedError struct {
	Refused []Refusal
}

func (e *RefusedError) Error() string {
	if len(e.Refused) == 0 {
		return "sluice: no backend is linked into this program: import github.com/sluiceio/sluice/backend/all"
	}
	var why []string
	for _, r := range e.Refused {
		why = append(why, r.String())
	}
	return "sluice: no backend can be used: " + strings.Join(why, "; ")
}

// Unwrap gives the reasons.
func (e *RefusedError) Unwrap() []error {
	var errs []error
	for _, r := range e.Refused {
		errs = append(errs, r.Err)
	}
	return errs
}

// Is makes every RefusedError api.ErrUnavailable.
func (e *RefusedError) Is(target error) bool { return target == api.ErrUnavailable }

// Refusal says why a backend was passed over.
type Refusal struct {
	Name string
	Err  error
}

// String is the name and the reason, without what is said of every error of this module.
func (r Refusal) String() string {
	var u *api.UnavailableError
	if errors.As(r.Err, &u) && u.Backend == r.Name {
		s := u.Reason
		if u.Hint != "" {
			s += " (" + u.Hint + ")"
		}
		return r.Name + ": " + s
	}
	return r.Name + ": " + strings.TrimPrefix(r.Err.Error(), "sluice: ")
}

// Report tells how a backend was chosen.
type Report struct {
	// Asked is the name that was asked for, "auto" for the empty one.
	Asked string
	// FromEnv says that SLUICE_BACKEND decided.
	FromEnv bool
	// Chosen is the backend that was opened, "" if none was.
	Chosen string
	// Refused are those that were tried before, in order, and why they were passed over.
	Refused []Refusal
}

func (r *Report) refuse(name string, err error) {
	r.Refused = append(r.Refused, Refusal{Name: name, Err: err})
}

// String is one line for a log: "epoll (auto; uring: io_uring_setup: operation not permitted)".
func (r *Report) String() string {
	s := r.Chosen
	if s == "" {
		s = "none"
	}
	var notes []string
	if r.Asked == Auto {
		if r.FromEnv {
			notes = append(notes, Env)
		} else {
			notes = append(notes, Auto)
		}
	}
	for _, x := range r.Refused {
		notes = append(notes, x.String())
	}
	if len(notes) > 0 {
		s += " (" + strings.Join(notes, "; ") + ")"
	}
	return s
}

// passesOver says whether Auto goes on to the next backend after an error of Open: where this one
// cannot be had, and another one may be. These are the errnos with which kernels, seccomp
// filters and cloud sandboxes have been seen to refuse io_uring_setup (EOPNOTSUPP by one of them).
func passesOver(err error) bool {
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return false // every backend needs an fd; the program must hear of it
	case errors.Is(err, api.ErrInvalidOption):
		return false
	case errors.Is(err, api.ErrUnavailable), errors.Is(err, errors.ErrUnsupported):
		return true // also ENOSYS, ENOTSUP and EOPNOTSUPP
	}
	for _, errno := range []syscall.Errno{syscall.EPERM, syscall.EACCES, syscall.EINVAL, syscall.ENOMEM} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
