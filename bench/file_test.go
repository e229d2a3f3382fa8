//go:build unix

package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluiceio/sluice/api"
)

const (
	blockSize  = 4096
	fileBlocks = 64 << 20 / blockSize
)

// BenchmarkFileRandRead reads blocks of 4 KiB at random places of a file of 64 MiB that is in the page cache,
// so many at a time. The baseline with depth=32 is that many goroutines in os.File.ReadAt.
func BenchmarkFileRandRead(b *testing.B) { measure(b, fileReads()) }

func fileReads() (list []scenario) {
	for _, depth := range []int{1, 32} {
		for _, name := range backends {
			list = append(list, scenario{
				name: fmt.Sprintf("backend=%s/depth=%d", name, depth), bytes: blockSize,
				steps: func(r *rig) func() error { return readBlocks(r, r.open(name, api.Block()), depth) },
			})
		}
		list = append(list, scenario{
			name: fmt.Sprintf("backend=os/depth=%d", depth), bytes: blockSize,
			count: func(r *rig, n int) error { return readBlocksOS(r, depth, n) },
		})
	}
	return list
}

// readBlocks keeps depth reads in flight. The tag of each says the slot, which has a buffer and the block asked for.
func readBlocks(r *rig, e api.Engine, depth int) func() error {
	fd := int(theFile(r).Fd())
	rnd := rand.New(rand.NewPCG(1, 2))
	blocks := make([]uint64, depth)
	bufs := make([][]byte, depth)
	read := func(i int) api.Op {
		blocks[i] = rnd.Uint64N(fileBlocks)
		return api.Read(fd, bufs[i], int64(blocks[i])*blockSize, uint64(i))
	}
	p := newPump(e, depth, func(p *pump, c *api.Completion) error {
		i := int(c.Tag)
		if c.Res != blockSize {
			return fmt.Errorf("read gave %d: %w", c.Res, c.Err())
		}
		if err := checkBlock(bufs[i], blocks[i]); err != nil {
			return err
		}
		p.ops = append(p.ops, read(i))
		return nil
	})
	for i := range depth {
		bufs[i] = make([]byte, blockSize)
		p.ops = append(p.ops, read(i))
	}
	return p.next
}

// readBlocksOS reads n blocks with depth goroutines.
func readBlocksOS(r *rig, depth, n int) error {
	f := theFile(r)
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(n))
	errs := make([]error, depth)
	r.start()
	for i := range depth {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			buf := make([]byte, blockSize)
			for left.Add(-1) >= 0 && errs[i] == nil {
				block := rnd.Uint64N(fileBlocks)
				if _, err := f.ReadAt(buf, int64(block)*blockSize); err != nil {
					errs[i] = err
				} else {
					errs[i] = checkBlock(buf, block)
				}
			}
		})
	}
	wg.Wait()
	r.stop()
	return errors.Join(errs...)
}

// A block holds its own number, at the beginning and at the end.
func fillBlock(b []byte, n uint64) {
	binary.LittleEndian.PutUint64(b, n)
	binary.LittleEndian.PutUint64(b[blockSize-8:], ^n)
}

func checkBlock(b []byte, want uint64) error {
	if n, last := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[blockSize-8:]); n != want || last != ^want {
		return fmt.Errorf("got block %d (its end says %d), want %d", n, ^last, want)
	}
	return nil
}

// makeFile writes the file, once for all.
var makeFile = sync.OnceValues(func() (*os.File, error) {
	f, err := os.CreateTemp("", "sluice-bench-*")
	if err != nil {
		return nil, err
	}
	chunk := make([]byte, 256*blockSize)
	for n := uint64(0); n < fileBlocks; {
		for b := chunk; len(b) > 0; b = b[blockSize:] {
			fillBlock(b, n)
			n++
		}
		if _, err := f.Write(chunk); err != nil {
			return f, err
		}
	}
	return f, f.Sync()
})

var fileMade atomic.Bool

func theFile(r *rig) *os.File {
	r.Helper()
	fileMade.Store(true)
	f, err := makeFile()
	if err != nil {
		r.Fatal(err)
	}
	return f
}

// removeFile removes the file if there is one. What cannot be removed stays in the folder for such things.
func removeFile() {
	if !fileMade.Load() {
		return
	}
	if f, _ := makeFile(); f != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}
}
