// Package http1 is an HTTP/1.1 server on package reactor, in any of its variants and on any backend: keep-alive, pipelining, chunked bodies in both
// directions, Expect, limits, timeouts, static files. It is for programs that answer many small requests and want to choose how loops and
// workers are arranged; who wants HTTP/2, TLS or a router takes net/http.
//
//	h := func(w *http1.Response, r *http1.Request) { w.BodyString("Hello, World!") }
//	err := reactor.Serve(ctx, reactor.Config{Listen: []string{"tcp://127.0.0.1:8080"}}, http1.New(h, nil))
//
// A Handler, and all that it gets, belongs to the turn of its connection: the loop, the worker or the thread that calls it. It must not wait. Response.Later puts an
// answer off, and Later is what other goroutines may use. Requests of one connection are answered in their order, one at a time; those of several at once, as the
// variant has it.
//
// What a Request says points into the memory that it was received into, and is valid until the handler returns. What a handler writes is copied, but for Body and
// BodyString, which are read when it has returned.
//
// Request.Parse, the parser by itself, is strict and does not copy; any goroutine may use it, with a Request of its own.
package http1
