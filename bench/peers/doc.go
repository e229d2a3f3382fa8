// Package peers holds echo servers on other event-loop libraries for Go, to measure sluice against: each
// with one event loop and otherwise as its documentation has it. They are a module of their own, so that
// no user of sluice ever sees what they depend on.
//
// Each program takes --addr host:port, sends back what it receives, and ends on SIGINT or SIGTERM. How to
// compare with them is in docs/BENCHMARKS.md.
package peers
