//go:build unix

package conformance

import (
	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

func platformBenchmarks(s Streams) []Benchmark {
	return []Benchmark{{"op=pingpong/size=1", streamOps, func(l Loop, e api.Engine) { benchPingPong(l, e, s) }}}
}

// benchPingPong has a byte go from one end of a stream to the other and back, per operation. It is a pair of sockets if s is nil.
func benchPingPong(l Loop, e api.Engine, s Streams) {
	var p [2]int
	var err error
	closeEnd := unix.Close
	if s != nil {
		p[0], p[1], err = s.Pair()
		closeEnd = s.Close
	} else {
		p, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	}
	if err != nil {
		l.Fatalf("making a pair of streams: %v", err)
	}
	defer closeEnd(p[0])
	defer closeEnd(p[1])
	in, out := make([]byte, 1), make([]byte, 1)
	dst := make([]api.Completion, 2)
	ops := make([]api.Op, 2)
	for l.Loop() {
		for i := range 2 {
			ops[0], ops[1] = api.Recv(p[1-i], in, 1), api.Send(p[i], out, 2)
			turn(l, e, ops, dst)
		}
	}
}
