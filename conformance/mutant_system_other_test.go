//go:build !linux

package conformance_test

func systemMutants() []fault { return nil }
