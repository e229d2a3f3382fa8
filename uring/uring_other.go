//go:build !linux

package uring

import "github.com/sluiceio/sluice/api"

// New says that there is no io_uring on this system.
func New(*api.Options) (api.Engine, error) {
	return nil, &api.UnavailableError{Backend: name, Reason: "only Linux has io_uring"}
}
