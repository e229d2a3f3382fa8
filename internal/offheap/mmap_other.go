//go:build !unix && !windows

package offheap

import (
	"errors"
	"fmt"
)

func (m *Map) mmap(int, Pages) error {
	return fmt.Errorf("memory outside of the Go heap: %w", errors.ErrUnsupported)
}

func (m *Map) munmap() error { return nil }
