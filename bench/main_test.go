//go:build unix

package bench

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/backend"
)

func TestMain(m *testing.M) {
	if args := os.Getenv(clientEnv); args != "" {
		os.Exit(clientMain(args))
	}
	flag.Parse()
	if f := flag.Lookup("test.bench"); f != nil && f.Value.String() != "" {
		facts()
	}
	status := m.Run()
	removeFile()
	os.Exit(status)
}

// facts prints, as configuration lines of the benchmark format, what results depend on and go test does not
// tell, and why a backend is skipped: testing keeps the reason of a skipped benchmark to itself.
func facts() {
	fmt.Printf("go: %s\ngomaxprocs: %d\n", runtime.Version(), runtime.GOMAXPROCS(0))
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		fmt.Printf("kernel: %s %s\n", unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]))
	}
	for _, s := range backend.DefaultRegistry.Probe() {
		if s.Available {
			fmt.Printf("backend-%s: native %v; emulated %v\n", s.Name, s.Features.Native, s.Features.Emulated)
		} else {
			fmt.Printf("backend-%s: skipped: %v\n", s.Name, s.Err)
		}
	}
	if e, err := backend.Open(backend.Auto, nil); err == nil {
		fmt.Printf("client: %s\n", e.Name())
		_ = e.Close() // nothing is in flight
	}
}
