package core

import "github.com/sluiceio/sluice/api"

func missing(f api.Feature) error { return &api.UnsupportedError{Feature: f} }

// Get implements api.BufferGroup.
func (g *Group) Get() (buf []byte, l api.Lease, ok bool) { return nil, 0, false }

// Queue implements api.BufferGroup.
func (g *Group) Queue(l api.Lease, n int) error { return missing(api.FeatBundles) }

// Queued implements api.BufferGroup.
func (g *Group) Queued() int { return 0 }

// Todo are the features that no engine has yet.
const Todo = api.FeatZeroCopy
