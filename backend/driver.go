package backend

import "github.com/sluiceio/sluice/api"

// Driver makes engines of one kind. It holds no state: its methods are safe for concurrent use.
type Driver interface {
	// Name is what the backend is called: a short word in lower case.
	Name() string

	// Probe says what an engine opened with default options could do here. It leaves nothing open.
	// An error says why none can be opened, as Open would.
	Probe() (api.Features, error)

	// Open makes an engine. A nil o stands for the defaults. Errors:
	//   - *api.OptionError: an option is out of range
	//   - *api.UnavailableError: this machine does not have, or does not allow, the backend
	//   - others: the set-up failed, EMFILE say.
	Open(o *api.Options) (api.Engine, error)
}
