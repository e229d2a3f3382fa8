package core

import "github.com/sluiceio/sluice/api"

func missing(f api.Feature) error { return &api.UnsupportedError{Feature: f} }

// SetFileRange implements api.Engine.
func (e *Engine) SetFileRange(at, n int) error { return missing(api.FeatDirectFiles) }

// RegisterBuffers implements api.Engine.
func (e *Engine) RegisterBuffers(bufs [][]byte) error { return missing(api.FeatFixedBuffers) }

// UpdateBuffers implements api.Engine.
func (e *Engine) UpdateBuffers(at int, bufs [][]byte) (int, error) {
	return 0, missing(api.FeatFixedBuffers)
}

// UnregisterBuffers implements api.Engine.
func (e *Engine) UnregisterBuffers() error { return missing(api.FeatFixedBuffers) }

// CloneBuffers implements api.Engine.
func (e *Engine) CloneBuffers(from api.Engine) error { return missing(api.FeatCloneBuffers) }

// Resize implements api.BufferGroup.
func (g *Group) Resize(count int) error { return missing(api.FeatGroupResize) }

// Get implements api.BufferGroup.
func (g *Group) Get() (buf []byte, l api.Lease, ok bool) { return nil, 0, false }

// Queue implements api.BufferGroup.
func (g *Group) Queue(l api.Lease, n int) error { return missing(api.FeatBundles) }

// Queued implements api.BufferGroup.
func (g *Group) Queued() int { return 0 }

// Todo are the features that no engine has yet.
const Todo = api.FeatDirectFiles | api.FeatFixedBuffers | api.FeatCloneBuffers | api.FeatIncremental | api.FeatBundles | api.FeatGroupResize |
	api.FeatMultishotRecvMsg | api.FeatMultishotRead | api.FeatZeroCopy
