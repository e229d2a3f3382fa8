package conformance

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// mapped is what the process has mapped, as far as an engine may have done so.
type mapped struct {
	// files are bytes, by path, of what no program maps by the way: rings of io_uring and other files that only have an fd, shared memory, and huge
	// pages. Their mappings are not counted, since the kernel makes one of two that are neighbours.
	files map[string]int64
	// anonymous counts bytes, those of Go's heap and of its threads among them.
	anonymous int64
}

// growths is how often a case is run again that has left anonymous memory behind, which may be Go's own: a heap that grows, or a thread more.
// Only what grows each time is a leak. They are many because how many threads a case takes is chance: three runs in which there are more
// of them than ever before are no wonder, and seven are.
const growths = 7

// mappedNow are the mappings of the process. There are none where the platform does not tell. What it returns may be what it has returned before,
// and must not be changed.
func mappedNow() mapped {
	lastMapped.Lock()
	defer lastMapped.Unlock()
	// The sign is taken first: what changes between the two is seen next time.
	sign, ok := mapSign()
	if ok && lastMapped.known && bytes.Equal(sign, lastMapped.sign) {
		return lastMapped.mapped
	}
	m := readMaps()
	lastMapped.mapped, lastMapped.sign, lastMapped.known = m, sign, ok
	return m
}

// lastMapped is what was read last, and the sign of it. A list of thousands of mappings, as the race detector has them and a process with many
// threads, takes milliseconds, and after almost all cases it is as before them.
var lastMapped struct {
	sync.Mutex
	known  bool
	sign   []byte
	mapped mapped
}

func readMaps() mapped {
	m := mapped{files: map[string]int64{}}
	list, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return m
	}
	for line := range strings.Lines(string(list)) {
		// A mapping without a path ends with the space behind its inode. A race build does not ask for them (see grown), and has thousands.
		if !raceBuild || !strings.HasSuffix(line, " \n") {
			m.add(line)
		}
	}
	return m
}

// add counts one line of proc_pid_maps(5): addresses, permissions, offset, device, inode, and a path if there is one.
func (m *mapped) add(line string) {
	f := strings.Fields(line)
	if len(f) < 5 {
		return
	}
	from, to, _ := strings.Cut(f[0], "-")
	a, errA := strconv.ParseUint(from, 16, 64)
	b, errB := strconv.ParseUint(to, 16, 64)
	if errA != nil || errB != nil {
		return
	}
	path := strings.Join(f[5:], " ")
	switch {
	case slices.ContainsFunc(fileMappings, func(p string) bool { return strings.HasPrefix(path, p) }):
		m.files[path] += int64(b - a)
	case path == "" || strings.HasPrefix(path, "[anon:") && !strings.HasPrefix(path, "[anon: Go"):
		m.anonymous += int64(b - a)
	}
}

// fileMappings are what the paths in mapped.files begin with.
var fileMappings = []string{"anon_inode:", "/memfd:", "/dev/zero", "/anon_hugepage", "/SYSV"}

// more says of which files there is more mapped than in was.
func (m mapped) more(was mapped) (out []string) {
	for path, n := range m.files {
		if n > was.files[path] {
			out = append(out, fmt.Sprintf("%d KiB in mappings of %s, were %d", n>>10, path, was.files[path]>>10))
		}
	}
	return out
}

// grown is how many bytes of anonymous memory are mapped more than at the snapshot. Memory that an engine leaves to the garbage collector counts only if that does
// not find it. In a race build it says nothing: the race detector maps memory of its own for what it has seen, and a case that is run again shows it more.
func (s *snapshot) grown() int64 {
	if raceBuild {
		return 0
	}
	n := mappedNow().anonymous - s.mapped.anonymous
	if n > 0 {
		runtime.GC()
		n = mappedNow().anonymous - s.mapped.anonymous
	}
	return max(n, 0)
}
