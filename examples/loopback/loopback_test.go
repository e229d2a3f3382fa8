package loopback_test

import (
	"testing"

	"github.com/sluiceio/sluice/conformance"
	"github.com/sluiceio/sluice/examples/loopback"
)

// noBootClock is why two cases are left out.
const noBootClock = "the standard library does not read CLOCK_BOOTTIME, so that a timeout by it is EINVAL"

func TestConformance(t *testing.T) {
	n := loopback.NewNet()
	conformance.Run(t, n.Open, &conformance.Config{
		Streams: n,
		Skip:    map[string]string{"TMO-21-boottime": noBootClock, "TMO-26-boottime": noBootClock},
	})
}

func TestAllocs(t *testing.T) {
	n := loopback.NewNet()
	conformance.RunAllocs(t, n.Open, &conformance.Config{Streams: n})
}
