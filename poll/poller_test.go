//go:build unix

package poll

import (
	"testing"

	"github.com/sluiceio/sluice/internal/readiness/pollertest"
)

func TestPoller(t *testing.T) { pollertest.Run(t, newPoller) }

func BenchmarkPoller(b *testing.B) { pollertest.Bench(b, newPoller) }
