//go:build race

package conformance

const raceBuild = true
