package kv

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/reactor"
)

// eachFile runs a test with a server on each backend, past the page cache and through it.
func eachFile(t *testing.T, test func(t *testing.T, srv *Server)) {
	for _, s := range backend.Probe() {
		for _, direct := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/direct=%t", s.Name, direct), func(t *testing.T) {
				o := Options{AppendOnly: filepath.Join(t.TempDir(), "aof"), Fsync: FsyncAlways, Backend: s.Name, Log: slog.New(slog.DiscardHandler)}
				srv, err := New(o, new(reactor.Config))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = srv.Close() }) // a test that looks at the error calls it itself
				setDirect(srv.aof.file, direct)
				test(t, srv)
			})
		}
	}
}

// TestBlocks: entries of any length are in the file as one behind the other, with nothing but zeros behind them: after each batch, after a kill, and none after the end.
func TestBlocks(t *testing.T) {
	sizes := []int{0, 1, 30, 1000, blockSize - 100, blockSize, blockSize + 1, layOutMax - 50, layOutMax, 3 * layOutMax, pieceMax - 1, pieceMax, 2*pieceMax + 7}
	eachFile(t, func(t *testing.T, srv *Server) {
		rnd := rand.New(rand.NewPCG(1, 2))
		path := srv.opt.AppendOnly
		var want []byte
		keys := 0
		for i := range 100 {
			n := 1 + rnd.IntN(4)
			values := make([]string, n)
			for k := range values {
				values[k] = strings.Repeat("v", sizes[min(rnd.IntN(len(sizes)), rnd.IntN(len(sizes)))])
			}
			want = append(want, logAll(t, srv.aof, values...)...)
			if keys += n; i%10 != 0 {
				continue
			}
			b, err := os.ReadFile(path)
			if err != nil || len(b)%blockSize != 0 || !bytes.Equal(trimZeros(b), want) {
				t.Fatalf("the file has %d bytes, %d without zeros, want %d of entries (%v)", len(b), len(trimZeros(b)), len(want), err)
			}
		}
		killed, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := srv.Close(); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, want) {
			t.Errorf("the closed file has %d bytes, want %d (%v)", len(b), len(want), err)
		}
		log, lines := logged()
		again, err := load(write(t, killed), log)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if got := len(again.store.shards[0].keys); got != keys || !strings.Contains(lines.String(), fmt.Sprintf("offset=%d\n", len(want))) {
			t.Errorf("%d keys after a kill, want %d; the log says %q", got, keys, lines)
		}
	})
}

// TestBlocksGoOn: a file that ends in the middle of a block, at its end, or has nothing, is gone on with.
func TestBlocksGoOn(t *testing.T) {
	for _, n := range []int{0, 1, blockSize - len(wire("SET", "a", strings.Repeat("v", 1000))) + 1000, 5000} {
		var want []byte
		if n > 0 {
			want = wire("SET", "a", strings.Repeat("v", n))
		}
		o := Options{AppendOnly: write(t, want), Fsync: FsyncAlways}
		for range 3 {
			srv, err := New(o, new(reactor.Config))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, logAll(t, srv.aof, "x", strings.Repeat("y", 5000))...) // beyond the block that there is
			if fi, err := os.Stat(o.AppendOnly); err != nil || fi.Size() < int64(len(want))+layOutSize/2 {
				t.Errorf("the file is not laid out behind its entries: %d bytes, %v", fi.Size(), err)
			}
			if err := srv.Close(); err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(o.AppendOnly); err != nil || !bytes.Equal(b, want) {
				t.Fatalf("behind an entry with %d bytes: the file has %d bytes, want %d (%v)", n, len(b), len(want), err)
			}
		}
	}
}

// TestOddMemory: a device may want more than blocks of 4 KiB; then the page cache is used.
func TestOddMemory(t *testing.T) {
	eachFile(t, func(t *testing.T, srv *Server) {
		b := srv.aof.blocks
		b.buf = b.buf[1:] // as if memory at a multiple of 4 KiB were not enough
		want := logAll(t, srv.aof, "x")
		flags, err := unix.FcntlInt(srv.aof.file.Fd(), unix.F_GETFL, 0)
		if _, odd := unix.Pwrite(int(srv.aof.file.Fd()), b.zero[1:1+blockSize], b.room); odd != nil { // else the file system, tmpfs say, takes any memory
			t.Errorf("the file does not take odd memory still, with flags %#x (%v): %v", flags, err, odd)
		}
		want = append(want, logAll(t, srv.aof, "y")...)
		if got := contents(t, srv.opt.AppendOnly); !bytes.Equal(got, want) {
			t.Errorf("the file has %d bytes of entries, want %d", len(got), len(want))
		}
	})
}

