package epoll

import (
	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/readiness"
)

// Driver is the backend as package backend knows it. The zero value is ready.
type Driver struct{}

// Name is "epoll".
func (Driver) Name() string { return name }

// Probe says whether an engine can be opened here, and what it would do.
func (Driver) Probe() (api.Features, error) {
	p, err := open()
	if err != nil {
		return api.Features{}, err
	}
	parks := p.PollFD() >= 0
	return readiness.Features(parks), p.Close()
}

// Open is New.
func (Driver) Open(o *api.Options) (api.Engine, error) { return New(o) }
