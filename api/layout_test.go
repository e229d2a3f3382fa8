package api

import (
	"testing"
	"unsafe"
)

func TestLayouts(t *testing.T) {
	if n := unsafe.Sizeof(StatxBuf{}); n != 256 {
		t.Errorf("a StatxBuf has %d bytes, the kernel's struct statx has 256", n)
	}
	if n := unsafe.Sizeof(OpenHow{}); n != 24 {
		t.Errorf("an OpenHow has %d bytes, the kernel's struct open_how has 24", n)
	}
	if off := pair(-1, -2); int32(off>>32) != -1 || int32(off) != -2 {
		t.Errorf("pair(-1, -2) is %#x", off)
	}
}
