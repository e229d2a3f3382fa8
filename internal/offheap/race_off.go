//go:build !race

package offheap

// onHeap says that ordinary pages come from the Go heap after all, as in a build for the race detector.
const onHeap = false
