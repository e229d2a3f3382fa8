package readiness

import "github.com/sluiceio/sluice/internal/core"

// Rearm implements core.Driver.
func (d *driver) Rearm(s *core.Slot) {
	f := d.file(s.Op.FD)
	d.unpark(f, s)
	d.soon.remove(s)
	s.Phase = 0
	d.run(f, s)
}
