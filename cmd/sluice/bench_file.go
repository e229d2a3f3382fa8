package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
)

const (
	blockSize    = 4096
	fileBlocks   = 64 << 20 / blockSize
	fileDuration = 400 * time.Millisecond
)

// benchFile is a temporary file in which each block begins with its number.
type benchFile struct{ f *os.File }

func newBenchFile(dir string) (*benchFile, error) {
	f, err := os.CreateTemp(dir, "sluice-bench-*")
	if err != nil {
		return nil, err
	}
	b := &benchFile{f}
	const chunk = 256
	buf := make([]byte, chunk*blockSize)
	for n := 0; n < fileBlocks; n += chunk {
		for i := range chunk {
			binary.LittleEndian.PutUint64(buf[i*blockSize:], uint64(n+i))
		}
		if _, err := f.Write(buf); err != nil {
			b.remove()
			return nil, err
		}
	}
	return b, nil
}

func (b *benchFile) remove() {
	b.f.Close()
	_ = os.Remove(b.f.Name()) // the system cleans its temporary files as well
}

// measure is how many blocks per second are read at random places, depth at a time.
func (b *benchFile) measure(ctx context.Context, server string, depth int) (float64, error) {
	if server == netName {
		return b.measureOS(ctx, depth)
	}
	e, err := backend.Open(server, nil)
	if err != nil {
		return 0, err
	}
	rate, err := b.measureEngine(ctx, e, depth)
	return rate, errors.Join(err, e.Close())
}

func (b *benchFile) measureEngine(ctx context.Context, e api.Engine, depth int) (float64, error) {
	fd := int(b.f.Fd())
	rnd := rand.New(rand.NewPCG(1, 2))
	mem := make([]byte, depth*blockSize)
	want := make([]uint64, depth)
	ops := make([]api.Op, 0, depth)
	done := make([]api.Completion, depth)
	read := func(i int) {
		want[i] = rnd.Uint64N(fileBlocks)
		ops = append(ops, api.Read(fd, mem[i*blockSize:(i+1)*blockSize], int64(want[i])*blockSize, uint64(i)))
	}
	for i := range depth {
		read(i)
	}
	start := api.Now()
	end := start.Add(fileDuration)
	reads, busy := 0, depth
	for busy > 0 {
		if _, err := e.Submit(ops); err != nil {
			return 0, err
		}
		ops = ops[:0]
		n, err := e.Complete(done, api.Wait{Min: 1})
		if err != nil {
			return 0, err
		}
		more := api.Now() < end && ctx.Err() == nil
		for _, c := range done[:n] {
			i := int(c.Tag)
			if err := checkBlock(mem[i*blockSize:(i+1)*blockSize], int(c.Res), want[i], c.Err()); err != nil {
				return 0, err
			}
			reads++
			if more {
				read(i)
			} else {
				busy--
			}
		}
	}
	return float64(reads) / api.Now().Sub(start).Seconds(), ctx.Err()
}

func checkBlock(block []byte, n int, want uint64, err error) error {
	if err != nil {
		return err
	}
	if got := binary.LittleEndian.Uint64(block); n != blockSize || got != want {
		return fmt.Errorf("read %d bytes of block %d, want %d of block %d", n, got, blockSize, want)
	}
	return nil
}

// measureOS is the baseline: depth goroutines that call ReadAt.
func (b *benchFile) measureOS(ctx context.Context, depth int) (float64, error) {
	var reads atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, depth)
	start := time.Now()
	for i := range depth {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			block := make([]byte, blockSize)
			count := int64(0)
			defer func() { reads.Add(count) }()
			for time.Since(start) < fileDuration && ctx.Err() == nil {
				want := rnd.Uint64N(fileBlocks)
				n, err := b.f.ReadAt(block, int64(want)*blockSize)
				if errs[i] = checkBlock(block, n, want, err); errs[i] != nil {
					return
				}
				count++
			}
		})
	}
	wg.Wait()
	rate := float64(reads.Load()) / time.Since(start).Seconds()
	return rate, errors.Join(append(errs, ctx.Err())...)
}
