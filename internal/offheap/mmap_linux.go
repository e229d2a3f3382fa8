package offheap

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mmap maps n bytes. A child that a fork makes does not have them: it would share the pages, and who of the two writes first would get others than those
// that the kernel has pinned for io_uring.
func (m *Map) mmap(n int, want Pages) error {
	var err error
	switch want {
	case Small:
		err = m.small(n)
	case Transparent:
		err = m.transparent(n)
	case Huge:
		err = m.huge(n)
	default:
		if m.huge(n) != nil && m.transparent(n) != nil {
			err = m.small(n)
		}
	}
	if err != nil {
		return err
	}
	if err := unix.Madvise(m.whole, unix.MADV_DONTFORK); err != nil {
		return errors.Join(os.NewSyscallError("madvise", err), free(m.whole))
	}
	return nil
}

func (m *Map) small(n int) (err error) {
	m.pages = Small
	m.whole, err = anonymous(round(n, pageSize()), 0)
	m.mem = m.whole
	return err
}

// transparent maps memory that begins where a huge page does, or none of them could be one.
func (m *Map) transparent(n int) error {
	size := hugeSize()
	if size == 0 {
		return os.NewSyscallError("madvise", unix.EINVAL)
	}
	n = round(n, size)
	all, err := anonymous(n+size, 0)
	if err != nil {
		return err
	}
	head := (size - int(address(all)%uintptr(size))) % size
	m.pages, m.mem, m.whole = Transparent, all[head:head+n:head+n], all[head:head+n]
	for _, rest := range [][]byte{all[:head], all[head+n:]} {
		if len(rest) > 0 {
			err = errors.Join(err, free(rest))
		}
	}
	if e := unix.Madvise(m.mem, unix.MADV_HUGEPAGE); e != nil {
		err = errors.Join(err, os.NewSyscallError("madvise", e))
	}
	if err != nil {
		return errors.Join(err, free(m.whole))
	}
	return nil
}

// huge maps pages that the administrator has set aside.
func (m *Map) huge(n int) (err error) {
	size := hugeSize()
	if size == 0 {
		return os.NewSyscallError("mmap", unix.EINVAL)
	}
	m.pages = Huge
	m.whole, err = anonymous(round(n, size), unix.MAP_HUGETLB)
	m.mem = m.whole
	return err
}

// hugeSize is the size of a huge page as /proc/meminfo has it, 0 when there are none.
func hugeSize() int {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	_, s, _ := strings.Cut(string(b), "\nHugepagesize:")
	s, _, _ = strings.Cut(s, "kB")
	kb, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || kb <= 0 || kb > hugeMax>>11 {
		return 0
	}
	return kb << 10
}
