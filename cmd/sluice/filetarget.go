package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// fillChunk is how much is written at a time when a file is made.
const fillChunk = 1 << 20

// fileTarget is the file that is measured.
type fileTarget struct {
	f    *os.File
	fd   int
	size int64 // that is used, a multiple of the size of a block
}

func (t *fileTarget) close() { t.f.Close() } // what was written is not to be kept: an error is of no interest

// open opens the file, and makes it if it is not there.
func (b *benchFileCmd) open(ctx context.Context) (*fileTarget, error) {
	info, err := os.Stat(b.path)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case fresh && b.size == 0:
		return nil, fmt.Errorf("%s does not exist; --size makes it", b.path)
	case fresh:
		if err := b.checkSize(int64(b.size)); err != nil {
			return nil, err
		}
		if err := b.make(ctx); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() && info.Mode().Type() != fs.ModeDevice:
		return nil, fmt.Errorf("%s is neither a file nor a block device", b.path)
	case b.writes() && !b.overwrite:
		return nil, usagef("%s exists, and --rw %s would overwrite it: say --overwrite if it shall", b.path, b.rw)
	}
	how := os.O_RDONLY
	if b.writes() {
		how = os.O_RDWR // to verify
	}
	if b.direct {
		how |= directFlag
	}
	f, err := os.OpenFile(b.path, how, 0)
	if b.direct && errors.Is(err, syscall.EINVAL) {
		return nil, fmt.Errorf("%w: its file system does no direct IO; leave out --direct", err)
	}
	if err != nil {
		return nil, err
	}
	t := &fileTarget{f: f, fd: int(f.Fd())}
	if t.size, err = f.Seek(0, io.SeekEnd); err == nil {
		t.size, err = b.sizeOf(t.size)
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// sizeOf is how much is used of a file of size bytes.
func (b *benchFileCmd) sizeOf(size int64) (int64, error) {
	if size < int64(b.size) {
		return 0, fmt.Errorf("%s has %d bytes, less than --size, which is %d", b.path, size, b.size)
	}
	if b.size > 0 {
		size = int64(b.size)
	}
	size -= size % int64(b.bs)
	return size, b.checkSize(size)
}

// checkSize checks whether there is enough for the jobs to work on.
func (b *benchFileCmd) checkSize(size int64) error {
	need := int64(1)
	if b.verify && b.writes() {
		// No block is written by two operations at a time: nobody could tell which one of them came last.
		need = 2 * int64(b.depth)
	}
	if each := size / int64(b.bs) / int64(b.jobs); each < need {
		return fmt.Errorf("%d bytes of %s are %d blocks for each of %d jobs, which need %d", size, b.path, each, b.jobs, need)
	}
	return nil
}

// make makes the file. What cannot be made whole is removed.
func (b *benchFileCmd) make(ctx context.Context) (err error) {
	f, err := os.OpenFile(b.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(b.path))
		}
	}()
	chunk := make([]byte, max(fillChunk, int(b.bs)))
	unit := unitOf(int64(b.bs))
	for at := int64(0); at < int64(b.size); at += int64(len(chunk)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk = chunk[:min(int64(len(chunk)), int64(b.size)-at)]
		sealBlock(chunk, unit, at, firstGeneration)
		if _, err := f.Write(chunk); err != nil {
			return err
		}
	}
	return f.Sync() // so that what is measured is not the writing of this
}
