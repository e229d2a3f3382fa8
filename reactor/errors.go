package reactor

import (
	"errors"
	"fmt"
)

var (
	// ErrShutdown is what OnClose gets when the server ended before the connection did.
	ErrShutdown = errors.New("reactor: the server has ended")
	// ErrClosed says that the connection, or the server, is closed, or is being closed.
	ErrClosed = errors.New("reactor: closed")
	// ErrInputFull ends a connection of which Config.MaxInput bytes wait and whose handler does not consume any.
	ErrInputFull = errors.New("reactor: more input than Config.MaxInput has come, and the handler consumes none of it")
	// ErrOutputFull is what Write returns when more than Config.MaxOutput bytes would wait to be sent. It has taken nothing.
	ErrOutputFull = errors.New("reactor: more output than Config.MaxOutput waits to be sent")
	// ErrNoInput is what Conn.Read returns when there is no input at present.
	ErrNoInput = errors.New("reactor: no input at present")
	// ErrMaxConns is what a Dial with ThreadPerConn returns when there are Config.MaxConns connections: each has a thread, and Go ends a program that has too many.
	ErrMaxConns = errors.New("reactor: Config.MaxConns connections are open")
	// ErrNotJoinable is what Conn.Forward returns for two connections that cannot be joined.
	ErrNotJoinable = errors.New("reactor: the connections are not of the same loop, or joined already")
	// ErrInvalidConfig is what every ConfigError is.
	ErrInvalidConfig = errors.New("reactor: invalid configuration")
)

// PanicError says that a callback has panicked. The stack is in the log.
type PanicError struct {
	Value any    // what it has panicked with
	Stack []byte // of the goroutine
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("reactor: a handler has panicked: %v", e.Value)
}

// Unwrap is the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ConfigError says that a field of Config makes no sense, or that the Handler is nil. It is ErrInvalidConfig.
type ConfigError struct {
	Field  string
	Reason string
}

func (e *ConfigError) Error() string {
	if e == errNoHandler {
		return "reactor: the Handler is nil"
	}
	return "reactor: Config." + e.Field + ": " + e.Reason
}

// errNoHandler is for Start, and for dials: with it no connection would get as far as its first callback.
var errNoHandler = &ConfigError{"Handler", "is nil"}

// Is makes every ConfigError ErrInvalidConfig.
func (e *ConfigError) Is(target error) bool { return target == ErrInvalidConfig }
