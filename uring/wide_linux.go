package uring

import (
	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/iouring"
)

// sizes are those of completions, by Options.Ring.Completions.
var sizes = [...]struct {
	flag      uint32
	minKernel string
}{
	api.CompletionsDefault: {},
	api.CompletionsMixed:   {iouring.IORING_SETUP_CQE_MIXED, "6.18"},
	api.CompletionsWide:    {iouring.IORING_SETUP_CQE32, "5.19"},
}

// cqEntries is the size of the completion queue. One that may have to hold a large completion has two entries at least.
func cqEntries(o *api.Options) uint32 {
	if o.Ring.Completions == api.CompletionsMixed {
		return uint32(max(o.CQEntries, 2))
	}
	return uint32(o.CQEntries)
}
