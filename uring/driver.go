package uring

import "github.com/sluiceio/sluice/api"

// name is the backend's, in the registry and in errors.
const name = "uring"

// Driver is the entry of this backend in the registry. The zero value is ready.
type Driver struct{}

// Name is "uring".
func (Driver) Name() string { return name }

// Probe opens an engine, and closes it again, to find out what the kernel can do. The
// error is an *api.UnavailableError.
func (Driver) Probe() (api.Features, error) {
	e, err := New(nil)
	if err != nil {
		return api.Features{}, err
	}
	return e.Features(), e.Close()
}

// Open is New.
func (Driver) Open(o *api.Options) (api.Engine, error) { return New(o) }
