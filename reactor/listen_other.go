//go:build !unix

package reactor

import (
	"errors"

	"github.com/sluiceio/sluice/api"
)

const sockStream = 1

func family(api.Addr) int { return 0 }

func (s *Server) open(string, string, bool, int) (listener, error) {
	return listener{}, errors.ErrUnsupported
}

func (ln *listener) close()  {}
func (ln *listener) remove() {}

func (s *Server) options(*Conn) {}

func pinThread(int) (unpin func(), err error) { return nil, errors.ErrUnsupported }

func resetOnClose(int) {}

func packetOptions(int32, bool, bool) {}
