//go:build unix && !linux

package reactor

import (
	"errors"
)

// inherited says that connections have the options of the socket that has accepted them.
const inherited = false

func (s *Server) prepareLoop(int, int) error {
	if s.cfg.IncomingCPU {
		return &ConfigError{"IncomingCPU", "there is no SO_INCOMING_CPU but on Linux"}
	}
	return nil
}

func pinThread(int) (unpin func(), err error) {
	return nil, errors.Join(&ConfigError{"Pin", "threads can be bound to processors on Linux alone"}, errors.ErrUnsupported)
}

// packetOptions has nothing to set.
func packetOptions(int32, bool, bool) {}
