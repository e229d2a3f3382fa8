package sysx

// MaxTransfer is how much one call moves at most (MAX_RW_COUNT of Linux): what is behind it is cut off, as the
// kernel does.
const MaxTransfer = 0x7ffff000
