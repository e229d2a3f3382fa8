//go:build unix && !linux

package offheap

import (
	"errors"
	"fmt"
)

// mmap maps n bytes. Huge pages are the system's own business.
func (m *Map) mmap(n int, want Pages) (err error) {
	if want == Transparent || want == Huge {
		return fmt.Errorf("huge pages: %w", errors.ErrUnsupported)
	}
	m.whole, err = anonymous(round(n, pageSize()), 0)
	m.mem = m.whole
	return err
}
