package kv

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

const (
	// shardCount is how many locks there are, as many as there are bits in a mask of them. Two commands at a time meet in one of 64 seldom enough, and FLUSHALL must
	// take all of them.
	shardCount = 64

	// entryBytes is what a key and its value cost beside their bytes: the entry, its place in the map, and the rounding of the allocator.
	entryBytes = 112
	// expiryBytes is what an expiry costs besides.
	expiryBytes = 8
)

// entry is a key and its value.
type entry struct {
	key  string
	val  []byte
	when int64 // when it expires, in milliseconds since 1970. Meaningful when at is not -1
	at   int32 // its place in shard.expiry, -1: it does not expire
}

func (e *entry) expires() bool { return e.at >= 0 }

func (e *entry) bytes() int64 {
	n := int64(len(e.key) + cap(e.val) + entryBytes)
	if e.expires() {
		n += expiryBytes
	}
	return n
}

// shard is a part of the keys. What is in it is for who holds the lock, or for the one goroutine that there is.
type shard struct {
	mu     sync.Mutex
	keys   map[string]*entry
	expiry []*entry     // a heap: what expires first is in front
	used   atomic.Int64 // bytes; written under the lock, read without
	_      [64]byte     // the next one is in another line of the cache
}

// store is all keys.
type store struct {
	shards []shard
	seed   maphash.Seed
	shared bool // several goroutines use it
}

func newStore(shared bool) *store {
	n := 1
	if shared {
		n = shardCount
	}
	st := &store{shards: make([]shard, n), seed: maphash.MakeSeed(), shared: shared}
	for i := range st.shards {
		st.shards[i].keys = make(map[string]*entry)
	}
	return st
}

// index is which shard a key is in.
func (st *store) index(key []byte) int {
	if !st.shared {
		return 0
	}
	return int(maphash.Bytes(st.seed, key) % shardCount)
}

// mask is the shards of the keys among args: those from first to last, each step.
func (st *store) mask(args [][]byte, first, last, step int) uint64 {
	var m uint64
	for i := first; i <= last; i += step {
		m |= 1 << st.index(args[i])
	}
	return m
}

// allShards is the mask of all.
const allShards = ^uint64(0)

// lock takes the locks of a mask, always in the same order.
func (st *store) lock(mask uint64) {
	for i := range st.shards {
		if mask&(1<<i) != 0 {
			st.shards[i].mu.Lock()
		}
	}
}

func (st *store) unlock(mask uint64) {
	for i := range st.shards {
		if mask&(1<<i) != 0 {
			st.shards[i].mu.Unlock()
		}
	}
}

// used is how many bytes all keys take.
func (st *store) used() int64 {
	var n int64
	for i := range st.shards {
		n += st.shards[i].used.Load()
	}
	return n
}

// put makes an entry, which there must not be yet, or gives the one that there is a new value. The expiry stays as it is.
func (sh *shard) put(e *entry, key, val []byte) *entry {
	if e == nil {
		e = &entry{key: string(key), at: -1}
		e.val = append(e.val, val...)
		sh.keys[e.key] = e
		sh.used.Add(e.bytes())
		return e
	}
	before := cap(e.val)
	if n := len(val); n > before || before > 2*n+64 { // too small, or much too large
		e.val = append([]byte(nil), val...)
	} else {
		e.val = append(e.val[:0], val...)
	}
	sh.grown(before, cap(e.val))
	return e
}

// grown accounts for a value that has other memory.
func (sh *shard) grown(before, now int) {
	if before != now {
		sh.used.Add(int64(now - before))
	}
}

// remove takes an entry out.
func (sh *shard) remove(e *entry) {
	sh.used.Add(-e.bytes())
	if e.expires() {
		sh.unheap(e)
	}
	delete(sh.keys, e.key)
}

// clear takes all out.
func (sh *shard) clear() {
	sh.keys = make(map[string]*entry)
	sh.expiry = nil
	sh.used.Store(0)
}

// expireAt has an entry expire.
func (sh *shard) expireAt(e *entry, when int64) {
	e.when = when
	if e.expires() {
		sh.down(sh.up(e.at))
		return
	}
	e.at = int32(len(sh.expiry))
	sh.expiry = append(sh.expiry, e)
	sh.used.Add(expiryBytes)
	sh.up(e.at)
}

// persist has an entry not expire.
func (sh *shard) persist(e *entry) {
	if e.expires() {
		sh.unheap(e)
		sh.used.Add(-expiryBytes)
	}
}

// first is what expires first, nil if nothing does.
func (sh *shard) first() *entry {
	if len(sh.expiry) == 0 {
		return nil
	}
	return sh.expiry[0]
}

func (sh *shard) unheap(e *entry) {
	last := int32(len(sh.expiry) - 1)
	at := e.at
	if at != last {
		sh.swap(at, last)
	}
	sh.expiry[last] = nil
	sh.expiry = sh.expiry[:last]
	e.at = -1
	if at != last {
		sh.down(sh.up(at))
	}
}

func (sh *shard) swap(i, j int32) {
	h := sh.expiry
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// up moves what is at i to the front as far as it belongs, and says where it is then.
func (sh *shard) up(i int32) int32 {
	for i > 0 {
		parent := (i - 1) / 2
		if sh.expiry[parent].when <= sh.expiry[i].when {
			break
		}
		sh.swap(i, parent)
		i = parent
	}
	return i
}

// down moves what is at i to the back as far as it belongs.
func (sh *shard) down(i int32) {
	for n := int32(len(sh.expiry)); ; {
		child := 2*i + 1
		if child >= n {
			return
		}
		if child+1 < n && sh.expiry[child+1].when < sh.expiry[child].when {
			child++
		}
		if sh.expiry[i].when <= sh.expiry[child].when {
			return
		}
		sh.swap(i, child)
		i = child
	}
}
