//go:build !unix

package main

// transfer reads or writes at off.
func transfer(t *fileTarget, write bool, b []byte, off int64) (int, error) {
	if write {
		return t.f.WriteAt(b, off)
	}
	return t.f.ReadAt(b, off)
}

func pages(n int) ([]byte, error) { return make([]byte, n), nil }

func freePages([]byte) {}
