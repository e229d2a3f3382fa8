//go:build race

package offheap

// onHeap says that ordinary pages come from the Go heap after all: the race detector sees no other memory, and a program that touches a buffer
// in flight would not be reported.
const onHeap = true
