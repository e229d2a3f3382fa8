// Package workers performs operations that may block: a bounded set of goroutines, each of which has a thread
// of the runtime's while it does. It is for the drivers, which give it what an attempt has called Blocking, and take
// the results back in their turns.
//
// The owner of the engine calls all methods of a Pool. A slot is the pool's from Submit until Done returns it
// or Withdraw takes it back; a worker that has it touches nothing of the engine's but that slot.
package workers
