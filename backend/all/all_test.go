package all

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/backend"
)

// linkedBy are the backends that the build with these tags links.
func linkedBy(t *testing.T, tags string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-tags", tags, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list -tags %q: %v\n%s", tags, err, out)
	}
	var linked []string
	for _, p := range strings.Fields(string(out)) {
		dir, name := path.Split(p)
		if dir == "github.com/sluiceio/sluice/" && name != "api" && name != "backend" {
			linked = append(linked, name)
		}
	}
	slices.Sort(linked)
	return linked
}

func TestTags(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command: ", err)
	}
	for _, c := range []struct{ tags, want string }{
		{"", "epoll poll select uring"},
		{"other", "epoll poll select uring"},
		{"sluice_uring", "uring"},
		{"sluice_epoll", "epoll"},
		{"sluice_poll", "poll"},
		{"sluice_select", "select"},
		{"sluice_epoll,sluice_select", "epoll select"},
		{"sluice_uring,sluice_epoll,sluice_poll", "epoll poll uring"},
		{"sluice_uring,sluice_epoll,sluice_poll,sluice_select", "epoll poll select uring"},
	} {
		t.Run("tags="+c.tags, func(t *testing.T) {
			if got := strings.Join(linkedBy(t, c.tags), " "); got != c.want {
				t.Errorf("links %q, want %q", got, c.want)
			}
		})
	}
}

func TestDrivers(t *testing.T) {
	var names []string
	for _, d := range Drivers() {
		names = append(names, d.Name())
		if got, err := backend.DefaultRegistry.Driver(d.Name()); err != nil || got != d {
			t.Errorf("%s: the registry has %v, %v", d.Name(), got, err)
		}
	}
	if !slices.Equal(names, backend.Names()) || len(names) == 0 {
		t.Errorf("Drivers are %v, the registry has %v", names, backend.Names())
	}
}
