//go:build !unix

package sock

// No system of this kind has control data: the layout is that of Linux.
var (
	lenSize   = 8
	dataAt    = 16
	alignment = 8
)
