// Command walappend appends the lines of its input to a log, and prints the number of each when it is on the disk: a
// chain of a write and an fsync per batch of lines, on whichever backend there is.
//
//	seq 1000 | go run ./examples/walappend /tmp/log
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	_ "github.com/sluiceio/sluice/backend/all"
)

const batch = 100 // lines for which one fsync does

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: walappend LOG")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(name string, in io.Reader, out io.Writer) error {
	engine, err := backend.Open("auto", nil)
	if err != nil {
		return err
	}
	defer engine.Close()

	c, err := do(engine, api.Openat(api.AtCWD, name, uint32(os.O_WRONLY|os.O_CREATE|os.O_APPEND), 0o644, 0))
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	fd := int(c.Res)
	var buf []byte
	lines, total := 0, 0
	flush := func() error {
		if lines == 0 {
			return nil
		}
		// The fsync starts when all of buf has been written. The write has no completion unless it fails, and then the
		// fsync has none.
		_, err := do(engine,
			api.Write(fd, buf, api.CurrentPosition, 1).With(api.Link|api.SkipSuccess),
			api.Fsync(fd, 2).With(api.DataSync))
		if err != nil {
			return fmt.Errorf("append to %s: %w", name, err)
		}
		total += lines
		buf, lines = buf[:0], 0 // the engine is done with buf
		_, err = fmt.Fprintln(out, total)
		return err
	}
	for s := bufio.NewScanner(in); ; {
		if s.Scan() {
			buf, lines = append(append(buf, s.Bytes()...), '\n'), lines+1
			if lines < batch {
				continue
			}
		} else if err := errors.Join(s.Err(), flush()); err != nil {
			return err
		} else {
			break
		}
		if err := flush(); err != nil {
			return err
		}
	}
	_, err = do(engine, api.Close(fd, 3))
	return err
}

// do submits what has one completion, and waits for it. A server would have many chains in flight.
func do(engine api.Engine, ops ...api.Op) (c api.Completion, err error) {
	if _, err := engine.Submit(ops); err != nil {
		return c, err
	}
	var done [1]api.Completion
	if _, err := engine.Complete(done[:], api.Wait{Min: 1}); err != nil {
		return c, err
	}
	if c = done[0]; c.Code == api.OpWrite && c.Res >= 0 {
		return c, io.ErrShortWrite // it counts as a failure: the disk is full
	}
	return c, c.Err()
}
