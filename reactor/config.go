package reactor

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/sluiceio/sluice/api"
)

// Balance is how connections are spread over several loops.
type Balance uint8

// The ways to spread connections. With all but ReusePort the first loop accepts and hands over.
const (
	ReusePort  Balance = iota // each loop has a listener of its own, and the kernel chooses (SO_REUSEPORT); a Unix socket is handed over as by RoundRobin
	RoundRobin                // one after the other
	LeastConns                // to the loop that has the fewest
	Hash                      // by the peer's address without its port, so that a host stays with a loop
)

// Config configures a server. The zero Config is a Single on whichever backend this machine has, that listens nowhere (a client).
type Config struct {
	// Listen are the addresses: "tcp://host:port", "tcp4://", "tcp6://", "unix:///path", "unix://@abstract", "udp://host:port". Port 0 takes a free one, which Server.Addrs tells.
	Listen []string
	// Variant is the arrangement. Default: Single.
	Variant Variant
	// Backend is the name of a backend or "auto". Default: "auto". The variants without an engine ignore it.
	Backend string
	// Engine are the options of the engines. Its Strategy is set from Wait, and its MaxInFlight is 2^20 by default: a loop has no more connections than half of
	// that, as each may have a receive and a send in flight for as long as the peer likes. It closes what is accepted beyond. nil: the defaults.
	Engine *api.Options
	// Wait is how loops wait. Default: Block, and Park for the variants with workers.
	Wait api.Strategy
	// Loops is how many there are, 1 to 1024, for Multi and MultiPool; the others have one. Default: GOMAXPROCS.
	Loops int
	// Workers is how many goroutines call handlers, 1 to 65536, for SinglePool and MultiPool. Default: GOMAXPROCS.
	Workers int
	// WorkQueue bounds what waits for a worker: a connection of which that many bytes of input wait is not read. Default: 256 KiB.
	WorkQueue int
	// Balance is how connections are spread over loops; each loop has a socket of its own for UDP, whichever it is. Default: ReusePort.
	Balance Balance
	// MaxConns bounds the connections that are open at a time. Others wait in the backlog. Default: 0, no bound but that of the system. With ThreadPerConn each takes
	// a thread, and Go ends a program that has more than debug.SetMaxThreads allows for, 10,000 unless it was called: the default is four fifths of that, nine tenths the most, and those that
	// are dialled count (ErrMaxConns). A limit of the system that is lower (RLIMIT_NPROC, the pids of a cgroup) ends the program, too.
	MaxConns int
	// Buffers is how many buffers each loop receives into, a power of two from 2 to 32768. They bound what is under way at a time, not the
	// number of connections. Default: 512.
	Buffers int
	// BufferSize is the size of each in bytes, 64 to 1 MiB. Default: 8192.
	BufferSize int
	// MaxInput bounds the unconsumed input of a connection: with more it is not read, and when nothing can make that less, it ends with
	// ErrInputFull. Default: 1 MiB.
	MaxInput int
	// WriteHigh and WriteLow are watermarks: while more than WriteHigh bytes of a connection wait to be sent it is not read, until
	// WriteLow or less do. Default: 256 KiB, and half of WriteHigh.
	WriteHigh, WriteLow int
	// MaxOutput bounds what waits to be sent, beyond which Write fails. Default: 64 MiB.
	MaxOutput int
	// PacketBuffers is how many buffers each loop receives datagrams into, of 64 KiB each, a power of two from 2 to 32768, if Listen has addresses of UDP. Default: 64.
	PacketBuffers int
	// PacketQueue bounds the bytes of replies, and 64 for each, that wait to be sent by a socket of UDP, beyond which Packet.Reply fails. Default: 4 MiB.
	PacketQueue int
	// IdleTimeout ends a connection on which nothing has come or gone for so long. Default: 0, never.
	IdleTimeout time.Duration
	// OpenTimeout ends a connection which has not sent its first byte within it. Default: 0, never.
	OpenTimeout time.Duration
	// Linger is how long a connection that was closed with input unread goes on taking, and dropping, input, so that the
	// peer can read the end of the output before it learns of the close (a TCP socket that is closed with unread input sends a reset). Default: 500 ms. Negative: not at all.
	Linger time.Duration
	// DialTimeout is how long a connection that is dialled may take to be there. Default: 10 s.
	DialTimeout time.Duration
	// Tick is the time between two calls of OnTick. Default: 0, never.
	Tick time.Duration
	// ShutdownTimeout is how long Serve waits for connections to end once its context is done. Default: 5 s.
	ShutdownTimeout time.Duration
	// Nagle leaves TCP_NODELAY off. Default: it is set.
	Nagle bool
	// KeepAlive is the time of silence after which TCP probes the peer, and between probes. Default: 15 s. Negative: never.
	KeepAlive time.Duration
	// Backlog is how many connections wait to be accepted. Default: as many as the system allows.
	Backlog int
	// IncomingCPU has the kernel prefer the loop of the processor on which a connection comes in (SO_INCOMING_CPU), with ReusePort. Loop i has the i-th of the
	// processors that the program may use, as with Pin. Linux. Default: off.
	IncomingCPU bool
	// Pin binds the thread of each loop to its processor. Linux; not for the variants without loops. Default: off.
	Pin bool
	// NoSplice has joined connections, and large files, go by buffers always, and never by pipes. Default: pipes, where the system and the backend have them,
	// in the variants with loops: up to 32 for each loop, of two fds each, which it keeps. Where peers that are slow have them all, the others go by buffers.
	NoSplice bool
	// Log is told of panics, and of listeners that cannot accept. Default: slog.Default().
	Log *slog.Logger
}

