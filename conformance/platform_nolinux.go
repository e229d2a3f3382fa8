//go:build unix && !linux

package conformance

// systemCases are those that only one system can have.
func systemCases() []Case { return nil }

// systemAllocs are those that only one system can have.
func systemAllocs() []allocCase { return nil }

// cloexecFlag of a type of socket is 0: it is not known here.
const cloexecFlag = 0

func acknowledgeSoon(int) {}

func unacknowledged(int) bool { return false }
