package optab

import (
	"testing"

	"github.com/sluiceio/sluice/api"
)

func TestEveryCodeHasARow(t *testing.T) {
	for c := range api.OpCode(api.OpCount) {
		in := Of(c)
		if in.MinKernel == "" {
			t.Errorf("%v: no row", c)
		}
		if in.Done && in.Dir != None && !in.FD && c != api.OpNop {
			t.Errorf("%v: has a direction but acts on no fd", c)
		}
		if !in.Flags.Known() {
			t.Errorf("%v: flags %#x are not all known", c, in.Flags)
		}
	}
}

func TestDirection(t *testing.T) {
	for _, c := range []struct {
		name string
		op   api.Op
		want Direction
	}{
		{"recv", api.Recv(3, nil, 0), Read},
		{"send", api.Send(3, nil, 0), Write},
		{"unordered send", api.Send(3, nil, 0).With(api.Unordered), None},
		{"read at a position", api.Read(3, nil, 0, 0), None},
		{"read at the file's position", api.Read(3, nil, api.CurrentPosition, 0), Read},
		{"shutdown of writing", api.Shutdown(3, api.ShutWrite, 0), Write},
		{"shutdown of both", api.Shutdown(3, api.ShutBoth, 0), None},
		{"fsync", api.Fsync(3, 0), None},
		{"connect", api.Connect(3, nil, 0), Write},
		{"accept", api.Accept(3, 0), Read},
	} {
		if got := DirectionOf(&c.op); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
