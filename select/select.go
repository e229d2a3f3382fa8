package fdselect

import (
	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/readiness"
)

// name is what the backend is called in package backend.
const name = "select"

// New opens an engine. A nil o stands for the defaults. Errors:
//   - *api.OptionError: an option is out of range
//   - *api.UnavailableError: the system does not have select, or is out of fds.
func New(o *api.Options) (api.Engine, error) {
	p, err := open()
	if err != nil {
		return nil, err
	}
	return readiness.New(name, o, p)
}

func open() (readiness.Poller, error) {
	p, err := newPoller()
	if err != nil {
		return nil, readiness.Unavailable(name, err, "it needs a unix")
	}
	return p, nil
}