// TestTornBlocks: the beginning of an entry, with zeros behind it, is cut off with these.
func TestTornBlocks(t *testing.T) {
	whole := append(wire("SET", "a", "1"), wire("SET", "b", "\x00")...)
	for _, last := range [][]byte{wire("SET", "c", "3\r\n*not an entry"), wire("SET", "c", "\x00\x00\x00\x00"), wire("SET", "c", strings.Repeat("v", 2*loadChunk))} {
		for _, zeros := range []int{2 * blockSize, 3 * loadChunk} {
			for n := 0; n < len(last); n += 1 + len(last)/50 {
				log, lines := logged()
				path := write(t, append(append(bytes.Clone(whole), last[:n]...), make([]byte, zeros-(len(whole)+n)%blockSize)...))
				srv, err := load(path, log)
				if err != nil {
					t.Fatalf("with %d bytes of the last entry: %v", n, err)
				}
				if got := len(srv.store.shards[0].keys); got != 2 {
					t.Errorf("with %d bytes of the last entry: %d keys", n, got)
				}
				begun := len(trimZeros(last[:n]))
				if told := strings.Contains(lines.String(), fmt.Sprintf("level=WARN msg=\"kv: the append-only file ended in the middle of an entry, which was cut off\" path=%s offset=%d bytes=%d\n", path, len(whole), begun)); told != (begun > 0) {
					t.Errorf("with %d bytes of the last entry: the log says %q", n, lines)
				}
				if err := srv.Close(); err != nil {
					t.Fatal(err)
				}
				if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, whole) {
					t.Fatalf("with %d bytes of the last entry: the file has %d bytes, want %d (%v)", n, len(b), len(whole), err)
				}
			}
		}
	}
}

// TestDamagedBlocks: zeros at the end do not make what is damaged, or has entries behind it, the beginning of an entry.
func TestDamagedBlocks(t *testing.T) {
	first, third := wire("SET", "a", "1"), wire("SET", "c", "3")
	for name, rest := range map[string][]byte{
		"the last entry":            []byte("*3\r\n$3\r\nSXT\r\n$1\r\nb\r\n$2\r\n22\r\n"),
		"the end of the last entry": []byte("*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$2\r\n22xx"),
		"the start of an entry":     []byte("?3\r\n$3\r\nSET\r\n$1\r\nb\r\n$2\r\n22\r\n"),
		"the length of an entry":    append([]byte("*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$9999\r\n22\r\n"), third...),
		"zeros before an entry":     append(make([]byte, 512), third...),
		"zeros, and then an entry":  append(make([]byte, 3*loadChunk), third...),
		"zeros in a torn entry":     append(append([]byte("*3\r\n$3\r\nSET\r\n"), make([]byte, 512)...), third...),
		"zeros, and then something": append(make([]byte, 3*loadChunk), 1),
		"text before zeros":         []byte("text"),
	} {
		t.Run(name, func(t *testing.T) {
			before := append(append(bytes.Clone(first), rest...), make([]byte, 3*blockSize)...)
			path := write(t, before)
			_, err := load(path, slog.New(slog.DiscardHandler))
			if damage := (*CorruptError)(nil); !errors.As(err, &damage) || damage.Offset != int64(len(first)) {
				t.Fatalf("%v, want a CorruptError at %d", err, len(first))
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

// TestOneWriteEach: the file is laid out once for many batches, and not at all for a large one.
func TestOneWriteEach(t *testing.T) {
	eachFile(t, func(t *testing.T, srv *Server) {
		writes := func(n int) uint64 {
			before := srv.aof.engine.Stats().Submitted
			logAll(t, srv.aof, strings.Repeat("v", n))
			return srv.aof.engine.Stats().Submitted - before
		}
		for _, step := range []struct {
			size int
			want uint64
		}{{3 * layOutMax, 1}, {10, 1}, {blockSize, 2}, {10, 1}, {3 * blockSize, 1}, {layOutMax / 2, 1}, {3 * layOutMax, 1}, {10, 1}, {pieceMax - blockSize, 1}, {blockSize, 2}} {
			if got := writes(step.size); got != step.want {
				t.Errorf("%d bytes: %d writes, want %d", step.size, got, step.want)
			}
		}
	})
}
