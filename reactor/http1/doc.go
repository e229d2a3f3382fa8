// Package http1 is an HTTP/1.1 server on package reactor, in any of its variants and on any backend: keep-alive, pipelining, chunked bodies in both
// directions, Expect, limits, timeouts, static files. It is for programs that answer many small requests and want to choose how loops and
// workers are arranged; who wants HTTP/2, TLS or a router takes net/http.
//
// Request.Parse, the parser by itself, is strict and does not copy; any goroutine may use it, with a Request of its own.
package http1
