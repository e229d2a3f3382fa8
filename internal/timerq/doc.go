// Package timerq is a queue of deadlines for the slots of one loop: a heap that
// knows where each slot is, so that a deadline can be taken out or moved in
// O(log n), and that allocates nothing once it has grown. A million deadlines
// take 28 MB.
package timerq
