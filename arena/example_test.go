//go:build unix || windows

package arena_test

import (
	"fmt"

	"github.com/sluiceio/sluice/arena"
)

func ExampleArena_Alloc() {
	a, err := arena.New(1<<20, &arena.Options{Pages: arena.Best})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Close()
	buf, err := a.Alloc(4096, 512) // as a file with O_DIRECT wants it
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(buf), cap(buf))
	// Output: 4096 4096
}
