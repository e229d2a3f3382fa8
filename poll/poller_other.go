//go:build !unix

package poll

import (
	"errors"
	"fmt"

	"github.com/sluiceio/sluice/internal/readiness"
)

func newPoller() (readiness.Poller, error) {
	return nil, fmt.Errorf("poll: needs a unix: %w", errors.ErrUnsupported)
}