const (
	defaultWorkQueue     = 256 << 10
	defaultBuffers       = 512
	defaultBufferSize    = 8192
	defaultMaxInput      = 1 << 20
	defaultWriteHigh     = 256 << 10
	defaultMaxOutput     = 64 << 20
	defaultPacketBuffers = 64
	defaultPacketQueue   = 4 << 20
	defaultLinger        = 500 * time.Millisecond
	defaultDial          = 10 * time.Second
	defaultShutdown      = 5 * time.Second
	defaultKeepAlive     = 15 * time.Second

	loopsMax   = 1024
	workersMax = 1 << 16
	bytesMax   = 1 << 30
)

// withDefaults fills in what is not set and checks the rest.
func (c Config) withDefaults() (Config, error) {
	if c.Variant >= variantCount {
		return c, &ConfigError{"Variant", "is " + c.Variant.String()}
	}
	if c.Balance > Hash {
		return c, &ConfigError{"Balance", fmt.Sprintf("is %d", c.Balance)}
	}
	if c.Backend == "" {
		c.Backend = "auto"
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Wait == (api.Strategy{}) {
		c.Wait = api.Block()
		if c.Variant.pooled() {
			c.Wait = api.Park()
		}
	}
	if c.Variant != Multi && c.Variant != MultiPool {
		c.Loops = 1
	}
	if err := c.numbers(); err != nil {
		return c, err
	}
	if c.Buffers&(c.Buffers-1) != 0 {
		return c, &ConfigError{"Buffers", fmt.Sprintf("is %d, must be a power of two", c.Buffers)}
	}
	if c.PacketBuffers&(c.PacketBuffers-1) != 0 {
		return c, &ConfigError{"PacketBuffers", fmt.Sprintf("is %d, must be a power of two", c.PacketBuffers)}
	}
	return c, c.times()
}

func (c *Config) numbers() error {
	procs := runtime.GOMAXPROCS(0)
	connsDefault, connsMax := 0, bytesMax
	if c.Variant == ThreadPerConn {
		threads := maxThreads()
		connsDefault, connsMax = threads-threads/5, threads-threads/10
	}
	for _, f := range []struct {
		name        string
		p           *int
		def, lo, hi int
	}{
		{"Loops", &c.Loops, min(procs, loopsMax), 1, loopsMax},
		{"Workers", &c.Workers, procs, 1, workersMax},
		{"WorkQueue", &c.WorkQueue, defaultWorkQueue, 1, bytesMax},
		{"MaxConns", &c.MaxConns, connsDefault, 0, connsMax},
		{"Buffers", &c.Buffers, defaultBuffers, 2, 1 << 15},
		{"BufferSize", &c.BufferSize, defaultBufferSize, 64, 1 << 20},
		{"MaxInput", &c.MaxInput, defaultMaxInput, 1, bytesMax},
		{"WriteHigh", &c.WriteHigh, defaultWriteHigh, 1, bytesMax},
		{"WriteLow", &c.WriteLow, c.WriteHigh / 2, 0, c.WriteHigh},
		{"MaxOutput", &c.MaxOutput, max(defaultMaxOutput, c.WriteHigh), 1, bytesMax},
		{"PacketBuffers", &c.PacketBuffers, defaultPacketBuffers, 2, 1 << 15},
		{"PacketQueue", &c.PacketQueue, defaultPacketQueue, packetMost + packetCost, bytesMax},
		{"Backlog", &c.Backlog, 0, 0, 1 << 20},
	} {
		def := f.def
		if f.name == "WriteLow" { // WriteHigh has its default by now
			def, f.hi = c.WriteHigh/2, c.WriteHigh
		}
		if *f.p == 0 {
			*f.p = def
		}
		if *f.p < f.lo || *f.p > f.hi {
			return &ConfigError{f.name, fmt.Sprintf("is %d, must be from %d to %d", *f.p, f.lo, f.hi)}
		}
	}
	return nil
}

func (c *Config) times() error {
	for _, f := range []struct {
		name     string
		p        *time.Duration
		def      time.Duration
		negative bool
	}{
		{"IdleTimeout", &c.IdleTimeout, 0, false},
		{"OpenTimeout", &c.OpenTimeout, 0, false},
		{"Linger", &c.Linger, defaultLinger, true},
		{"DialTimeout", &c.DialTimeout, defaultDial, false},
		{"Tick", &c.Tick, 0, false},
		{"ShutdownTimeout", &c.ShutdownTimeout, defaultShutdown, false},
		{"KeepAlive", &c.KeepAlive, defaultKeepAlive, true},
	} {
		if *f.p == 0 {
			*f.p = f.def
		}
		if *f.p < 0 && !f.negative {
			return &ConfigError{f.name, "is negative"}
		}
	}
	return nil
}

// splitAddr takes an address of Config.Listen apart.
func splitAddr(s string) (network, addr string, err error) {
	network, addr, ok := strings.Cut(s, "://")
	if !ok {
		return "", "", &ConfigError{"Listen", fmt.Sprintf("%q has no network; write tcp://host:port, unix:///path or udp://host:port", s)}
	}
	switch network {
	case "tcp", "tcp4", "tcp6", "unix", "udp", "udp4", "udp6":
		return network, addr, nil
	}
	return "", "", &ConfigError{"Listen", fmt.Sprintf("%q: no network %q; there are tcp, tcp4, tcp6, unix, udp, udp4 and udp6", s, network)}
}
