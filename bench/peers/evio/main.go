// Command evio is an echo server on github.com/tidwall/evio with one loop.
package main

import (
	"errors"

	"github.com/tidwall/evio"

	"github.com/sluiceio/sluice/bench/peers/internal/peer"
)

func main() {
	addr := peer.Addr()
	peer.Serve(func() error {
		// evio writes out before it reads again, so that what it read may be handed back as it is; that is
		// what ReuseInputBuffer is for. It sets no TCP_NODELAY and has no option for it.
		events := evio.Events{
			NumLoops: 1,
			Opened: func(evio.Conn) ([]byte, evio.Options, evio.Action) {
				return nil, evio.Options{ReuseInputBuffer: true}, evio.None
			},
			Data: func(_ evio.Conn, in []byte) ([]byte, evio.Action) { return in, evio.None },
		}
		if err := evio.Serve(events, "tcp://"+addr); err != nil {
			return err
		}
		return errors.New("the server has stopped")
	})
}
