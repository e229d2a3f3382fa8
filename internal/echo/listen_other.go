//go:build !unix

package echo

import (
	"errors"
	"net"
)

// Listen fails: no engine works here.
func Listen(string, bool) (int32, net.Addr, error) { return -1, nil, errors.ErrUnsupported }

// CloseFD does nothing.
func CloseFD(int32) {}

func noDelay(int32) {}

func newSocket(bool) (int32, error) { return -1, errors.ErrUnsupported }
