package tokenizer

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"
)

// A wordCache remembers the ids of words. It is a table of fixed size in which
// a new word replaces the one in its place, so that its memory is bounded, and
// readers and writers never wait for each other.
type wordCache struct {
	seed  maphash.Seed
	slots [1 << 15]atomic.Pointer[cachedWord]
}

type cachedWord struct {
	word string
	ids  []int32
}

// maxCached is the length of the longest word that is worth remembering.
const maxCached = 32

func newWordCache() *wordCache { return &wordCache{seed: maphash.MakeSeed()} }

func (c *wordCache) slot(word string) *atomic.Pointer[cachedWord] {
	return &c.slots[maphash.String(c.seed, word)%uint64(len(c.slots))]
}

// append writes the ids of the word behind dst, taking them from the cache or
// else from encode.
func (c *wordCache) append(dst []int32, word string, encode func([]int32, string) ([]int32, error)) ([]int32, error) {
	if len(word) > maxCached {
		return encode(dst, word)
	}
	slot := c.slot(word)
	if e := slot.Load(); e != nil && e.word == word {
		return append(dst, e.ids...), nil
	}
	n := len(dst)
	dst, err := encode(dst, word)
	if err == nil {
		slot.Store(&cachedWord{strings.Clone(word), slices.Clone(dst[n:])})
	}
	return dst, err
}
