// Package script is a small language for programs of operations, and an executor that runs such a program on an engine and writes
// down what happened, without what the contract leaves open. The same program gives the same trace on every engine, or one of them
// is wrong, or the contract has a hole.
//
// It is for the authors of engines, who compare theirs with another one, and for keeping a program that once showed a difference. Programs
// that do work use package api.
//
// A program names its objects first, then come the steps, one on each line:
//
//	pair tcp a b
//	pair udp u v
//	pipe in r w
//	file f 8192
//	group g 4x64
//	submit recv a 100 tag=1 waitall link ; nop tag=2
//	peer write b 60
//	submit cancel of=1 tag=3 ; read f 512 off=0 tag=4
//	peer halfclose b
//
// Of a pair, and of a pipe, the first name is the end that the engine has, and the second that of the peer, which the script plays with system
// calls. A submit step is one call of Submit with all operations of the line. After each step the executor goes on until nothing can happen any
// more (Run says how it knows), so that a program does one thing after the other, however busy the machine is.
//
// Format and Parse are inverse to each other. Check refuses what makes no sense, and what is not bounded; Run leaves out
// the steps whose outcome the contract leaves open, a cancel that races with data for one, and says so in the trace.
// Everything but Run is for any goroutine; a Program must not be changed while it is used.
package script
