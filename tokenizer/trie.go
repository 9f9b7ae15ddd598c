package tokenizer

import (
	"slices"
	"sort"
	"strings"
)

// A trie holds strings, each with a token. Node 0 is the root. The nodes stand
// in order of depth, so that the children of one are neighbours.
type trie struct {
	first []int32    // node n's children are first[n] to first[n+1]-1, by label
	label []byte     // the byte that leads to each node
	token []int32    // of the string that ends at each node, or -1
	root  [256]int32 // the root's child by byte, or 0
}

// newTrie makes the trie of keys, of which none is empty and none occurs twice.
func newTrie(keys []string, tokens []int32) *trie {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(keys[a], keys[b]) })
	key := func(i int) string { return keys[order[i]] }

	// Every node has a range of keys that begin with its string.
	type node struct{ lo, hi int32 }
	level, next := []node{{0, int32(len(keys))}}, []node(nil)
	t := &trie{label: []byte{0}}
	for depth := 0; len(level) > 0; depth++ {
		next = next[:0]
		for _, n := range level {
			token := int32(-1)
			if n.lo < n.hi && len(key(int(n.lo))) == depth { // sorted: the shortest is the first
				token = tokens[order[n.lo]]
				n.lo++
			}
			t.token = append(t.token, token)
			t.first = append(t.first, int32(len(t.label)))
			for lo := n.lo; lo < n.hi; {
				b := key(int(lo))[depth]
				size := sort.Search(int(n.hi-lo), func(i int) bool { return key(int(lo) + i)[depth] > b })
				t.label = append(t.label, b)
				next = append(next, node{lo, lo + int32(size)})
				lo += int32(size)
			}
		}
		level, next = next, level
	}
	t.first = append(t.first, int32(len(t.label)))
	for n := t.first[0]; n < t.first[1]; n++ {
		t.root[t.label[n]] = n
	}
	return t
}

// child is the node that byte b leads to from node n, or 0.
func (t *trie) child(n int32, b byte) int32 {
	if n == 0 {
		return t.root[b]
	}
	lo, hi := t.first[n], t.first[n+1]
	for hi-lo > 8 {
		if mid := (lo + hi) / 2; t.label[mid] <= b {
			lo = mid
		} else {
			hi = mid
		}
	}
	for ; lo < hi; lo++ {
		if t.label[lo] == b {
			return lo
		}
	}
	return 0
}

// longest returns the longest string of the trie that text begins with, by
// its length and its token; 0 and -1 if there is none.
func (t *trie) longest(text string) (length int, token int32) {
	token = -1
	n := int32(0)
	for i := range len(text) {
		if n = t.child(n, text[i]); n == 0 {
			break
		}
		if t.token[n] >= 0 {
			length, token = i+1, t.token[n]
		}
	}
	return length, token
}
