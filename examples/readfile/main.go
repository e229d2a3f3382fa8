// Command readfile prints a file as cat does, with several reads of it in flight at a time, on
// whichever backend there is; none of them makes the loop wait for the disk.
//
//	go run ./examples/readfile README.md
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	_ "github.com/sluiceio/sluice/backend/all"
)

const (
	depth = 8
	block = 64 << 10
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: readfile FILE")
		os.Exit(2)
	}
	out := bufio.NewWriter(os.Stdout)
	if err := cat(out, os.Args[1]); err != nil {
		log.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

func cat(w io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	engine, err := backend.Open("auto", nil)
	if err != nil {
		return err
	}
	defer engine.Close() // ends what is in flight

	// Reads at positions of their own complete in any order. Block n is read into buffer n % depth,
	// and written out when its turn has come, which makes room for block n + depth.
	var bufs [depth][]byte
	var ready [depth]bool
	ops := make([]api.Op, 0, depth)
	read := func(n uint64) {
		ops = append(ops, api.Read(int(f.Fd()), bufs[n%depth], int64(n)*block, n))
	}
	for n := range uint64(depth) {
		bufs[n] = make([]byte, block)
		read(n)
	}
	done := make([]api.Completion, depth)
	for next := uint64(0); ; {
		if _, err := engine.Submit(ops); err != nil {
			return err
		}
		ops = ops[:0]
		n, err := engine.Complete(done, api.Wait{Min: 1})
		if err != nil {
			return err
		}
		for _, c := range done[:n] {
			if err := c.Err(); err != nil {
				return fmt.Errorf("read %s at %d: %w", name, int64(c.Tag)*block, err)
			}
			i := c.Tag % depth
			bufs[i], ready[i] = bufs[i][:c.Res], true
		}
		for ; ready[next%depth]; next++ {
			i := next % depth
			if _, err := w.Write(bufs[i]); err != nil {
				return err
			}
			if len(bufs[i]) < block { // a regular file is short only at its end
				return nil
			}
			ready[i] = false
			read(next + depth)
		}
	}
}
