// Command fasthttp is an HTTP server on github.com/valyala/fasthttp that answers every request with the 13 bytes "Hello, World!".
package main

import (
	"github.com/valyala/fasthttp"

	"github.com/sluiceio/sluice/bench/peers/internal/peer"
)

var body = []byte("Hello, World!")

func main() {
	addr := peer.Addr()
	s := &fasthttp.Server{
		Name:    "fasthttp",
		Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetBody(body) },
	}
	peer.Serve(func() error { return s.ListenAndServe(addr) })
}
