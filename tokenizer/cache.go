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

// encode appends the ids of the word to e, taking them from the cache or else
// from encodeWord, and moves on behind the word.
func (c *wordCache) encode(e *encoding, word string, encodeWord func(e *encoding, word string) error) error {
	if len(word) > maxCached {
		if err := encodeWord(e, word); err != nil {
			return err
		}
		return e.next(len(word))
	}
	slot := c.slot(word)
	if known := slot.Load(); known != nil && known.word == word {
		e.ids = append(e.ids, known.ids...)
		return e.next(len(word))
	}
	n := len(e.ids)
	e.odd = false
	if err := encodeWord(e, word); err != nil {
		return err
	}
	if !e.odd { // what is odd depends on what is beside it, or is to be counted
		slot.Store(&cachedWord{strings.Clone(word), slices.Clone(e.ids[n:])})
	}
	return e.next(len(word))
}
