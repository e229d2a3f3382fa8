//go:build linux && !mips && !mipsle && !mips64 && !mips64le

package sysx

// sigsetSize is what the kernel calls sizeof(sigset_t).
const sigsetSize = 8
