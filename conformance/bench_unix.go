//go:build unix

package conformance

import (
	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

func platformBenchmarks() []Benchmark {
	return []Benchmark{{"op=pingpong/size=1", streamOps, benchPingPong}}
}

// benchPingPong has a byte go from one end of a socket pair to the other and back, per operation.
func benchPingPong(l Loop, e api.Engine) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		l.Fatalf("socketpair: %v", err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
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
