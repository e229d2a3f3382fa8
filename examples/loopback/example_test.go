package loopback_test

import (
	"fmt"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/examples/loopback"
)

// An engine sends from one end of a stream and receives at the other. The receive has been submitted first, and waits.
func Example() {
	n := loopback.NewNet()
	e, err := n.Open(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	a, b, err := n.Pair()
	if err != nil {
		fmt.Println(err)
		return
	}
	buf := make([]byte, 16)
	if _, err := e.Submit([]api.Op{api.Recv(b, buf, 1), api.Send(a, []byte("hello"), 2)}); err != nil {
		fmt.Println(err)
		return
	}
	done := make([]api.Completion, 2)
	if _, err := e.Complete(done, api.Wait{Min: 2}); err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range done {
		fmt.Println(c.Code, c.Res, c.Err())
	}
	fmt.Printf("%s\n", buf[:5])
	// Output:
	// send 5 <nil>
	// recv 5 <nil>
	// hello
}
