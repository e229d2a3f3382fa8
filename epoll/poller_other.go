//go:build !linux

package epoll

import (
	"errors"
	"fmt"

	"github.com/sluiceio/sluice/internal/readiness"
)

func newPoller() (readiness.Poller, error) {
	return nil, fmt.Errorf("epoll: needs Linux: %w", errors.ErrUnsupported)
}
