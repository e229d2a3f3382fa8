// Command http serves the files of a directory, and two pages of its own: go run ./examples/http . tcp://127.0.0.1:8080
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	_ "github.com/sluiceio/sluice/backend/all"
	"github.com/sluiceio/sluice/reactor"
	"github.com/sluiceio/sluice/reactor/http1"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: http directory tcp://host:port")
	}
	files, err := http1.Files(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer files.Close()

	handle := func(w *http1.Response, r *http1.Request) {
		switch string(r.Path()) {
		case "/hello":
			fmt.Fprintf(w, "Hello, %s! You have sent %d bytes.\n", r.Query(), len(r.Body()))
		case "/slow":
			// Handlers do not wait: this one lets another goroutine answer.
			later := w.Later()
			time.AfterFunc(100*time.Millisecond, func() {
				later.Do(func(w *http1.Response) { w.BodyString("at last\n") })
			})
		default:
			files.Handle(w, r)
		}
	}
	// Change the Variant, and nothing else, to have other arrangements of loops and workers.
	s, err := reactor.Start(reactor.Config{
		Listen:  []string{os.Args[2]},
		Variant: reactor.Single,
	}, http1.New(handle, nil))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", s.Addrs()[0])

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	<-ctx.Done()
	s.Shutdown(context.Background())
}
