//go:build !unix

package http1

const openFlags = 0 // nothing that can be opened here waits
