//go:build !unix

package fdselect

import (
	"errors"
	"fmt"

	"github.com/sluiceio/sluice/internal/readiness"
)

func newPoller() (readiness.Poller, error) {
	return nil, fmt.Errorf("select: needs a unix: %w", errors.ErrUnsupported)
}
