package api

import "sync/atomic"

// Unsupported has every method of Engine that is about a feature which an engine may lack, and refuses it with an *UnsupportedError.
// It is for those who write an engine: embed it, and write the methods of what the engine does have.
// An engine that embeds it goes on compiling when Engine gets a method for a new feature. The zero value is ready to use; all methods may
// be called by any goroutine.
type Unsupported struct{ closed atomic.Bool }

// unsupportedReason is what each error says.
const unsupportedReason = "this engine does not do it"

// Shut has all methods return ErrClosed from now on. Engine.Close calls it.
func (u *Unsupported) Shut() { u.closed.Store(true) }

func (u *Unsupported) refuse(f Feature) error {
	if u.closed.Load() {
		return ErrClosed
	}
	return &UnsupportedError{Feature: f, Reason: unsupportedReason}
}

// Post refuses FeatPost.
func (u *Unsupported) Post(uint64, int32) error { return u.refuse(FeatPost) }

// RegisterFiles refuses FeatFixedFiles.
func (u *Unsupported) RegisterFiles([]int) error { return u.refuse(FeatFixedFiles) }

// UpdateFiles refuses FeatFixedFiles.
func (u *Unsupported) UpdateFiles(int, []int) (int, error) { return 0, u.refuse(FeatFixedFiles) }

// UnregisterFiles refuses FeatFixedFiles.
func (u *Unsupported) UnregisterFiles() error { return u.refuse(FeatFixedFiles) }

// InstallFile refuses FeatFixedFiles.
func (u *Unsupported) InstallFile(int, int) (int, error) { return 0, u.refuse(FeatFixedFiles) }

// SetFileRange refuses FeatDirectFiles.
func (u *Unsupported) SetFileRange(int, int) error { return u.refuse(FeatDirectFiles) }

// RegisterBuffers refuses FeatFixedBuffers.
func (u *Unsupported) RegisterBuffers([][]byte) error { return u.refuse(FeatFixedBuffers) }

// UpdateBuffers refuses FeatFixedBuffers.
func (u *Unsupported) UpdateBuffers(int, [][]byte) (int, error) {
	return 0, u.refuse(FeatFixedBuffers)
}

// UnregisterBuffers refuses FeatFixedBuffers.
func (u *Unsupported) UnregisterBuffers() error { return u.refuse(FeatFixedBuffers) }

// CloneBuffers refuses FeatCloneBuffers.
func (u *Unsupported) CloneBuffers(Engine) error { return u.refuse(FeatCloneBuffers) }

// RegisterPersonality refuses FeatPersonality.
func (u *Unsupported) RegisterPersonality() (Personality, error) {
	return 0, u.refuse(FeatPersonality)
}

// UnregisterPersonality refuses FeatPersonality.
func (u *Unsupported) UnregisterPersonality(Personality) error { return u.refuse(FeatPersonality) }

// NewBufferGroup refuses FeatBufferGroups.
func (u *Unsupported) NewBufferGroup(BufferGroupOptions) (BufferGroup, error) {
	return nil, u.refuse(FeatBufferGroups)
}

// ResizeQueues refuses FeatQueueResize.
func (u *Unsupported) ResizeQueues(int, int) error { return u.refuse(FeatQueueResize) }
