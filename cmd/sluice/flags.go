package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
)

const (
	defaultAddr = "127.0.0.1:7777"

	// Limits of the flags. They keep a typing error from taking the machine's memory.
	connsMax    = 1 << 18
	sizeMax     = 64 << 20
	memoryMax   = 1<<31 - 1 // bytes of messages, in and out; an int on every machine
	loopsMax    = 1024
	durationMax = 24 * time.Hour
)

// waitValue is a strategy as the command line gives it.
type waitValue struct {
	text     string
	strategy api.Strategy
}

const (
	waitUsage   = "how a loop waits: block, park, or spin[:N[:park]] to look N times first"
	defaultSpin = 100
)

func newWait() *waitValue { return &waitValue{"block", api.Block()} }

// Set parses a strategy.
func (w *waitValue) Set(text string) error {
	how, rest, _ := strings.Cut(text, ":")
	s := api.Block()
	switch {
	case text == "block":
	case text == "park":
		s = api.Park()
	case how == "spin":
		count, then, _ := strings.Cut(rest, ":")
		n := defaultSpin
		if text != "spin" {
			var err error
			if n, err = strconv.Atoi(count); err != nil || n < 1 || n > api.MaxSpin {
				return fmt.Errorf("the number of looks must be from 1 to %d", api.MaxSpin)
			}
		}
		switch then {
		case "", "block":
		case "park":
			s = api.Park()
		default:
			return fmt.Errorf("after spinning comes block or park, not %q", then)
		}
		s = api.Spin(n, s)
	default:
		return errors.New("want block, park or spin[:N[:park]]")
	}
	w.text, w.strategy = text, s
	return nil
}

// String is the strategy as it was given.
func (w *waitValue) String() string { return w.text }

// Type is what the help calls it.
func (w *waitValue) Type() string { return "strategy" }

// netName is the baseline that is no backend: a goroutine per connection on Go's net.
const netName = "net"

// serverBackend is a backend, or the baseline.
type serverBackend struct {
	backend.Value
	net bool
}

// Set checks and stores the name.
func (b *serverBackend) Set(name string) error {
	if b.net = name == netName; b.net {
		b.Value = netName
		return nil
	}
	return orNet(b.Value.Set(name), true)
}

func backendFlag(cmd *cobra.Command) *backend.Value {
	v := backend.Value(backend.Auto)
	cmd.Flags().Var(&v, backend.FlagName, backend.FlagUsage)
	return &v
}

func checkRange(flag string, n, lo, hi int) error {
	if n < lo || n > hi {
		return usagef("--%s must be from %d to %d, not %d", flag, lo, hi, n)
	}
	return nil
}

func checkDuration(flag string, d, lo time.Duration) error {
	if d < lo || d > durationMax {
		return usagef("--%s must be from %v to %v, not %v", flag, lo, durationMax, d)
	}
	return nil
}

// checkLoad checks what is asked of a client.
func checkLoad(conns, size int) error {
	if err := checkRange("conns", conns, 1, connsMax); err != nil {
		return err
	}
	if err := checkRange("size", size, 1, sizeMax); err != nil {
		return err
	}
	if int64(conns)*int64(size)*2 > memoryMax {
		return usagef("%d connections of %d bytes need 2 GiB or more for their messages", conns, size)
	}
	return nil
}

// checkAddr checks all of HOST:PORT that can be without asking for the name of a host, and returns the port.
func checkAddr(flag, addr string) (port int, err error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, usagef("--%s must be HOST:PORT: %v", flag, err)
	}
	if service == "" {
		return 0, usagef("--%s must be HOST:PORT, but %q has no port", flag, addr)
	}
	if port, err = net.LookupPort("tcp", service); err != nil {
		return 0, usagef("--%s must be HOST:PORT, with a port from 0 to 65535, not %q", flag, service)
	}
	// No name of a host is made of digits alone, nor has colons.
	if host != "" && (strings.Trim(host, "0123456789.") == "" || strings.Contains(host, ":")) {
		if _, err := netip.ParseAddr(host); err != nil {
			return 0, usagef("--%s must be HOST:PORT, but %q is no IP address", flag, host)
		}
	}
	return port, nil
}

// resolve turns HOST:PORT into the address to connect to; no host is this one.
func resolve(flag, addr string) (netip.AddrPort, error) {
	port, err := checkAddr(flag, addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if port == 0 {
		return netip.AddrPort{}, usagef("--%s must name the port of a server, and 0 is none", flag)
	}
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if a.IP == nil {
		a.IP = net.IPv4(127, 0, 0, 1)
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}
