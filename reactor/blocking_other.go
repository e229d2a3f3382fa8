//go:build !unix

package reactor

import (
	"errors"
	"net"
)

// nudger has nothing to do.
type nudger struct{}

func (s *Server) connSource(string, string) (connSource, net.Addr, error) {
	return nil, nil, errors.ErrUnsupported
}

func (s *Server) connect(*runner) error { return errors.ErrUnsupported }
