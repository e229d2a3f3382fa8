// Command copyfile copies a file, several pieces at a time, by way of registered buffers: io_uring maps their memory once and not for each operation.
//
//	go run ./examples/copyfile README.md /tmp/copy
package main

import (
	"io"
	"log"
	"os"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/arena"
	"github.com/sluiceio/sluice/backend"
	_ "github.com/sluiceio/sluice/backend/all"
)

const pieces, size = 8, 1 << 18 // in flight at a time, and the bytes of each

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: copyfile FROM TO")
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	mem, err := arena.New(pieces*size, &arena.Options{Pages: arena.Best})
	if err != nil {
		return err
	}
	defer mem.Close() // behind the engine's, which uses it
	engine, err := backend.Open("auto", nil)
	if err != nil {
		return err
	}
	defer engine.Close()
	var bufs [][]byte
	for i := range pieces {
		bufs = append(bufs, mem.Bytes()[i*size:(i+1)*size])
	}
	if err := engine.RegisterBuffers(bufs); err != nil {
		return err
	}
	if err := copyAll(engine, int(in.Fd()), int(out.Fd()), bufs); err != nil {
		return err
	}
	return out.Close() // some file systems tell only now that they were full
}

// copyAll reads piece after piece, each into a buffer of its own, and writes it to where it came from. The tag is the index of the buffer.
func copyAll(engine api.Engine, in, out int, bufs [][]byte) error {
	var at [pieces]int64 // the position of what is in each buffer
	var done [pieces]api.Completion
	var ops []api.Op
	for i, b := range bufs {
		at[i] = int64(i) * size
		ops = append(ops, api.ReadFixed(in, i, b, at[i], uint64(i)))
	}
	for flying, next := pieces, int64(pieces*size); flying > 0; {
		if _, err := engine.Submit(ops); err != nil {
			return err
		}
		n, err := engine.Complete(done[:], api.Wait{Min: 1})
		if err != nil {
			return err
		}
		ops = ops[:0]
		for _, c := range done[:n] {
			i := int(c.Tag)
			switch {
			case c.Err() != nil:
				return c.Err()
			case c.Code == api.OpReadFixed && c.Res == 0: // behind the end
				flying--
			case c.Code == api.OpReadFixed:
				bufs[i] = bufs[i][:c.Res]
				ops = append(ops, api.WriteFixed(out, i, bufs[i], at[i], c.Tag))
			case int(c.Res) < len(bufs[i]):
				return io.ErrShortWrite
			default:
				at[i], next = next, next+size
				ops = append(ops, api.ReadFixed(in, i, bufs[i][:size], at[i], c.Tag))
			}
		}
	}
	return nil
}
