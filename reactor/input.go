package reactor

// Input lies in the leased buffer that the kernel has received into as long as a callback runs. What the callback leaves is
// copied to the heap, so that a connection which has sent half a message holds no buffer.

// heapMin is the least: half a request is short as a rule, and a thousand peers may stop there.
const heapMin = 512

// keep copies the rest of the input out of a buffer that is to be given back.
func (c *Conn) keep() {
	rest := c.in
	c.in = nil
	if len(rest) > 0 {
		c.append(rest)
	}
}

// append puts b behind the input, which is on the heap or empty.
func (c *Conn) append(b []byte) {
	need := len(c.in) + len(b)
	switch {
	case cap(c.in)-len(c.in) >= len(b) && len(c.in) > 0:
		c.in = append(c.in, b...)
		return
	case cap(c.heap) < need:
		larger := make([]byte, 0, max(need, 2*cap(c.heap), heapMin))
		c.heap = append(larger, c.in...)
	default:
		c.heap = append(c.heap[:0], c.in...) // down, over what was consumed
	}
	c.heap = append(c.heap, b...)
	c.in = c.heap
}

// trim gives the heap up when there is nothing in it.
func (c *Conn) trim() {
	if len(c.in) == 0 {
		c.in, c.heap = nil, nil
	}
}

// stuck says whether the handler waits for more input, and for nothing else.
func (c *Conn) stuck() bool { return c.asked&askPause == 0 && c.Unsent() == 0 }
