// Package all links the backends into a program: importing it registers them with
// package backend.
//
//	import _ "github.com/sluiceio/sluice/backend/all"
//
// The build tags sluice_uring, sluice_epoll, sluice_poll and sluice_select link only the
// ones they name, and several may be given; without any of them all four are linked. The code of
// the others is then not in the binary, and auto chooses among those that are.
package all

import (
	"slices"

	"github.com/sluiceio/sluice/backend"
)

var linked []backend.Driver // written by the init functions alone

func link(d backend.Driver) {
	linked = append(linked, d)
	backend.Register(d)
}

// Drivers are the backends that this build links, in the order of auto.
func Drivers() []backend.Driver {
	names := backend.Names()
	drivers := slices.Clone(linked)
	slices.SortFunc(drivers, func(a, b backend.Driver) int {
		return slices.Index(names, a.Name()) - slices.Index(names, b.Name())
	})
	return drivers
}
