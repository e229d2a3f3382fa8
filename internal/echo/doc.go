// Package echo is the TCP echo server that the tool and the benchmarks measure, over any engine, and
// the client that loads and checks it.
//
// The server shows how a program is meant to use an engine: one goroutine per loop, which owns one
// engine; multishot accept and receive; received buffers sent back as they are and released when the
// send has completed; operations collected and submitted once per turn; no allocation once the
// number of connections has stopped growing.
//
// A Server runs its own goroutines, and its methods may be called by any. A Client runs in the goroutine
// that calls Run.
package echo
