//go:build linux

package conformance_test

import (
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/conformance"
	"github.com/sluiceio/sluice/internal/optab"
)

// TestEveryOperationHasACase: what is called done in the table is used by a case, which says so.
func TestEveryOperationHasACase(t *testing.T) {
	var used api.OpSet
	for _, c := range conformance.Cases() {
		used |= c.Ops
	}
	if lacks := optab.Done() &^ used; lacks != 0 {
		t.Errorf("no case has these in Case.Ops: %v", lacks)
	}
}
