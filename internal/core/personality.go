package core

import (
	"slices"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/optab"
)

// Personifier is what a Driver is, too, when it can perform operations with credentials that were registered before.
type Personifier interface {
	// AddPersonality registers those of the calling thread, and returns a number that is not 0, for Slot.Persona.
	AddPersonality() (uint16, error)
	// DropPersonality drops it. Operations that were handed to Start before go on with it.
	DropPersonality(persona uint16) error
}

// personasMax is how many can be registered: api.Personality is a byte, and 0 is none.
const personasMax = 255

// RegisterPersonality implements api.Engine.
func (e *Engine) RegisterPersonality() (api.Personality, error) {
	if err := e.enter(); err != nil {
		return 0, err
	}
	p, ok := e.drv.(Personifier)
	if !ok {
		return 0, &api.UnsupportedError{Feature: api.FeatPersonality,
			Reason: "a system call has the credentials of its thread, and a thread cannot be given those of another time; backend uring has it"}
	}
	if r := e.opt.Restrict; r != 0 && r&optab.Personal == 0 {
		return 0, &api.UnsupportedError{Feature: api.FeatPersonality, Reason: "Options.Restrict leaves out all operations that take one"}
	}
	i := slices.Index(e.personas, 0)
	if i < 0 {
		if i = len(e.personas); i == personasMax {
			return 0, syscall.ENOSPC
		}
		e.personas = append(e.personas, 0)
	}
	persona, err := p.AddPersonality()
	if err != nil {
		return 0, err
	}
	e.personas[i] = persona
	return api.Personality(i + 1), nil
}

// UnregisterPersonality implements api.Engine.
func (e *Engine) UnregisterPersonality(p api.Personality) error {
	if err := e.enter(); err != nil {
		return err
	}
	persona := e.persona(p)
	if persona == 0 {
		return syscall.EINVAL
	}
	e.personas[p-1] = 0
	return e.drv.(Personifier).DropPersonality(persona)
}

// persona is the driver's number of a personality, 0 if there is none such.
func (e *Engine) persona(p api.Personality) uint16 {
	if p == 0 || int(p) > len(e.personas) {
		return 0
	}
	return e.personas[p-1]
}
