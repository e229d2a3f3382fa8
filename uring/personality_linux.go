package uring

import "github.com/sluiceio/sluice/internal/core"

var _ core.Personifier = (*driver)(nil)

// AddPersonality implements core.Personifier.
func (d *driver) AddPersonality() (uint16, error) {
	d.count.Enters++
	return d.ring.RegisterPersonality()
}

// DropPersonality implements core.Personifier. What is in the queue has been started, and goes first.
func (d *driver) DropPersonality(persona uint16) error {
	d.flushFirst()
	d.count.Enters++
	return d.ring.UnregisterPersonality(persona)
}
